// Elements in one line.
// @ts-check

/**
 * h("button", {class: "quiet", onclick: f, "aria-label": "Copy"}, "Copy")
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [props] @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key === "class") e.className = value;
    else if (key in e && !key.startsWith("aria")) /** @type {any} */ (e)[key] = value;
    else e.setAttribute(key, value === true ? "" : String(value));
  }
  e.append(...children.filter((c) => c !== null && c !== undefined).map((c) => c ?? ""));
  return e;
}

/** An element of index.html. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const e = document.getElementById(id);
  if (!e) throw new Error(`index.html has no #${id}`);
  return e;
}

/** @param {string} d the path @param {string} [box] */
export function icon(d, box = "0 0 16 16") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}

/** @returns {boolean} */
export const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** A colour of the style sheet. @param {string} name */
export const cssValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a screen reader is told. @param {string} text */
export function announce(text) {
  byId("announcer").textContent = text;
}

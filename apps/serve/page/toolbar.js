// Which map, coloured by what, and how it is looked at.
// @ts-check
import { byId, h } from "./dom.js";
import { zoomMiddle } from "./gestures.js";
import { shortNumber } from "./maths.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./backend.js").Method} Method */

/** @type {Record<Method, string>} */
const METHODS = { pca: "PCA", tsne: "t-SNE", dims: "Dimensions" };
/** @type {Record<string, string>} */
export const COLOURS = {
  class: "class",
  loss: "loss",
  density: "density",
  hole: "holes",
  kl: "KL",
  distance: "distance",
};

/** One of several, as buttons. @param {string} label @param {[string, string][]} options @param {(value: string) => void} choose */
export function segments(label, options, choose) {
  const group = h("div", { class: "segments", role: "radiogroup", "aria-label": label });
  const buttons = options.map(([value, text]) =>
    h("button", { type: "button", role: "radio", "aria-checked": "false", value, onclick: () => choose(value) }, text),
  );
  group.append(...buttons);
  group.addEventListener("keydown", (k) => {
    const step = k.key === "ArrowRight" ? 1 : k.key === "ArrowLeft" ? -1 : 0, at = buttons.findIndex((b) => b === document.activeElement);
    if (!step || at < 0) return;
    k.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    choose(next.value);
  });
  const show = (/** @type {string} */ value) => {
    for (const b of buttons) {
      b.setAttribute("aria-checked", String(b.value === value));
      b.tabIndex = b.value === value ? 0 : -1;
    }
  };
  return { group, show };
}

/** @param {Session} session @param {import("./map.js").MapView} map */
export function showToolbar(session, map) {
  const { store } = session, bar = byId("toolbar");
  const fill = () => {
    const { run, state } = session;
    if (!run) return;
    const method = segments("Map", run.maps.map((m) => [m, m === "pca" && run.latent === 2 ? "Plane" : METHODS[m]]), (m) => {
      store.set({ method: /** @type {Method} */ (m), command: session.mapCommand(/** @type {Method} */ (m)) });
    });
    method.show(state.method);
    const dims = [...(run.dimensions ?? [])].map((d) => d.index);
    /** @param {"x"|"y"} axis */
    const choice = (axis) =>
      h(
        "select",
        { "aria-label": axis === "x" ? "Dimension across" : "Dimension upwards", onchange: (/** @type {Event} */ e) => store.set({ [axis]: Number(/** @type {HTMLSelectElement} */ (e.target).value) }) },
        ...dims.map((d) => h("option", { value: String(d), selected: d === state[axis] }, `z${d}`)),
      );
    const colours = ["class", ...session.backend.colourings(run.id)];
    const colour = h(
      "select",
      { id: "colour-choice", onchange: (/** @type {Event} */ e) => store.set({ colour: /** @type {HTMLSelectElement} */ (e.target).value }) },
      ...colours.map((c) => h("option", { value: c, selected: c === state.colour }, COLOURS[c] ?? c)),
    );
    bar.replaceChildren(
      method.group,
      ...(state.method === "dims" ? [h("span", { class: "row" }, choice("x"), "×", choice("y"))] : []),
      h("label", {}, "Colour", colour),
      toggle("Images", state.thumbs, () => store.set({ thumbs: !store.state.thumbs })),
      toggle("Lasso", state.lasso, () => store.set({ lasso: !store.state.lasso })),
      h(
        "span",
        { class: "segments zoom" },
        h("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoomMiddle(map, 1 / 1.5) }, "−"),
        h("button", { type: "button", "aria-label": "The whole map", onclick: () => map.home() }, "Fit"),
        h("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoomMiddle(map, 1.5) }, "+"),
      ),
      h("span", { class: "trust small", title: "Trust: trustworthiness, whether neighbours on the map are neighbours among the codes; 1 is best" }, trustOf(session)),
    );
  };
  store.on(["loaded", "method", "x", "y", "colour", "thumbs", "lasso", "run"], () => {
    const focus = bar.contains(document.activeElement) ? [...bar.querySelectorAll("button, select")].indexOf(/** @type {Element} */ (document.activeElement)) : -1;
    fill();
    if (focus >= 0) /** @type {HTMLElement} */ ([...bar.querySelectorAll("button, select")][focus])?.focus();
  });
  fill();
}

/** @param {string} text @param {boolean} on @param {() => void} flip */
const toggle = (text, on, flip) => h("button", { type: "button", "aria-pressed": String(on), onclick: flip }, text);

/** How far the map can be trusted, in words. @param {Session} session */
function trustOf({ map, run }) {
  if (!map) return "";
  const parts = [];
  if (map.done < 1) parts.push(`${METHODS[map.method]} ${Math.round(100 * map.done)} %`);
  if (map.explained) parts.push(`${Math.round(100 * (map.explained[0] + map.explained[1]))} % of the variance`);
  if (map.method === "pca" && run.latent === 2) parts.push("the whole latent space");
  else if (map.trust !== null) parts.push(`trust ${map.trust.toFixed(2)}`);
  return parts.join(" · ");
}

// What the colours mean; of classes it is a filter.
// @ts-check
import { byId, h, icon, isDark } from "./dom.js";
import { SHAPE_COUNT, SHAPE_PATHS } from "./dots.js";
import { scaleOfValues } from "./map.js";
import { shortNumber, thousands } from "./maths.js";
import { classColour, cssColour, rampColour } from "./palette.js";
import { COLOURS } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session */
export function showLegend(session) {
  const { store } = session, e = byId("legend");
  const fill = () => {
    if (!session.map) return;
    const focus = [...e.children].indexOf(/** @type {Element} */ (document.activeElement));
    e.replaceChildren(...(session.state.colour === "class" ? classes(session) : values(session)));
    if (focus >= 0) /** @type {HTMLElement|undefined} */ (e.children[focus])?.focus();
  };
  store.on(["loaded", "hidden", "selection"], fill);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", fill);
}

/** A press hides or shows a class; with Alt or a second press on the only one: all others. @param {Session} session */
function classes(session) {
  const { run, labels, store, state } = session, n = run.classes.length;
  const count = new Uint32Array(257);
  for (const k of labels) count[k]++;
  if (!n || !labels.length) return [h("span", { class: "soft small" }, `${thousands(session.points)} images without labels`)];
  const buttons = run.classes.map((name, k) => {
    const shown = !state.hidden.includes(k), image = icon(SHAPE_PATHS[k % SHAPE_COUNT]);
    image.style.color = cssColour(classColour(k, n, isDark()));
    const press = (/** @type {MouseEvent} */ m) => {
      const others = run.classes.map((_, i) => i).filter((i) => i !== k);
      if (m.altKey || m.shiftKey) store.set({ hidden: state.hidden.length === n - 1 && shown ? [] : others });
      else store.set({ hidden: shown ? [...state.hidden, k] : state.hidden.filter((i) => i !== k) });
    };
    return h("button", { type: "button", "aria-pressed": String(shown), title: `${thousands(count[k])} images; Shift: only these`, onclick: press }, image, name);
  });
  const rest = [];
  if (state.hidden.length) rest.push(h("button", { type: "button", class: "quiet", onclick: () => store.set({ hidden: [] }) }, "Show all"));
  if (state.selection.length) {
    rest.push(h("span", { class: "small soft" }, `${thousands(state.selection.length)} selected`));
    rest.push(h("button", { type: "button", class: "quiet", onclick: () => store.set({ selection: [] }) }, "Clear"));
  }
  return [...buttons, ...rest];
}

/** @param {Session} session */
function values({ values, state }) {
  const scale = values ? scaleOfValues(values) : null, ramp = h("canvas", { class: "ramp", width: 160, height: 1 });
  const c = ramp.getContext("2d");
  for (let i = 0; c && i < 160; i++) {
    c.fillStyle = cssColour(rampColour(i / 159, isDark()));
    c.fillRect(i, 0, 1, 1);
  }
  ramp.setAttribute("role", "img");
  ramp.setAttribute("aria-label", `${COLOURS[state.colour]}, low to high`);
  return [
    h("span", { class: "small" }, COLOURS[state.colour] ?? state.colour),
    h("span", { class: "small soft" }, scale ? shortNumber(scale.low) : ""),
    ramp,
    h("span", { class: "small soft" }, scale ? shortNumber(scale.high) : ""),
  ];
}

// From one image to another: the steps between as a strip, as an animation, as a line on the map.
// @ts-check
import { pointNamed, newestOnly } from "./backend.js";
import { h } from "./dom.js";
import { blendOf } from "./maths.js";
import { showPixels } from "./pixels.js";
import { segments } from "./toolbar.js";

const STEPS = 10;

/** On the great circle, as `--path slerp`. @param {Float32Array} a @param {Float32Array} b @param {number} t */
function slerpOf(a, b, t) {
  const la = Math.hypot(...a), lb = Math.hypot(...b);
  const angle = Math.acos(Math.min(Math.max(a.reduce((s, v, i) => s + v * b[i], 0) / (la * lb || 1), -1), 1));
  if (angle < 1e-4) return blendOf(a, b, t);
  const wa = Math.sin((1 - t) * angle) / Math.sin(angle), wb = Math.sin(t * angle) / Math.sin(angle);
  return Float32Array.from(a, (v, i) => wa * v + wb * b[i]);
}

/** @param {import("./session.js").Session} session @param {HTMLElement} panel */
export function showPath(session, panel) {
  const { store, backend } = session;
  /** @type {{a: Float32Array, b: Float32Array}|null} */
  let ends = null;
  let slerp = false, playing = 0;
  const codeAt = (/** @type {number} */ t) => (ends ? (slerp ? slerpOf : blendOf)(ends.a, ends.b, t) : new Float32Array(0));

  const kind = segments("Way", [["linear", "Linear"], ["slerp", "Spherical"]], (v) => {
    slerp = v === "slerp";
    kind.show(v);
    refresh();
  });
  kind.show("linear");
  const play = h("button", { type: "button", class: "strong", disabled: true, onclick: () => (playing ? stop() : start()) }, "Play");
  const canvases = Array.from({ length: STEPS }, () => h("canvas", { class: "picture", width: 1, height: 1 }));
  const strip = h(
    "div",
    { class: "film", role: "group", "aria-label": "The steps between", hidden: true },
    ...canvases.map((c, k) => h("button", { type: "button", "aria-label": `Step ${k + 1} of ${STEPS}`, onclick: () => session.setCode(codeAt(k / (STEPS - 1)), { command: command() }) }, c)),
  );
  strip.style.gridTemplateColumns = `repeat(${STEPS}, 1fr)`;
  const end = (/** @type {"from"|"to"} */ which, /** @type {string} */ letter) => {
    const name = h("input", { type: "text", size: 11, "aria-label": `Image ${letter}`, placeholder: "test:17", onchange: () => store.set({ [which]: pointNamed(session.run, name.value) }) });
    store.on([which, "run"], (s) => (name.value = s[which] >= 0 ? session.nameOf(s[which]) : ""));
    return h("div", { class: "row" }, h("span", { class: "chip" }, h("b", {}, letter), name), h("button", { type: "button", onclick: () => store.set({ [which]: store.state.point }) }, "The image shown"));
  };
  const hint = h("p", { class: "empty small" }, "Choose two images: pick one on the map, then press the button of A or B; or hold Ctrl and click for B.");
  panel.append(end("from", "A"), end("to", "B"), h("div", { class: "row" }, kind.group, play), hint, strip);

  const command = () => `elbo interpolate ${session.folder} --from ${session.nameOf(store.state.from)} --to ${session.nameOf(store.state.to)}${slerp ? " --path slerp" : ""}`;
  const show = newestOnly(
    (/** @type {Float32Array} */ z) => Promise.all([backend.decode(session.id, z, session.decodeOptions()), backend.place(session.id, session.mapChoice(), z)]),
    ([images, path]) => {
      canvases.forEach((c, k) => showPixels(c, images, k));
      store.set({ path: ends ? path : null });
    },
    session.complain,
  );
  const refresh = () => {
    strip.hidden = play.disabled = !ends;
    hint.hidden = Boolean(ends);
    if (!ends) return store.set({ path: null });
    const L = session.run.latent, z = new Float32Array(STEPS * L);
    for (let k = 0; k < STEPS; k++) z.set(codeAt(k / (STEPS - 1)), k * L);
    show(z);
    store.set({ command: command() });
  };
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
    store.set({ moving: false });
  };
  const start = () => {
    const began = performance.now();
    play.textContent = "Stop";
    const frame = () => {
      const t = ((performance.now() - began) / 1600) % 2, z = codeAt(t < 1 ? t : 2 - t); // there and back
      if (!ends) return stop();
      store.set({ moving: true });
      session.setCode(z, { command: command() });
      playing = requestAnimationFrame(frame);
    };
    playing = requestAnimationFrame(frame);
  };
  store.on(["from", "to", "run"], async (s) => {
    stop();
    ends = null;
    if (s.from >= 0 && s.to >= 0 && s.from !== s.to) {
      const L = session.run.latent, code = await backend.codes(session.id, [s.from, s.to]);
      ends = { a: code.slice(0, L), b: code.slice(2 * L, 3 * L) };
    }
    refresh();
  });
  store.on(["method", "x", "y"], refresh);
  store.on(["tab"], (s) => s.tab !== "path" && playing && stop());
}

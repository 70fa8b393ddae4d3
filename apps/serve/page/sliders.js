// A slider for each dimension of the code, the most informative first; under the one at hand a strip of what it does.
// @ts-check
import { newestOnly } from "./backend.js";
import { h } from "./dom.js";
import { shortNumber } from "./maths.js";
import { showPixels } from "./pixels.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./backend.js").Dimension} Dimension */

const FRAMES = 9, FIRST = 20;

/** Of a VAE three prior deviations, or what its codes reach. @param {Session} session @param {Dimension} d @returns {[number, number]} */
function rangeOf({ run }, d) {
  const reach = run.model === "vae" ? Math.max(3, Math.abs(d.mean) + 3 * d.std) : 3.5 * d.std || 1;
  return run.model === "vae" ? [-reach, reach] : [d.mean - reach, d.mean + reach];
}

/** @param {Session} session @param {HTMLElement} panel */
export function showSliders(session, panel) {
  const { store } = session;
  let all = false;
  /** @type {ReturnType<typeof rowOf>[]} */
  let rows = [];
  const film = filmOf(session);
  const fill = () => {
    const dimensions = session.run?.dimensions ?? [], shown = all ? dimensions : dimensions.slice(0, FIRST);
    const most = Math.max(...dimensions.map((d) => d.kl ?? d.std), 1e-9);
    rows = shown.map((d) => rowOf(session, d, most, film));
    panel.replaceChildren(
      h("p", { class: "small soft" }, session.run?.model === "vae" ? "By KL in nats: what each dimension tells of an image." : "By the spread of the codes."),
      ...rows.map((r) => r.row),
    );
    if (shown.length < dimensions.length)
      panel.append(h("button", { type: "button", onclick: () => ((all = true), fill()) }, `All ${dimensions.length} dimensions`));
    refresh();
  };
  const refresh = () => {
    const z = store.state.z ?? session.meanCode();
    for (const { d, input, out } of rows) {
      if (document.activeElement !== input || Math.abs(Number(input.value) - z[d.index]) > 0.011) input.value = String(z[d.index]);
      out.textContent = z[d.index].toFixed(2);
    }
  };
  store.on(["run"], () => ((all = false), fill()));
  store.on(["z"], () => (refresh(), film.refresh()));
  fill();
}

/** @param {Session} session @param {Dimension} d @param {number} most @param {ReturnType<typeof filmOf>} film */
function rowOf(session, d, most, film) {
  const [low, high] = rangeOf(session, d), score = d.kl ?? d.std;
  const out = h("output", {});
  const bar = h("span", { class: "bar" });
  bar.style.width = `${48 * Math.max(score / most, 0)}px`;
  const move = () => {
    const z = (session.state.z ?? session.meanCode()).slice();
    z[d.index] = Number(input.value);
    const { at, folder } = { at: session.state.at, folder: session.folder };
    session.setCode(z, { command: at ? `elbo traverse ${folder} --at ${at} --dims ${d.index}` : "" });
    session.baseName = at || session.baseName;
  };
  const input = h("input", { type: "range", min: String(low), max: String(high), step: "0.01", "aria-label": `Dimension ${d.index}, ${d.kl === null ? "deviation" : "KL"} ${shortNumber(score, 2)}`, oninput: move });
  const name = h("span", { class: "name" }, `z${d.index}`, h("small", {}, shortNumber(score, 2)), bar);
  const row = h("div", { class: "slider" }, name, input, out);
  row.addEventListener("pointerenter", () => film.show(row, d, [low, high]));
  input.addEventListener("focus", () => film.show(row, d, [low, high]));
  return { row, d, input, out };
}

/** One strip for all sliders. @param {Session} session */
function filmOf(session) {
  const canvases = Array.from({ length: FRAMES }, () => h("canvas", { class: "picture", width: 1, height: 1 }));
  const buttons = canvases.map((c) => h("button", { type: "button", tabIndex: -1 }, c)); // the slider does the same by keys
  const strip = h("div", { class: "film", role: "group", "aria-label": "What this dimension does" }, ...buttons);
  /** @type {{d: Dimension, range: [number, number]}|null} */
  let now = null;
  const valueOf = (/** @type {number} */ k) => (now ? now.range[0] + ((now.range[1] - now.range[0]) * k) / (FRAMES - 1) : 0);
  buttons.forEach((b, k) =>
    b.addEventListener("click", () => {
      if (!now) return;
      const z = (session.state.z ?? session.meanCode()).slice();
      z[now.d.index] = valueOf(k);
      session.setCode(z);
    }),
  );
  const ask = newestOnly(
    (/** @type {Float32Array} */ z) => session.backend.decode(session.id, z, session.decodeOptions()),
    (p) => canvases.forEach((c, k) => showPixels(c, p, k)),
    session.complain,
  );
  const refresh = () => {
    if (!now || !strip.isConnected) return;
    const base = session.state.z ?? session.meanCode(), z = new Float32Array(FRAMES * base.length);
    for (let k = 0; k < FRAMES; k++) {
      z.set(base, k * base.length);
      z[k * base.length + now.d.index] = valueOf(k);
      buttons[k].setAttribute("aria-label", `z${now.d.index} = ${shortNumber(valueOf(k), 2)}`);
    }
    ask(z);
  };
  return {
    refresh,
    /** @param {HTMLElement} row @param {Dimension} d @param {[number, number]} range */
    show(row, d, range) {
      if (now?.d === d && strip.parentElement === row) return;
      now = { d, range };
      row.append(strip);
      refresh();
    },
  };
}

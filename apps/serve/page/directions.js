// Arithmetic: an expression, or the mean of one selection minus that of another, kept as a direction for anyone.
// @ts-check
import { h } from "./dom.js";
import { distanceOf, thousands } from "./maths.js";
import { shellWord } from "./session.js";

/** @typedef {{name: string, words: string, mean: Float32Array}} Side */

/** @param {import("./session.js").Session} session @param {HTMLElement} panel */
export function showDirections(session, panel) {
  const { store, backend } = session;
  const field = h("input", { type: "text", class: "grow", placeholder: "mean(class:9) - mean(class:4) + test:17", "aria-label": "Expression of codes", spellcheck: false });
  const said = h("p", { class: "small error", role: "alert" });
  const form = h("form", { class: "row" }, field, h("button", { type: "submit", class: "strong" }, "Compute"));
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    said.textContent = "";
    try {
      const { z, command } = await backend.expression(session.id, field.value);
      session.setCode(z, { at: /^\w+:\d+$/.test(field.value) ? field.value : "", command });
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  const list = h("div", { class: "panel-list" });
  panel.append(h("h3", {}, "Arithmetic"), form, said, h("h3", {}, "A direction between two selections"), sidesOf(session, () => fill()), h("h3", {}, "Directions"), list);
  const fill = async () => {
    if (!session.run) return;
    const vectors = await backend.vectors(session.id).catch(() => []);
    list.replaceChildren(...(vectors.length ? vectors.map((v) => sliderOf(session, v, fill)) : [h("p", { class: "empty small" }, "None is saved yet.")]));
  };
  store.on(["run"], () => void fill());
  void fill();
}

/** Mean of one lasso minus that of another. @param {import("./session.js").Session} session @param {() => void} changed */
function sidesOf(session, changed) {
  const { store, backend } = session;
  /** @type {Record<"plus"|"minus", Side|null>} */
  const sides = { plus: null, minus: null };
  const name = h("input", { type: "text", placeholder: "name", size: 12, "aria-label": "Name of the direction", pattern: "[A-Za-z_][A-Za-z0-9_]*", value: "direction" });
  const save = h("button", { type: "button", class: "strong", disabled: true }, "Save");
  const hint = h("p", { class: "small soft" });
  /** @param {"plus"|"minus"} which @param {string} sign */
  const button = (which, sign) => {
    const text = h("span", {}, "the selection");
    const take = async () => {
      const points = store.state.selection;
      if (!points.length) return void (hint.textContent = "Select images first: Lasso, or hold Shift and drag around them.");
      const s = await backend.select(session.id, points), few = points.length <= 200;
      const most = s.classes.map((n, k) => ({ n, k })).filter((c) => c.n).sort((a, b) => b.n - a.n);
      const words = few ? `mean(${points.map((p) => session.nameOf(p)).join(", ")})` : "";
      sides[which] = { name: `${thousands(s.count)} images${most.length ? `, mostly ${session.run.classes[most[0].k]}` : ""}`, words, mean: s.mean };
      text.textContent = sides[which]?.name ?? "";
      const { plus, minus } = sides;
      save.disabled = !(plus && minus);
      hint.textContent = plus && minus ? `${distanceOf(plus.mean, minus.mean).toFixed(2)} long` : "Now select the others.";
    };
    return h("button", { type: "button", onclick: () => take().catch(session.complain) }, `${sign} `, text);
  };
  save.addEventListener("click", async () => {
    const { plus, minus } = sides;
    if (!plus || !minus || !name.reportValidity()) return;
    try {
      const expression = plus.words && minus.words ? `${plus.words} - ${minus.words}` : "";
      await backend.keepVector(session.id, name.value, plus.mean.map((v, d) => v - minus.mean[d]), expression);
      const words = expression ? `elbo vector save ${name.value} '${expression}' ${session.folder}` : "";
      store.set({ command: words || `elbo arithmetic ${session.folder} ${shellWord(`${session.codeName ?? "test:17"} + ${name.value}`)}` });
      changed();
    } catch (e) {
      hint.textContent = e instanceof Error ? e.message : String(e);
    }
  });
  if (backend.readOnly) save.title = "The server was started with --read-only";
  return h("div", { class: "panel-list" }, h("div", { class: "row" }, button("plus", "+"), button("minus", "−")), h("div", { class: "row" }, name, save, hint));
}

/** A direction is a slider on whatever code the handle stood for. @param {import("./session.js").Session} session @param {import("./backend.js").Vector} v @param {() => void} changed */
function sliderOf(session, { name, z: direction }, changed) {
  const { store, backend } = session, out = h("output", {}, "0.00");
  /** @type {{z: Float32Array, at: string}|null} */
  let base = null, own = false;
  const input = h("input", { type: "range", min: "-3", max: "3", step: "0.01", value: "0", "aria-label": `Amount of ${name}` });
  input.addEventListener("input", () => {
    base ??= { z: store.state.z ?? session.meanCode(), at: store.state.at };
    const t = Number(input.value), { z, at } = base;
    out.textContent = t.toFixed(2);
    own = true;
    session.setCode(z.map((b, d) => b + t * direction[d]), { command: at ? `elbo arithmetic ${session.folder} '${at} + ${t} * ${name}'` : "" });
    own = false;
  });
  store.on(["z"], () => {
    if (own) return;
    base = null;
    input.value = "0";
    out.textContent = "0.00";
  });
  const remove = h("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}`, onclick: () => backend.keepVector(session.id, name, null).then(changed, session.complain) }, "×");
  return h("div", { class: "slider direction" }, h("span", { class: "name" }, name), input, out, backend.readOnly ? null : remove);
}

// Training: curves over the epochs, one to be chosen; above the kept epochs a scrubber, at the end of it the weights of now.
// @ts-check
import { byId, cssValue, h } from "./dom.js";
import { shortNumber } from "./maths.js";

/** @typedef {import("./backend.js").Curve} Curve */

/** @param {import("./session.js").Session} session */
export function showTimeline(session) {
  const { store, backend } = session, e = byId("timeline");
  if (backend.isLocal) return { refresh: () => {} };
  /** @type {Curve[]} */
  let curves = [];
  const canvas = h("canvas", { role: "img", "aria-label": "Curves: none yet" });
  const choice = h("select", { "aria-label": "Curve", onchange: () => draw() });
  const scrub = h("input", { type: "range", "aria-label": "Epoch", step: "1" });
  const epochText = h("output", { class: "small" });
  const now = h("button", { type: "button", onclick: () => store.set({ epoch: null }) }, "Now");
  const scrubber = h("div", { class: "scrubber" }, scrub, h("div", { class: "row" }, epochText, now));
  e.append(canvas, h("div", { class: "timeline-side" }, choice, scrubber));
  scrub.addEventListener("input", () => {
    const epochs = session.run.history, k = Number(scrub.value);
    store.set({ epoch: k < epochs.length ? epochs[k] : null });
  });

  const draw = () => {
    const curve = curves.find((c) => c.name === choice.value) ?? curves[0];
    if (!curve) return;
    const last = (/** @type {(number|null)[]} */ v) => shortNumber(v[v.length - 1] ?? NaN, 4);
    canvas.setAttribute("aria-label", `${curve.name} over ${curve.epochs.length} epochs: train ${last(curve.train)}, test ${last(curve.test)}`);
    drawCurve(canvas, curve, session.state.epoch ?? session.run.epoch);
  };
  const refresh = async () => {
    if (!session.run) return;
    curves = await backend.log(session.id).catch(() => []);
    const { history, epoch, epochs, training } = session.run, before = choice.value;
    e.hidden = !curves.length || curves[0].epochs.length < 2;
    choice.replaceChildren(...curves.map((c) => h("option", { value: c.name, selected: c.name === before }, `${c.name}, ${c.unit}`)));
    scrub.max = String(history.length);
    scrubber.hidden = !history.length && !training;
    scrub.hidden = now.hidden = !history.length;
    scrub.value = String(session.state.epoch === null ? history.length : history.indexOf(session.state.epoch));
    const at = session.state.epoch;
    epochText.textContent = at === null ? `${training ? "training, " : ""}epoch ${epoch}${epochs > epoch ? ` of ${epochs}` : ""}` : `epoch ${at}`;
    draw();
  };
  store.on(["run", "epoch"], () => void refresh());
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  void refresh();
  return { refresh };
}

/** Train dashed, test solid, as in the figures. @param {HTMLCanvasElement} canvas @param {Curve} curve @param {number} at an epoch */
function drawCurve(canvas, curve, at) {
  const ratio = devicePixelRatio || 1, w = canvas.clientWidth, height = canvas.clientHeight;
  if (!w) return;
  [canvas.width, canvas.height] = [w * ratio, height * ratio];
  const c = canvas.getContext("2d");
  if (!c) return;
  c.scale(ratio, ratio);
  const all = [...curve.train, ...curve.test].filter((v) => v !== null && Number.isFinite(v)).map(Number);
  const last = curve.epochs[curve.epochs.length - 1], first = curve.epochs[0];
  const low = Math.min(...all), high = Math.max(...all), left = 52, right = 74, top = 8, bottom = 18;
  const x = (/** @type {number} */ epoch) => left + ((w - left - right) * (epoch - first)) / (last - first || 1);
  const y = (/** @type {number} */ v) => top + ((height - top - bottom) * (high - v)) / (high - low || 1);
  const [ink, soft, line, accent] = ["--ink", "--soft", "--line", "--accent"].map(cssValue);
  c.font = "11px system-ui, sans-serif";
  c.textBaseline = "middle";
  c.fillStyle = soft;
  c.strokeStyle = line;
  c.textAlign = "right";
  for (const v of [low, high]) {
    c.fillText(shortNumber(v, 4), left - 8, y(v));
    c.beginPath();
    c.moveTo(left, y(v));
    c.lineTo(w - right, y(v));
    c.stroke();
  }
  c.textAlign = "center";
  c.textBaseline = "alphabetic";
  c.fillText(String(first), x(first), height - 3);
  c.fillText(`epoch ${last}`, x(last), height - 3);
  for (const [values, name, dash] of /** @type {[(number|null)[], string, number[]][]} */ ([[curve.train, "train", [4, 3]], [curve.test, "test", []]])) {
    c.setLineDash(dash);
    c.strokeStyle = name === "test" ? accent : ink;
    c.lineWidth = 1.75;
    c.beginPath();
    values.forEach((v, k) => v !== null && Number.isFinite(v) && c.lineTo(x(curve.epochs[k]), y(v)));
    c.stroke();
  }
  c.setLineDash([]);
  const ends = /** @type {[string, number|null, string][]} */ ([["train", curve.train[curve.train.length - 1], ink], ["test", curve.test[curve.test.length - 1], accent]]);
  const shown = ends.filter((v) => v[1] !== null).map(([name, v, colour]) => ({ name, v: Number(v), colour, y: y(Number(v)) })).sort((a, b) => a.y - b.y);
  const lowest = height - bottom;
  if (shown.length === 2 && shown[1].y - shown[0].y < 13) shown[0].y = (shown[1].y = Math.min(shown[0].y + 13, lowest)) - 13;
  c.textAlign = "left";
  c.textBaseline = "middle";
  for (const s of shown) {
    c.fillStyle = s.colour;
    c.fillText(`${s.name} ${shortNumber(s.v, 4)}`, w - right + 8, s.y);
  }
  if (at < first || at > last) return;
  c.strokeStyle = ink;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(x(at), top - 4);
  c.lineTo(x(at), height - bottom + 2);
  c.stroke();
}

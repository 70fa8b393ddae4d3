// The state in the address's fragment: a link brings back what was seen. It never writes anything.
// @ts-check
import { pointNamed } from "./backend.js";
import { shortNumber } from "./maths.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./store.js").State} State */

const MOST = 3000; // letters of a selection

/** Numbers in order as differences in base 36. @param {number[]} points */
const packPoints = (points) => points.map((p, i) => (p - (i ? points[i - 1] : 0)).toString(36)).join(".");

/** @param {string} text */
function unpackPoints(text) {
  let at = 0;
  return text.split(".").map((t) => (at += parseInt(t, 36))).filter((p) => Number.isSafeInteger(p) && p >= 0);
}

/** @param {Session} session @param {import("./map.js").MapView} map */
export function fragmentOf(session, map) {
  const s = session.state, w = new URLSearchParams();
  w.set("run", s.run);
  w.set("map", s.method);
  if (s.method === "dims") w.set("xy", `${s.x},${s.y}`);
  if (s.colour !== "class") w.set("colour", s.colour);
  if (s.hidden.length) w.set("hide", s.hidden.join(","));
  if (s.thumbs) w.set("images", "1");
  if (s.tab !== "dimensions") w.set("tab", s.tab);
  if (s.from >= 0) w.set("a", session.nameOf(s.from));
  if (s.to >= 0) w.set("b", session.nameOf(s.to));
  if (s.epoch !== null) w.set("epoch", String(s.epoch));
  if (s.classNumber !== null) w.set("class", String(s.classNumber));
  if (s.point >= 0) w.set("at", session.nameOf(s.point));
  else if (s.z) w.set("z", [...s.z].map((v) => shortNumber(v, 7)).join(","));
  if (s.selection.length && packPoints(s.selection).length < MOST) w.set("selected", packPoints(s.selection));
  const { cx, cy, scale } = map.view, zoom = scale / map.fitted;
  if (Math.abs(zoom - 1) > 0.01) w.set("view", [cx, cy, zoom].map((v) => shortNumber(v, 5)).join(","));
  return w.toString().replace(/%2C/g, ",").replace(/%3A/g, ":");
}

/** @returns {URLSearchParams} */
export const wantedWords = () => new URLSearchParams(location.hash.slice(1));

/** What a link says of the state, as far as it makes sense. @param {URLSearchParams} w @param {Session} session @returns {Partial<State>} */
export function stateOfWords(w, session) {
  const { run, backend } = session, number = (/** @type {string} */ v) => Number.parseInt(v, 10);
  /** @type {Partial<State>} */
  const s = {};
  const map = w.get("map"), xy = (w.get("xy") ?? "").split(",").map(number);
  if (map && run.maps.includes(/** @type {any} */ (map))) s.method = /** @type {any} */ (map);
  if (xy.length === 2 && xy.every((v) => v >= 0 && v < run.latent)) [s.x, s.y] = xy;
  const colour = w.get("colour") ?? "";
  if (backend.colourings(run.id).includes(colour)) s.colour = colour;
  if (w.get("hide")) s.hidden = (w.get("hide") ?? "").split(",").map(number).filter((k) => k >= 0 && k < run.classes.length);
  if (w.get("images")) s.thumbs = true;
  if (w.get("tab")) s.tab = w.get("tab") ?? "";
  if (w.get("a")) s.from = pointNamed(run, w.get("a") ?? "");
  if (w.get("b")) s.to = pointNamed(run, w.get("b") ?? "");
  if (w.get("epoch") && run.history.includes(number(w.get("epoch") ?? ""))) s.epoch = number(w.get("epoch") ?? "");
  if (w.get("selected")) s.selection = unpackPoints(w.get("selected") ?? "").filter((p) => p < session.points);
  return s;
}

/** The code that a link names. @param {URLSearchParams} w @param {Session} session */
export async function goToCode(w, session) {
  const z = (w.get("z") ?? "").split(",").map(Number), point = pointNamed(session.run, w.get("at") ?? "");
  if (z.length === session.run.latent && z.every(Number.isFinite) && w.get("z")) session.setCode(Float32Array.from(z));
  else await session.pick(point >= 0 ? point : Math.min(session.run.train, session.points - 1));
}

/** @param {URLSearchParams} w @param {import("./map.js").MapView} map */
export function goToView(w, map) {
  const v = (w.get("view") ?? "").split(",").map(Number);
  if (v.length !== 3 || !v.every(Number.isFinite)) return;
  [map.view.cx, map.view.cy, map.view.scale] = [v[0], v[1], v[2] * map.fitted];
  map.drawLater();
}

/** Keeps the fragment in step, a moment behind. @param {Session} session @param {import("./map.js").MapView} map */
export function keepFragment(session, map) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => history.replaceState(null, "", `#${fragmentOf(session, map)}`), 300);
  };
  const keys = /** @type {(keyof State)[]} */ (["run", "method", "x", "y", "colour", "hidden", "thumbs", "tab", "from", "to", "epoch", "classNumber", "z", "selection"]);
  session.store.on(keys, later);
  map.above.addEventListener("wheel", later, { passive: true });
  map.above.addEventListener("pointerup", later);
  later();
}

// Pointers and keys on the map.
// @ts-check
import { announce } from "./dom.js";

/** @typedef {import("./map.js").MapView} MapView */

/**
 * @typedef {object} Hold what a pointer does until it is lifted
 * @property {"handle"|"pan"|"lasso"} kind
 * @property {number} x where it began
 * @property {number} y
 * @property {boolean} moved
 */

/** @param {MapView} map */
export function listenToPointers(map) {
  const { above: e, session } = map, { store } = session;
  /** @type {Map<number, {x: number, y: number}>} */
  const fingers = new Map();
  /** @type {Hold|null} */
  let hold = null;
  const at = (/** @type {MouseEvent} */ p) => {
    const box = e.getBoundingClientRect();
    return { x: p.clientX - box.left, y: p.clientY - box.top };
  };

  e.addEventListener("pointerdown", (p) => {
    if (!session.map || p.button > 0) return;
    e.setPointerCapture(p.pointerId);
    e.focus(/** @type {FocusOptions} */ ({ preventScroll: true, focusVisible: false }));
    const { x, y } = at(p);
    fingers.set(p.pointerId, { x, y });
    if (fingers.size > 1) return void (hold = null);
    const kind = map.isHandle(x, y) ? "handle" : store.state.lasso || p.shiftKey ? "lasso" : "pan";
    hold = { kind, x, y, moved: false };
    if (kind === "lasso") map.lasso = [map.view.toMap(x, y)];
    if (kind === "handle") session.beginDrag(map.view.toMap(x, y));
  });

  e.addEventListener("pointermove", (p) => {
    const { x, y } = at(p), before = fingers.get(p.pointerId);
    if (!session.map) return;
    if (!before) return hover(map, x, y);
    fingers.set(p.pointerId, { x, y });
    if (fingers.size === 2) return pinch(map, fingers, p.pointerId, before);
    if (!hold) return;
    hold.moved ||= Math.hypot(x - hold.x, y - hold.y) > 4;
    if (hold.kind === "handle") session.dragTo(map.view.toMap(x, y));
    else if (hold.kind === "lasso") {
      map.lasso?.push(map.view.toMap(x, y));
      map.drawOver();
    } else if (hold.moved) {
      map.view.cx -= (x - before.x) / map.view.scale;
      map.view.cy += (y - before.y) / map.view.scale;
      map.touch();
    }
  });

  const lift = (/** @type {PointerEvent} */ p) => {
    const { x, y } = at(p), was = hold;
    fingers.delete(p.pointerId);
    hold = null;
    if (!was) return;
    if (was.kind === "handle") return session.endDrag();
    if (was.kind === "lasso") return endLasso(map);
    if (was.moved || p.type === "pointercancel") return;
    const point = map.pointAt(x, y);
    if (point < 0) session.decodeAt(map.view.toMap(x, y));
    else if (p.altKey || p.ctrlKey || p.metaKey) store.set({ to: point });
    else session.pick(point).catch(session.complain);
  };
  e.addEventListener("pointerup", lift);
  e.addEventListener("pointercancel", lift);
  e.addEventListener("pointerleave", () => store.set({ hover: -1 }));
  e.addEventListener(
    "wheel",
    (w) => {
      if (!session.map) return;
      w.preventDefault();
      const { x, y } = at(w);
      map.view.zoom(Math.exp(-w.deltaY * (w.deltaMode ? 0.05 : 0.0016)), x, y, map.fitted);
      map.touch();
    },
    { passive: false },
  );
  e.addEventListener("dblclick", (p) => {
    const { x, y } = at(p);
    map.view.zoom(2, x, y, map.fitted);
    map.touch();
  });
}

/** @param {MapView} map @param {number} x @param {number} y */
function hover(map, x, y) {
  const onHandle = map.isHandle(x, y);
  const point = onHandle ? -1 : map.pointAt(x, y);
  map.above.style.cursor = onHandle ? "grab" : map.session.state.lasso ? "crosshair" : point >= 0 ? "pointer" : "default";
  map.session.store.set({ hover: point });
}

/** @param {MapView} map @param {Map<number, {x: number, y: number}>} fingers @param {number} id @param {{x: number, y: number}} before */
function pinch(map, fingers, id, before) {
  const [a, b] = [...fingers.entries()].map(([k, f]) => ({ k, ...f }));
  const other = a.k === id ? b : a, now = a.k === id ? a : b;
  const by = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
  map.view.zoom(by, (now.x + other.x) / 2, (now.y + other.y) / 2, map.fitted);
  map.view.cx -= (now.x - before.x) / 2 / map.view.scale;
  map.view.cy += (now.y - before.y) / 2 / map.view.scale;
  map.touch();
}

/** @param {MapView} map */
function endLasso(map) {
  const polygon = map.lasso ?? [], { store } = map.session;
  map.lasso = null;
  const selection = polygon.length > 2 ? map.pointsInside(polygon) : [];
  store.set({ selection, ...(selection.length ? { tab: "directions" } : {}) });
  announce(`${selection.length} images selected`);
  map.drawOver();
}

/** Arrows move the handle, with Shift further, with Alt the map. @param {MapView} map */
export function listenToKeys(map) {
  const { above: e, session } = map, { store, backend } = session;
  /** @param {number} dx @param {number} dy @param {KeyboardEvent} k */
  const move = (dx, dy, k) => {
    const step = k.shiftKey ? 40 : 8;
    if (k.altKey) {
      map.view.cx += (dx * 40) / map.view.scale;
      map.view.cy += (dy * 40) / map.view.scale;
      return map.touch();
    }
    const from = store.state.target ?? store.state.place ?? /** @type {[number, number]} */ ([map.view.cx, map.view.cy]);
    session.dragFrom = store.state.z ?? session.meanCode();
    session.dragTo([from[0] + (dx * step) / map.view.scale, from[1] + (dy * step) / map.view.scale]);
  };
  /** @type {Record<string, (k: KeyboardEvent) => void>} */
  const keys = {
    ArrowLeft: (k) => move(-1, 0, k),
    ArrowRight: (k) => move(1, 0, k),
    ArrowUp: (k) => move(0, 1, k),
    ArrowDown: (k) => move(0, -1, k),
    "+": () => zoomMiddle(map, 1.3),
    "=": () => zoomMiddle(map, 1.3),
    "-": () => zoomMiddle(map, 1 / 1.3),
    0: () => map.home(),
    Enter: () => void pickNearest(map).catch(session.complain),
    n: () => void session.pick(Math.floor(Math.random() * session.points)).catch(session.complain),
    a: () => store.set({ from: store.state.point }),
    b: () => store.set({ to: store.state.point, tab: "path" }),
    t: () => store.set({ thumbs: !store.state.thumbs }),
    l: () => store.set({ lasso: !store.state.lasso }),
    Escape: () => store.set({ selection: [], lasso: false }),
  };
  e.addEventListener("keydown", (k) => {
    const act = keys[k.key];
    if (!act || k.ctrlKey || k.metaKey || !session.map || !backend) return;
    k.preventDefault();
    act(k);
  });
  e.addEventListener("focus", () => map.drawOver());
  e.addEventListener("blur", () => map.drawOver());
}

/** @param {MapView} map @param {number} by */
export function zoomMiddle(map, by) {
  map.view.zoom(by, map.view.width / 2, map.view.height / 2, map.fitted);
  map.touch();
}

/** The image nearest to the handle. @param {MapView} map */
async function pickNearest(map) {
  const { target, place } = map.session.state, at = target ?? place;
  const [x, y] = at ? map.view.toScreen(...at) : [map.view.width / 2, map.view.height / 2];
  const point = map.pointAt(x, y, 2000);
  if (point >= 0) await map.session.pick(point);
}

// Images as points: one to each square of the screen, the nearest to its middle, loaded when first seen.
// @ts-check
import { imageDataOf } from "./pixels.js";
import { cssColour, classColour } from "./palette.js";
import { isDark } from "./dom.js";

/** @typedef {import("./map.js").MapView} MapView */
/** @typedef {import("./session.js").Session} Session */

const CHUNK = 1024, KEPT = 6000, SIZE = 30;

export class ThumbLayer {
  /** @param {Session} session @param {() => void} arrived */
  constructor(session, arrived) {
    this.session = session;
    this.arrived = arrived;
    this.run = "";
    /** Points by number, so that no filter can shift them. @type {Map<number, ImageBitmap|HTMLCanvasElement>} */
    this.images = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
  }

  /** @param {number} point */
  #want(point) {
    const from = point - (point % CHUNK);
    if (this.asked.has(from) || this.asked.size > 3) return;
    this.asked.add(from);
    const { backend, id, points } = this.session;
    backend
      .thumbs(id, from, Math.min(CHUNK, points - from))
      .then((p) => {
        if (id !== this.session.id) return;
        for (let k = 0; k < p.n; k++) this.images.set(from + k, canvasOf(imageDataOf(p, k)));
        while (this.images.size > KEPT + CHUNK) this.images.delete(/** @type {number} */ (this.images.keys().next().value));
        this.arrived();
      })
      .catch(this.session.complain)
      .finally(() => this.asked.delete(from));
  }

  /** @param {MapView} map */
  draw(map) {
    const { session, view, rank, dots } = map, { xy } = session.map;
    if (this.run !== session.id) {
      this.images.clear();
      this.run = session.id;
    }
    const zoom = view.scale / map.fitted, side = Math.min(SIZE * Math.max(zoom, 1) ** 0.3, 56);
    const chosen = chosenOf(map, side + 2), c = dots.context, dark = isDark(), count = session.run.classes.length;
    c.save();
    c.scale(map.ratio, map.ratio);
    c.imageSmoothingEnabled = side < 40;
    for (const i of chosen) {
      if (rank[i] < 2) continue;
      const [x, y] = view.toScreen(xy[2 * i], xy[2 * i + 1]), image = this.images.get(i);
      const known = session.labels[i] < count;
      c.fillStyle = known ? cssColour(classColour(session.labels[i], count, dark)) : "#888";
      c.fillRect(x - side / 2 - 1.5, y - side / 2 - 1.5, side + 3, side + 3);
      if (image) c.drawImage(image, x - side / 2, y - side / 2, side, side);
      else this.#want(i);
    }
    c.restore();
  }
}

/** @param {MapView} map @param {number} side of a square @returns {number[]} */
function chosenOf(map, side) {
  const { view, rank } = map, { xy } = map.session.map;
  const across = Math.ceil(view.width / side), best = new Map();
  const [x0, y1] = view.toMap(0, 0), [x1, y0] = view.toMap(view.width, view.height);
  map.grid.within([x0, y0, x1, y1], (i) => {
    if (rank[i] < 2) return;
    const [x, y] = view.toScreen(xy[2 * i], xy[2 * i + 1]);
    if (x < 0 || y < 0 || x > view.width || y > view.height) return;
    const column = Math.floor(x / side), row = Math.floor(y / side), cell = row * across + column;
    const d = Math.hypot(x - (column + 0.5) * side, y - (row + 0.5) * side) - (rank[i] === 3 ? side : 0);
    const had = best.get(cell);
    if (!had || d < had.d) best.set(cell, { i, d });
  });
  return [...best.values()].map((b) => b.i);
}

/** @param {ImageData} data */
function canvasOf(data) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [data.width, data.height];
  canvas.getContext("2d")?.putImageData(data, 0, 0);
  return canvas;
}

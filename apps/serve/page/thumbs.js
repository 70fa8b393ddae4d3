// Images as points: one to each square of the screen, the nearest to its middle, loaded when first seen.
// @ts-check
import { imageDataOf } from "./pixels.js";
import { cssColour, classColour } from "./palette.js";
import { isDark } from "./dom.js";

/** @typedef {import("./map.js").MapView} MapView */
/** @typedef {import("./session.js").Session} Session */

const BATCH = 128, KEPT = 6000, SIZE = 30;

export class ThumbLayer {
  /** @param {Session} session @param {() => void} arrived */
  constructor(session, arrived) {
    this.session = session;
    this.arrived = arrived;
    this.run = "";
    /** By the number of the point, so that no filter can shift them. @type {Map<number, HTMLCanvasElement>} */
    this.images = new Map();
    this.busy = false;
  }

  /** The images of some points; those that are seen first. @param {number[]} points */
  #want(points) {
    if (this.busy || !points.length) return;
    this.busy = true;
    const { backend, id } = this.session, some = points.slice(0, BATCH);
    backend
      .images(id, some)
      .then((p) => {
        if (id !== this.session.id) return;
        some.forEach((point, k) => this.images.set(point, canvasOf(imageDataOf(p, k))));
        for (const old of this.images.keys()) {
          if (this.images.size <= KEPT) break;
          this.images.delete(old);
        }
      }, this.session.complain)
      .finally(() => {
        this.busy = false;
        this.arrived();
      });
  }

  /** @param {MapView} map */
  draw(map) {
    const { session, view, rank, dots } = map, { xy } = session.map;
    if (this.run !== session.id) {
      this.images.clear();
      this.run = session.id;
    }
    const zoom = view.scale / map.fitted, side = Math.min(SIZE * Math.max(zoom, 1) ** 0.3, 56);
    const c = dots.context, dark = isDark(), count = session.run.classes.length, missing = [];
    c.save();
    c.scale(map.ratio, map.ratio);
    c.imageSmoothingEnabled = side < 40;
    for (const i of chosenOf(map, side + 2)) {
      const [x, y] = view.toScreen(xy[2 * i], xy[2 * i + 1]), image = this.images.get(i);
      if (rank[i] < 2) continue;
      if (!image) {
        missing.push(i);
        continue;
      }
      c.fillStyle = session.labels[i] < count ? cssColour(classColour(session.labels[i], count, dark)) : "#888";
      c.fillRect(x - side / 2 - 1.5, y - side / 2 - 1.5, side + 3, side + 3);
      c.drawImage(image, x - side / 2, y - side / 2, side, side);
    }
    c.restore();
    this.#want(missing);
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

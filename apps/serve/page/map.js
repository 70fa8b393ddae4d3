// The latent map: points or thumbnails, above them what overlay.js draws, and when each is drawn again.
// @ts-check
import { SHAPE_COUNT, Dots } from "./dots.js";
import { isDark } from "./dom.js";
import { drawOverlay } from "./overlay.js";
import { classColour, rampColour, wordColour } from "./palette.js";
import { Grid, View, isInside } from "./plane.js";
import { ThumbLayer } from "./thumbs.js";

/** @typedef {import("./session.js").Session} Session */

/** Clear a click from a drag, and a fingertip from a mouse. */
export const REACH = 14;

export class MapView {
  /** @param {Session} session @param {HTMLElement} frame @param {HTMLCanvasElement} base @param {HTMLCanvasElement} above */
  constructor(session, frame, base, above) {
    this.session = session;
    this.frame = frame;
    this.base = base;
    this.above = above;
    this.view = new View();
    this.dots = new Dots(base);
    this.thumbs = new ThumbLayer(session, () => this.drawLater());
    this.grid = new Grid(new Float32Array(2));
    this.fitted = 1;
    this.shownKey = "";
    this.colour = new Uint32Array(0);
    this.shape = new Uint8Array(0);
    this.rank = new Uint8Array(0);
    /** @type {{text: string, x: number, y: number}[]} */
    this.names = [];
    /** @type {number[][]|null} */
    this.lasso = null;
    this.moving = false;
    this.pending = 0;
    this.stale = true; // the points are to be drawn again
    this.settle = 0;
    const { store } = session;
    store.on(["loaded"], () => this.reload());
    store.on(["hidden", "selection"], () => this.rerank());
    store.on(["thumbs"], () => this.drawLater());
    store.on(["target", "place", "hover", "from", "to", "located", "cloud", "ellipse", "path", "moving"], () => this.drawOver());
    new ResizeObserver(() => this.resize()).observe(frame);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.reload());
    this.resize();
  }

  get ratio() {
    return Math.min(devicePixelRatio || 1, 2);
  }

  resize() {
    const { clientWidth: w, clientHeight: hgt } = this.frame, first = this.view.width <= 1;
    const keep = this.view.scale / this.fitted;
    [this.view.width, this.view.height] = [Math.max(w, 1), Math.max(hgt, 1)];
    this.dots.resize(Math.round(w * this.ratio), Math.round(hgt * this.ratio));
    [this.above.width, this.above.height] = [this.base.width, this.base.height];
    if (this.session.map) {
      const { cx, cy } = this.view;
      this.view.fit(this.session.map.xy);
      this.fitted = this.view.scale;
      if (!first) [this.view.cx, this.view.cy, this.view.scale] = [cx, cy, this.fitted * keep];
    }
    this.stale = true;
    this.draw();
  }

  /** Other points, or other colours. */
  reload() {
    const { session } = this, { map, state } = session;
    if (!map) return;
    const key = [state.run, state.method, state.x, state.y].join();
    this.grid = new Grid(map.xy);
    if (key !== this.shownKey || map.done < 1) {
      this.view.fit(map.xy);
      this.fitted = this.view.scale;
    }
    this.shownKey = key;
    this.frame.querySelector(".loading")?.remove();
    this.recolour();
    this.rerank();
  }

  home() {
    this.view.fit(this.session.map.xy);
    this.fitted = this.view.scale;
    this.drawLater();
  }

  recolour() {
    const { labels, values, run, map } = this.session, n = map.xy.length / 2, dark = isDark();
    const count = Math.max(run.classes.length, 1);
    const words = Array.from({ length: count }, (_, i) => wordColour(classColour(i, count, dark)));
    const one = wordColour(classColour(0, 10, dark));
    this.colour = new Uint32Array(n);
    this.shape = new Uint8Array(n);
    const scale = values ? scaleOfValues(values) : null;
    const ramp = Array.from({ length: 256 }, (_, k) => wordColour(rampColour(k / 255, dark)));
    for (let i = 0; i < n; i++) {
      const k = labels[i];
      this.shape[i] = k < count ? k % SHAPE_COUNT : 0;
      if (scale && values) this.colour[i] = ramp[Math.round(255 * scale(values[i]))];
      else this.colour[i] = words[k] ?? one;
    }
    this.names = namesOf(map.xy, labels, run.classes);
  }

  rerank() {
    const { labels, map, state } = this.session;
    if (!map) return;
    const hidden = new Set(state.hidden);
    this.rank = new Uint8Array(map.xy.length / 2).fill(2);
    const some = state.selection.length > 0;
    for (let i = 0; i < this.rank.length; i++) if (some || hidden.has(labels[i])) this.rank[i] = 1;
    for (const p of state.selection) if (!hidden.has(labels[p])) this.rank[p] = 3;
    this.drawLater();
  }

  // ---- drawing ----

  drawLater() {
    this.stale = true;
    this.drawOver();
  }

  /** What lies above the points alone. */
  drawOver() {
    this.pending ||= requestAnimationFrame(() => this.draw());
  }

  /** While the map moves dots are opaque; soon after they are blended. */
  touch() {
    this.moving = true;
    clearTimeout(this.settle);
    this.settle = window.setTimeout(() => {
      this.moving = false;
      this.drawLater();
    }, 140);
    this.drawLater();
  }

  draw() {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    const { map, state } = this.session;
    const paper = wordColour(isDark() ? [0x14, 0x17, 0x1b] : [0xfb, 0xfb, 0xfa]);
    if (!map) return this.dots.clear(paper);
    if (this.stale) {
      this.stale = false;
      const dark = isDark(), n = this.rank.length, zoom = this.view.scale / this.fitted;
      const radius = Math.min(Math.max((n > 40000 ? 1.7 : n > 15000 ? 2.2 : n > 5000 ? 2.7 : 3.3) * zoom ** 0.35, 1.4), 7);
      const faint = wordColour(dark ? [0x42, 0x49, 0x51] : [0xc6, 0xcb, 0xd0]);
      const set = { xy: map.xy, colour: this.colour, shape: this.shape, rank: this.rank };
      this.dots.draw(set, this.view, this.ratio, { radius, blend: this.moving ? 0 : n > 15000 ? 150 : 190, paper, faint });
      if (state.thumbs) this.thumbs.draw(this);
    }
    const c = this.above.getContext("2d");
    if (!c) return;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.above.width, this.above.height);
    c.scale(this.ratio, this.ratio);
    const names = state.hidden.length || state.thumbs || state.colour !== "class" ? [] : this.names;
    drawOverlay(c, state, this.view, { xy: map.xy, names, lasso: this.lasso, focus: this.above.matches(":focus-visible") });
  }

  // ---- asking ----

  /** @param {number} px @param {number} py @param {number} [reach] in pixels */
  pointAt(px, py, reach = REACH) {
    const [x, y] = this.view.toMap(px, py);
    return this.grid.nearest(x, y, reach / this.view.scale, (i) => this.rank[i] > 1);
  }

  /** @param {number} px @param {number} py */
  isHandle(px, py) {
    const { target, place } = this.session.state, held = target ?? place;
    if (!held) return false;
    const [x, y] = this.view.toScreen(...held);
    return Math.hypot(px - x, py - y) < REACH + 6;
  }

  /** Points within a polygon of map coordinates. @param {number[][]} polygon */
  pointsInside(polygon) {
    const xs = polygon.map((p) => p[0]), ys = polygon.map((p) => p[1]), { xy } = this.session.map;
    const found = /** @type {number[]} */ ([]), hidden = new Set(this.session.state.hidden);
    this.grid.within([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)], (i) => {
      if (!hidden.has(this.session.labels[i]) && isInside(polygon, xy[2 * i], xy[2 * i + 1])) found.push(i);
    });
    return found.sort((a, b) => a - b);
  }
}

/** From the 2nd to the 98th percentile as 0 to 1. @param {Float32Array} values */
export function scaleOfValues(values) {
  const sorted = Float32Array.from(values.filter(Number.isFinite)).sort();
  const low = sorted[Math.floor(sorted.length * 0.02)] ?? 0, high = sorted[Math.floor(sorted.length * 0.98)] ?? 1;
  const scale = (/** @type {number} */ v) => Math.min(Math.max((v - low) / (high - low || 1), 0), 1);
  return Object.assign((/** @type {number} */ v) => (Number.isFinite(v) ? scale(v) : 0), { low, high });
}

/** The name of each class at the densest of some of its points. @param {Float32Array} xy @param {Uint8Array} labels @param {string[]} classes */
function namesOf(xy, labels, classes) {
  if (classes.length < 2 || classes.length > 40 || !labels.length) return [];
  return classes.flatMap((text, k) => {
    const some = [];
    for (let i = 0; i < labels.length && some.length < 300; i++) if (labels[i] === k) some.push(i);
    if (!some.length) return [];
    let best = some[0], least = Infinity;
    for (const i of some) {
      const d = some.map((j) => (xy[2 * i] - xy[2 * j]) ** 2 + (xy[2 * i + 1] - xy[2 * j + 1]) ** 2).sort((a, b) => a - b);
      const near = d[Math.floor(d.length * 0.3)];
      if (near < least) [best, least] = [i, near];
    }
    return [{ text, x: xy[2 * best], y: xy[2 * best + 1] }];
  });
}

// The map's coordinates: where they are on the screen, and which point lies near one.
// @ts-check

/** Screen is (map - centre) * scale + middle, y upwards. */
export class View {
  constructor() {
    this.cx = 0;
    this.cy = 0;
    this.scale = 1;
    this.width = 1;
    this.height = 1;
  }

  /** Everything but the outermost half percent, with a margin. @param {Float32Array} xy */
  fit(xy) {
    const range = (/** @type {0|1} */ axis) => {
      const v = [], step = Math.max(2 * Math.floor(xy.length / 8000), 2);
      for (let i = axis; i < xy.length; i += step) if (Number.isFinite(xy[i])) v.push(xy[i]);
      v.sort((a, b) => a - b);
      const cut = Math.floor(v.length * 0.002);
      return v.length ? [v[cut], v[v.length - 1 - cut]] : [-1, 1];
    };
    const [x0, x1] = range(0), [y0, y1] = range(1);
    this.cx = (x0 + x1) / 2;
    this.cy = (y0 + y1) / 2;
    this.scale = 0.87 * Math.min(this.width / (x1 - x0 || 1), this.height / (y1 - y0 || 1));
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toScreen(x, y) {
    return [(x - this.cx) * this.scale + this.width / 2, (this.cy - y) * this.scale + this.height / 2];
  }

  /** @param {number} px @param {number} py @returns {[number, number]} */
  toMap(px, py) {
    return [(px - this.width / 2) / this.scale + this.cx, this.cy - (py - this.height / 2) / this.scale];
  }

  /** Zooms by a factor; what is at (px, py) stays there. @param {number} by @param {number} px @param {number} py @param {number} fitted */
  zoom(by, px, py, fitted) {
    const [x, y] = this.toMap(px, py);
    this.scale = Math.min(Math.max(this.scale * by, fitted * 0.3), fitted * 400);
    const [nx, ny] = this.toMap(px, py);
    this.cx += x - nx;
    this.cy += y - ny;
  }
}

/** Points in square cells. */
export class Grid {
  /** @param {Float32Array} xy (n, 2) */
  constructor(xy) {
    const n = xy.length / 2;
    this.xy = xy;
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < n; i++) {
      [x0, x1] = [Math.min(x0, xy[2 * i]), Math.max(x1, xy[2 * i])];
      [y0, y1] = [Math.min(y0, xy[2 * i + 1]), Math.max(y1, xy[2 * i + 1])];
    }
    this.side = Math.max(Math.ceil(Math.sqrt(n / 3)), 1);
    this.x0 = x0;
    this.y0 = y0;
    this.cell = Math.max(x1 - x0, y1 - y0) / this.side || 1;
    this.start = new Uint32Array(this.side * this.side + 1);
    this.order = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.start[this.#cellOf(xy[2 * i], xy[2 * i + 1]) + 1]++;
    for (let c = 0; c < this.side * this.side; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice();
    for (let i = 0; i < n; i++) this.order[next[this.#cellOf(xy[2 * i], xy[2 * i + 1])]++] = i;
  }

  /** @param {number} v @param {number} zero */
  #index(v, zero) {
    return Math.min(Math.max(Math.floor((v - zero) / this.cell), 0), this.side - 1);
  }

  /** @param {number} x @param {number} y */
  #cellOf(x, y) {
    return this.#index(y, this.y0) * this.side + this.#index(x, this.x0);
  }

  /** Calls f with each point of the cells that a rectangle touches. @param {number[]} box x0, y0, x1, y1 @param {(i: number) => void} f */
  within([x0, y0, x1, y1], f) {
    for (let r = this.#index(y0, this.y0); r <= this.#index(y1, this.y0); r++)
      for (let c = this.#index(x0, this.x0); c <= this.#index(x1, this.x0); c++) {
        const cell = r * this.side + c;
        for (let k = this.start[cell]; k < this.start[cell + 1]; k++) f(this.order[k]);
      }
  }

  /** @param {number} x @param {number} y @param {number} reach @param {(i: number) => boolean} shown @returns {number} -1: none within reach */
  nearest(x, y, reach, shown) {
    let best = -1, least = reach * reach;
    this.within([x - reach, y - reach, x + reach, y + reach], (i) => {
      const d = (this.xy[2 * i] - x) ** 2 + (this.xy[2 * i + 1] - y) ** 2;
      if (d < least && shown(i)) [best, least] = [i, d];
    });
    return best;
  }
}

/** @param {number[][]} polygon @param {number} x @param {number} y */
export function isInside(polygon, x, y) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

// The points of a map, drawn pixel by pixel into a framebuffer: opaque while something moves, blended at rest. Each class
// has a shape besides its colour.
// @ts-check

/** Ten shapes within the unit disc: inside or not. @type {((x: number, y: number) => boolean)[]} */
const SHAPES = [
  (x, y) => x * x + y * y < 0.82,
  (x, y) => Math.abs(x) < 0.78 && Math.abs(y) < 0.78,
  (x, y) => y < 0.75 && y > -1.05 + 1.75 * Math.abs(x),
  (x, y) => Math.abs(x) + Math.abs(y) < 1.12,
  (x, y) => y > -0.75 && y < 1.05 - 1.75 * Math.abs(x),
  (x, y) => (Math.abs(x) < 0.36 || Math.abs(y) < 0.36) && Math.max(Math.abs(x), Math.abs(y)) < 1,
  (x, y) => Math.min(Math.abs(x - y), Math.abs(x + y)) < 0.5 && Math.max(Math.abs(x), Math.abs(y)) < 0.86,
  (x, y) => x * x + y * y < 0.95 && x * x + y * y > 0.27,
  (x, y) => Math.abs(x) < 1 && Math.abs(y) < 0.42,
  (x, y) => Math.abs(x) < 0.42 && Math.abs(y) < 1,
];
export const SHAPE_COUNT = SHAPES.length;

/** An SVG path of a shape's outline, for legends. @type {string[]} */
export const SHAPE_PATHS = [
  "M8 2.5a5.5 5.5 0 1 0 .01 0z",
  "M3 3h10v10H3z",
  "M8 2l6 11H2z",
  "M8 1l7 7-7 7-7-7z",
  "M2 3h12L8 14z",
  "M6 2h4v4h4v4h-4v4H6v-4H2V6h4z",
  "M4.5 2L8 5.5 11.5 2 14 4.5 10.5 8 14 11.5 11.5 14 8 10.5 4.5 14 2 11.5 5.5 8 2 4.5z",
  "M8 1.5a6.5 6.5 0 1 0 .01 0zm0 3.5a3 3 0 1 1-.01 0z",
  "M1.5 5.5h13v5h-13z",
  "M5.5 1.5h5v13h-5z",
];

/** @typedef {{dx: Int16Array, dy: Int16Array, alpha: Uint16Array, offset: Int32Array, reach: number}} Mask */

/** @param {number} shape @param {number} radius in pixels @param {number} width of the framebuffer @returns {Mask} */
function maskOf(shape, radius, width) {
  const inside = SHAPES[shape % SHAPE_COUNT], reach = Math.ceil(radius), rows = [], fine = 4;
  for (let y = -reach; y <= reach; y++)
    for (let x = -reach; x <= reach; x++) {
      let hits = 0;
      for (let u = 0; u < fine; u++)
        for (let v = 0; v < fine; v++)
          if (inside((x + (v + 0.5) / fine - 0.5) / radius, (y + (u + 0.5) / fine - 0.5) / radius)) hits++;
      if (hits) rows.push([x, y, Math.round((256 * hits) / (fine * fine))]);
    }
  return {
    dx: Int16Array.from(rows, (r) => r[0]),
    dy: Int16Array.from(rows, (r) => r[1]),
    alpha: Uint16Array.from(rows, (r) => r[2]),
    offset: Int32Array.from(rows, (r) => r[1] * width + r[0]),
    reach,
  };
}

/**
 * @typedef {object} DotSet
 * @property {Float32Array} xy
 * @property {Uint32Array} colour of each point, RGBA words
 * @property {Uint8Array} shape of each
 * @property {Uint8Array} rank 0: not drawn, 1: faint, 2: drawn, 3: above the others
 */

export class Dots {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    /** @type {Mask[]} */
    this.masks = [];
    this.radius = 0;
  }

  /** @param {number} width @param {number} height of the framebuffer, in pixels */
  resize(width, height) {
    this.canvas.width = Math.max(width, 1);
    this.canvas.height = Math.max(height, 1);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.words = new Uint32Array(this.image.data.buffer);
    this.radius = 0;
  }

  /** @param {number} paper */
  clear(paper) {
    this.words?.fill(paper);
    if (this.image) this.context.putImageData(this.image, 0, 0);
  }

  /** @param {number} radius */
  #prepare(radius) {
    if (radius === this.radius) return;
    this.radius = radius;
    this.masks = SHAPES.map((_, k) => maskOf(k, radius, this.canvas.width));
  }

  /**
   * @param {DotSet} set @param {import("./plane.js").View} view @param {number} ratio device pixels of a CSS pixel
   * @param {{radius: number, blend: number, paper: number, faint: number}} look blend: 0 opaque, else 1 to 256
   */
  draw(set, view, ratio, look) {
    const { words, image } = this;
    if (!words || !image) return;
    this.#prepare(look.radius * ratio);
    words.fill(look.paper);
    const { width, height } = this.canvas, n = set.rank.length;
    const s = view.scale * ratio, ox = (view.width / 2) * ratio - view.cx * s, oy = (view.height / 2) * ratio + view.cy * s;
    for (let rank = 1; rank <= 3; rank++) {
      const blend = rank === 3 ? 0 : look.blend;
      for (let i = 0; i < n; i++) {
        if (set.rank[i] !== rank) continue;
        const px = Math.round(set.xy[2 * i] * s + ox), py = Math.round(oy - set.xy[2 * i + 1] * s);
        if (!(px >= 0 && py >= 0 && px < width && py < height)) continue;
        if (rank === 1) {
          words[py * width + px] = look.faint;
          continue;
        }
        const mask = this.masks[set.shape[i]];
        const m = mask.reach, inner = px >= m && py >= m && px < width - m && py < height - m;
        if (!inner) continue;
        if (blend) blendDot(words, py * width + px, mask, set.colour[i], blend);
        else opaqueDot(words, py * width + px, mask, set.colour[i]);
      }
    }
    this.context.putImageData(image, 0, 0);
  }
}

/** @param {Uint32Array} words @param {number} at @param {Mask} mask @param {number} colour */
function opaqueDot(words, at, mask, colour) {
  const { offset, alpha } = mask;
  for (let k = 0; k < offset.length; k++) if (alpha[k] > 127) words[at + offset[k]] = colour;
}

/** @param {Uint32Array} words @param {number} at @param {Mask} mask @param {number} colour @param {number} blend */
function blendDot(words, at, mask, colour, blend) {
  const { offset, alpha } = mask, r = colour & 255, g = (colour >> 8) & 255, b = (colour >> 16) & 255;
  for (let k = 0; k < offset.length; k++) {
    const a = (alpha[k] * blend) >> 8, old = words[at + offset[k]];
    const pr = old & 255, pg = (old >> 8) & 255, pb = (old >> 16) & 255;
    words[at + offset[k]] =
      (0xff000000 | ((pb + (((b - pb) * a) >> 8)) << 16) | ((pg + (((g - pg) * a) >> 8)) << 8) | (pr + (((r - pr) * a) >> 8))) >>> 0;
  }
}

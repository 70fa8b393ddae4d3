// The images of the page that a picture comes nearest to: by the correlation of what they differ in from the mean image,
// as src/explore/nearest_image.h has it; plain distance would take every pale picture for a copy of all.
// @ts-check

/** @typedef {import("./backend.js").Pixels} Pixels */

export class NearestThumbs {
  /** @param {Uint8Array} thumbs (n, C, H, W) @param {number} n */
  constructor(thumbs, n) {
    this.thumbs = thumbs;
    this.n = n;
    this.size = thumbs.length / n;
    /** @type {Float32Array|null} */
    this.mean = null;
    this.length = new Float32Array(n);
  }

  #prepare() {
    const mean = new Float32Array(this.size);
    for (let i = 0, at = 0; i < this.n; i++) for (let k = 0; k < this.size; k++) mean[k] += this.thumbs[at++] / this.n;
    for (let i = 0, at = 0; i < this.n; i++) {
      let sum = 0;
      for (let k = 0; k < this.size; k++) sum += (this.thumbs[at++] - mean[k]) ** 2;
      this.length[i] = Math.sqrt(sum) || 1;
    }
    this.mean = mean;
    return mean;
  }

  /**
   * @param {Pixels} image one @param {[number, number, number]} shape of a thumb @param {number} k
   * @returns {{points: number[], distances: number[]}} distance 0: the same but for contrast; 1.41: nothing in common
   */
  find(image, shape, k) {
    const mean = this.mean ?? this.#prepare(), small = shrink(image, shape);
    let own = 0, offset = 0;
    for (let i = 0; i < this.size; i++) {
      small[i] -= mean[i];
      own += small[i] ** 2;
      offset += small[i] * mean[i];
    }
    own = Math.sqrt(own) || 1;
    const best = /** @type {{i: number, r: number}[]} */ ([]);
    for (let i = 0, at = 0; i < this.n; i++) {
      let dot = -offset;
      for (let p = 0; p < this.size; p++) dot += small[p] * this.thumbs[at++];
      const r = dot / (own * this.length[i]);
      if (best.length === k && r <= best[k - 1].r) continue;
      best.push({ i, r });
      best.sort((a, b) => b.r - a.r);
      if (best.length > k) best.pop();
    }
    return { points: best.map((b) => b.i), distances: best.map((b) => Math.sqrt(Math.max(2 - 2 * b.r, 0))) };
  }
}

/** Means of squares of pixels. @param {Pixels} image @param {[number, number, number]} to @returns {Float32Array} */
function shrink({ shape: [C, H, W], data }, [, h, w]) {
  const by = Math.max(Math.floor(H / h), 1), out = new Float32Array(C * h * w);
  for (let c = 0, at = 0; c < C; c++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++, at++) {
        for (let u = 0; u < by; u++) for (let v = 0; v < by; v++) out[at] += data[(c * H + i * by + u) * W + j * by + v];
        out[at] /= by * by;
      }
  return out;
}

// Images of a model on canvases: grey or colour, pixel by pixel.
// @ts-check

/** @typedef {import("./backend.js").Pixels} Pixels */

/** @param {Pixels} p @param {number} [k] which of them @returns {ImageData} */
export function imageDataOf({ shape: [C, H, W], data }, k = 0) {
  const out = new ImageData(W, H), plane = H * W, at = k * C * plane;
  for (let i = 0; i < plane; i++) {
    out.data[4 * i] = data[at + i];
    out.data[4 * i + 1] = data[at + (C > 1 ? plane : 0) + i];
    out.data[4 * i + 2] = data[at + (C > 1 ? 2 * plane : 0) + i];
    out.data[4 * i + 3] = 255;
  }
  return out;
}

/** The canvas takes the image's size in pixels; the style sheet scales it. @param {HTMLCanvasElement} canvas @param {Pixels} p @param {number} [k] */
export function showPixels(canvas, p, k = 0) {
  const [, H, W] = p.shape;
  if (canvas.width !== W) canvas.width = W;
  if (canvas.height !== H) canvas.height = H;
  canvas.getContext("2d")?.putImageData(imageDataOf(p, k), 0, 0);
  canvas.classList.remove("empty");
}

/** A canvas of its own; without a label it says nothing that the button around it does not. @param {Pixels} p @param {number} k @param {string} label */
export function pictureOf(p, k, label) {
  const canvas = document.createElement("canvas");
  canvas.className = "picture";
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else canvas.setAttribute("aria-hidden", "true");
  showPixels(canvas, p, k);
  return canvas;
}

/** One of several. @param {Pixels} p @param {number} k @returns {Uint8Array} */
export function onePixels(p, k) {
  const size = p.data.length / p.n;
  return p.data.subarray(k * size, (k + 1) * size);
}

/** @param {Uint8Array} data @param {[number, number, number]} shape @returns {Pixels} */
export const pixelsOf = (data, shape) => ({ n: 1, shape, data });

/**
 * Each pixel's mean over images, and its standard deviation as an image from 0 (none) to 255 (half the range and more).
 * @param {Pixels} p @returns {{mean: Pixels, deviation: Pixels}}
 */
export function momentsOf(p) {
  const size = p.data.length / p.n, mean = new Uint8Array(size), deviation = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    let sum = 0, squares = 0;
    for (let k = 0; k < p.n; k++) {
      const v = p.data[k * size + i];
      sum += v;
      squares += v * v;
    }
    mean[i] = Math.round(sum / p.n);
    deviation[i] = Math.min(255, Math.round(2 * Math.sqrt(Math.max(squares / p.n - (sum / p.n) ** 2, 0))));
  }
  return { mean: { n: 1, shape: p.shape, data: mean }, deviation: { n: 1, shape: p.shape, data: deviation } };
}

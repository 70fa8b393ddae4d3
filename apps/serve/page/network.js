// A network that computes in the page: its layers in order, its weights from bytes.
// @ts-check
import { runLayer } from "./layers.js";

/** @typedef {import("./layers.js").Layer} Layer */
/** @typedef {{at: number, rows: number, columns: number}} PackedArray */
/** @typedef {{decoder: Layer[], encoder: Layer[]|null, arrays: PackedArray[], codes: number}} Description */

/**
 * An array as src/export/page_network.c packs it: floats, or rows of 24 bits behind a scale for each.
 * @param {ArrayBuffer} bytes @param {PackedArray} a @returns {Float32Array}
 */
export function unpackArray(bytes, { at, rows, columns }) {
  if (!rows) return new Float32Array(bytes.slice(at, at + 4 * columns));
  const scale = new Float32Array(bytes.slice(at, at + 4 * rows));
  const high = new Int16Array(bytes, at + 4 * rows, rows * columns);
  const low = new Uint8Array(bytes, at + 4 * rows + 2 * rows * columns, rows * columns);
  const out = new Float32Array(rows * columns);
  for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < columns; c++, i++) out[i] = (high[i] * 256 + low[i]) * scale[r];
  return out;
}

/** One half of a network, the encoder or the decoder. */
export class Half {
  /** @param {Layer[]} layers @param {(Float32Array|null)[][]} weights of each layer @param {number[]} input its shape */
  constructor(layers, weights, input) {
    this.layers = layers;
    this.weights = weights;
    this.shapes = [input, ...layers.map((l) => l.shape)];
    /** @type {Float32Array[]} */
    this.values = this.shapes.map((s) => new Float32Array(s.reduce((a, b) => a * b, 1)));
  }

  /** @param {Float32Array} x @param {Float32Array} [label] @returns {Float32Array} the half's own array, kept to the next call */
  run(x, label) {
    this.values[0] = x;
    this.layers.forEach((layer, i) => this.#compute(layer, i, label));
    return this.values[this.layers.length];
  }

  /** @param {Layer} layer @param {number} i @param {Float32Array} [label] */
  #compute(layer, i, label) {
    if (!layer.of.length) return;
    const value = (/** @type {number} */ k) => (k < 0 ? label : this.values[k]);
    const x = /** @type {Float32Array} */ (value(layer.of[0]));
    if (layer.op === "same") {
      this.values[i + 1] = x;
      return;
    }
    const y = this.values[i + 1], n = y.length / layer.parts, each = this.weights[i].length / layer.parts;
    for (let p = 0; p < layer.parts; p++)
      runLayer({
        y: y.subarray(p * n, (p + 1) * n),
        out: layer.shape,
        x,
        in: this.shapes[layer.of[0]] ?? [x.length],
        b: layer.of.length > 1 ? value(layer.of[1]) : undefined,
        w: this.weights[i].slice(p * each, (p + 1) * each),
        layer,
      });
  }
}

/**
 * @param {Description} description @param {ArrayBuffer} bytes @param {"encoder"|"decoder"} which @param {number[]} input
 * @returns {Half|null} null: the file has no such half
 */
export function makeHalf(description, bytes, which, input) {
  const layers = description[which];
  if (!layers) return null;
  const weights = layers.map((l) => l.weights.map((k) => (k === null ? null : unpackArray(bytes, description.arrays[k]))));
  return new Half(layers, weights, input);
}

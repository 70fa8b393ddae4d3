// The backend of a page without a server: it holds weights, codes and images, and computes by itself.
// @ts-check
import { embeddedBytes, embeddedJson } from "./bytes.js";
import { pointNamed } from "./backend.js";
import { codeOfExpression } from "./expression.js";
import { distanceOf, fitAt, nearestRows, weightsOfNeighbours } from "./maths.js";
import { makeHalf, unpackArray } from "./network.js";
import { NearestThumbs } from "./novelty.js";

/** @typedef {import("./backend.js").Backend} Backend */
/** @typedef {import("./backend.js").Run} Run */
/** @typedef {import("./backend.js").MapChoice} MapChoice */
/** @typedef {import("./backend.js").Located} Located */
/** @typedef {import("./backend.js").Pixels} Pixels */
/** @typedef {import("./network.js").Half} Half */

const NEIGHBOURS = 30;

/** @param {number} v @param {number} low @param {number} high */
const byteOf = (v, low, high) => Math.round(255 * Math.min(Math.max((v - low) / (high - low), 0), 1));

/** Everything that the file holds, and the answers to the page's questions. */
export class LocalModel {
  /** @param {any} facts @param {any} arrays @param {import("./network.js").Description} network @param {Record<string, ArrayBuffer|null>} bytes */
  constructor(facts, arrays, network, bytes) {
    this.facts = facts;
    this.n = /** @type {number} */ (arrays.points);
    this.latent = /** @type {number} */ (facts.latent);
    this.width = /** @type {number} */ (arrays.code);
    const weights = /** @type {ArrayBuffer} */ (bytes.weights);
    this.codes = unpackArray(weights, network.arrays[network.codes]);
    this.decoder = /** @type {Half} */ (makeHalf(network, weights, "decoder", [this.latent]));
    this.encoder = makeHalf(network, weights, "encoder", facts.image);
    this.thumbs = new Uint8Array(/** @type {ArrayBuffer} */ (bytes.thumbs));
    this.thumb = /** @type {[number, number, number]} */ (arrays.thumb);
    this.labels = bytes.labels ? new Uint8Array(bytes.labels) : new Uint8Array(this.n).fill(255);
    this.tsne = bytes.tsne ? new Float32Array(bytes.tsne) : null;
    this.novelty = new NearestThumbs(this.thumbs, this.n);
    const test = facts.split === "test";
    /** @type {Run} */
    this.run = {
      ...facts,
      id: "run",
      epochs: facts.epoch,
      training: false,
      train: test ? 0 : this.n,
      test: test ? this.n : 0,
      history: [],
      maps: [...(facts.pca ? ["pca"] : []), ...(this.tsne ? ["tsne"] : []), "dims"],
    };
  }

  /** @param {number} i @returns {Float32Array} */
  mu(i) {
    return this.codes.subarray(i * this.width, i * this.width + this.latent);
  }

  /** @param {number|null} classNumber */
  label(classNumber) {
    if (!this.run.conditional) return undefined;
    const one = new Float32Array(this.run.classes.length);
    one[classNumber ?? 0] = 1;
    return one;
  }

  /** Pixels in the recipe's range. @param {Float32Array} z (latent) @param {number|null} classNumber @returns {Float32Array} */
  decodeOne(z, classNumber) {
    return this.decoder.run(z, this.label(classNumber));
  }

  /** @param {Float32Array} z (n, latent) @param {number|null} classNumber @returns {Pixels} */
  decode(z, classNumber) {
    const n = z.length / this.latent, [low, high] = this.facts.range;
    const size = this.facts.image.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    const data = new Uint8Array(n * size);
    for (let i = 0; i < n; i++) {
      const image = this.decodeOne(z.slice(i * this.latent, (i + 1) * this.latent), classNumber);
      for (let k = 0; k < size; k++) data[i * size + k] = byteOf(image[k], low, high);
    }
    return { n, shape: this.facts.image, data };
  }

  /** @param {Uint8Array} image (C, H, W) @param {number|null} classNumber */
  encode(image, classNumber) {
    const [low, high] = this.facts.range;
    const x = Float32Array.from(image, (b) => low + ((high - low) * b) / 255);
    const code = /** @type {Half} */ (this.encoder).run(x, this.label(classNumber));
    const mu = code.slice(0, this.latent);
    const logvar = this.run.model === "vae" ? code.slice(this.latent, 2 * this.latent) : null;
    return { mu, logvar, kl: logvar && klOf(mu, logvar) };
  }

  /** @param {MapChoice} c @param {ArrayLike<number>} z @returns {[number, number]} */
  placeOf(c, z) {
    if (c.method === "dims") return [z[c.x], this.latent > 1 ? z[c.y] : 0];
    if (c.method === "pca") {
      if (this.latent === 2) return [z[0], z[1]];
      const { mean, axes } = this.facts.pca;
      const along = (/** @type {number[]} */ axis) => axis.reduce((s, a, d) => s + a * (z[d] - mean[d]), 0);
      return [along(axes[0]), along(axes[1])];
    }
    const near = nearestRows(this.codes, this.width, this.latent, z, 12);
    const xy = /** @type {Float32Array} */ (this.tsne);
    const w = near.squared[0] < 1e-10 ? [1] : weightsOfNeighbours(near.squared.map((s) => 4 * (s - 0.9 * near.squared[0])));
    let x = 0, y = 0, all = 0;
    w.forEach((v, k) => {
      x += v * xy[2 * near.index[k]];
      y += v * xy[2 * near.index[k] + 1];
      all += v;
    });
    return [x / all, y / all];
  }

  /** @param {MapChoice} c @param {Float32Array} from @param {[number, number]} to @returns {Located} */
  locate(c, from, to) {
    if (c.method === "tsne") return this.#locateByNeighbours(c, to);
    const z = Float32Array.from(from), at = this.placeOf(c, from), d = [to[0] - at[0], to[1] - at[1]];
    if (c.method === "dims" || this.latent === 2) {
      const [x, y] = c.method === "dims" ? [c.x, c.y] : [0, 1];
      z[x] = to[0];
      if (this.latent > 1) z[y] = to[1];
      return { z, place: to, gap: 0, offPlane: null, exact: true };
    }
    const { mean, axes } = this.facts.pca;
    for (let k = 0; k < z.length; k++) z[k] += d[0] * axes[0][k] + d[1] * axes[1][k];
    const flat = mean.map((/** @type {number} */ m, /** @type {number} */ k) => m + to[0] * axes[0][k] + to[1] * axes[1][k]);
    return { z, place: to, gap: 0, offPlane: distanceOf(z, flat), exact: true };
  }

  /** The inverse of t-SNE near a place: a plane through the codes of what lies around it. @param {MapChoice} c @param {[number, number]} to @returns {Located} */
  #locateByNeighbours(c, to) {
    const xy = /** @type {Float32Array} */ (this.tsne);
    const near = nearestRows(xy, 2, 2, to, Math.min(NEIGHBOURS, this.n));
    const w = weightsOfNeighbours(near.squared);
    const z = fitAt(xy, 2, this.codes, this.width, this.latent, near.index, w, to);
    const spread = near.index.reduce((s, i) => s + distanceOf(this.mu(i), z), 0) / near.index.length;
    const place = this.placeOf(c, z);
    return { z, place, gap: distanceOf(place, to), offPlane: null, exact: false, doubt: Math.min(spread / this.typical(), 1) };
  }

  /** The distance of a code from the mean, typically. */
  typical() {
    return Math.sqrt(this.facts.dimensions.reduce((/** @type {number} */ s, /** @type {any} */ d) => s + d.std ** 2, 0)) || 1;
  }

  /** @param {string} by */
  values(by) {
    const out = new Float32Array(this.n), L = this.latent;
    for (let i = 0; i < this.n; i++) {
      const mu = this.mu(i);
      if (by === "kl") out[i] = klOf(mu, this.codes.subarray(i * this.width + L, i * this.width + 2 * L));
      else out[i] = distanceOf(mu, this.facts.dimensions.reduce((/** @type {number[]} */ m, /** @type {any} */ d) => ((m[d.index] = d.mean), m), []));
    }
    return out;
  }
}

/** KL to N(0, I) in nats. @param {ArrayLike<number>} mu @param {ArrayLike<number>} logvar */
export function klOf(mu, logvar) {
  let sum = 0;
  for (let i = 0; i < mu.length; i++) sum += 0.5 * (mu[i] ** 2 + Math.exp(logvar[i]) - 1 - logvar[i]);
  return sum;
}

/** @returns {Promise<Backend|null>} null: the page holds no model */
export async function localBackend() {
  const facts = embeddedJson("facts");
  if (!facts) return null;
  const names = ["weights", "tsne", "labels", "thumbs"];
  const bytes = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await embeddedBytes(n)])));
  const m = new LocalModel(facts, embeddedJson("arrays"), embeddedJson("network"), bytes);
  return backendOf(m);
}

/** @param {LocalModel} m @returns {Backend} */
function backendOf(m) {
  /** @type {Map<string, Float32Array>} */
  const kept = new Map();
  /** @param {Uint8Array} of @param {number[]} points */
  const gather = (of, points) => {
    const size = of.length / m.n, data = new Uint8Array(points.length * size);
    points.forEach((p, k) => data.set(of.subarray(p * size, (p + 1) * size), k * size));
    return { n: points.length, shape: m.thumb, data };
  };
  return {
    isLocal: true,
    model: m,
    readOnly: false,
    runs: async () => [m.run],
    run: async () => m.run,
    map: async (_, c) => {
      const xy = c.method === "tsne" && m.tsne ? m.tsne : new Float32Array(2 * m.n);
      if (c.method !== "tsne") for (let i = 0; i < m.n; i++) xy.set(m.placeOf(c, m.mu(i)), 2 * i);
      const trust = c.method === "dims" ? null : (m.facts.trust[c.method] ?? null);
      return { xy, method: c.method, trust, explained: c.method === "pca" && m.latent > 2 ? m.facts.pca.explained : null, done: 1 };
    },
    labels: async () => m.labels,
    colourings: () => (m.run.model === "vae" ? ["kl", "distance"] : ["distance"]),
    values: async (_, by) => m.values(by),
    thumbs: async (_, from, count) => gather(m.thumbs, Array.from({ length: Math.min(count, m.n - from) }, (_, k) => from + k)),
    images: async (_, points) => gather(m.thumbs, points),
    codes: async (_, points) => {
      const out = new Float32Array(points.length * 2 * m.latent);
      points.forEach((p, k) => out.set(m.codes.subarray(p * m.width, (p + 1) * m.width), k * 2 * m.latent));
      return out;
    },
    decode: async (_, z, o) => m.decode(z, o.classNumber),
    encode: m.encoder ? async (_, image, o) => m.encode(image, o.classNumber) : null,
    place: async (_, c, z) => {
      const out = new Float32Array((2 * z.length) / m.latent);
      for (let i = 0; 2 * i < out.length; i++) out.set(m.placeOf(c, z.subarray(i * m.latent, (i + 1) * m.latent)), 2 * i);
      return out;
    },
    locate: async (_, c, from, to) => m.locate(c, from, to),
    nearest: async (_, z, o) => {
      const found = m.novelty.find(m.decode(z, o.classNumber), m.thumb, 4);
      return { ...found, verdict: null, ratio: null };
    },
    select: async (_, points) => {
      const mean = new Float32Array(m.latent), classes = m.run.classes.map(() => 0);
      for (const p of points) {
        m.mu(p).forEach((v, d) => (mean[d] += v / points.length));
        if (m.labels[p] < classes.length) classes[m.labels[p]]++;
      }
      return { count: points.length, mean, classes };
    },
    expression: async (_, text) => ({
      z: codeOfExpression(text, m.latent, (name) => operandOf(m, kept, name)),
      command: `elbo arithmetic ${m.run.folder} '${text}'`,
    }),
    vectors: async () => [...kept].map(([name, z]) => ({ name, z })),
    keepVector: async (_, name, z) => void (z ? kept.set(name, z) : kept.delete(name)),
    log: async () => [],
    doctor: null,
    figure: null,
    listen: (_, state) => state(true),
  };
}

/** A word of an expression. @param {LocalModel} m @param {Map<string, Float32Array>} kept @param {string} name @returns {Float32Array|null} */
function operandOf(m, kept, name) {
  const p = pointNamed(m.run, name);
  if (p >= 0) return m.mu(p);
  const k = name.startsWith("class:") ? m.run.classes.indexOf(name.slice(6)) : -1;
  if (k < 0) return kept.get(name) ?? null;
  const mean = new Float32Array(m.latent);
  let n = 0;
  for (let i = 0; i < m.n; i++) if (m.labels[i] === k) m.mu(i).forEach((v, d) => ((mean[d] += v), d || n++));
  return n ? mean.map((v) => v / n) : null;
}

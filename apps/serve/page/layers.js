// The layers of a network, for one image: what the C file of `elbo export` has, in a browser. x and y are row-major
// (C, H, W) and never the same array.
// @ts-check

/**
 * @typedef {object} Layer as src/export/page_network.c writes it
 * @property {string} op
 * @property {number[]} of
 * @property {number[]} shape
 * @property {number} parts
 * @property {(number|null)[]} weights
 * @property {number} [kernel]
 * @property {number} [stride]
 * @property {number} [padding]
 * @property {number} [dilation]
 * @property {number} [eps]
 * @property {number} [groups]
 * @property {number} [scale]
 * @property {number} [mode]
 * @property {number} [slope]
 * @property {number} [approximate]
 *
 * @typedef {object} Call
 * @property {Float32Array} y
 * @property {number[]} out its shape
 * @property {Float32Array} x
 * @property {number[]} in
 * @property {Float32Array} [b] the second input
 * @property {(Float32Array|null)[]} w
 * @property {Layer} layer
 */

/** @param {Call} c  weight: (out, in) */
function runLinear({ y, x, w }) {
  const [weight, bias] = w;
  if (!weight) return;
  const n = x.length;
  for (let o = 0, at = 0; o < y.length; o++) {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < n; i++) sum += weight[at++] * x[i];
    y[o] = sum;
  }
}

/** @param {Call} c  weight: (out, in, k, k) */
function runConv({ y, out, x, in: [channels, height, width], w, layer }) {
  const [weight, bias] = w;
  const k = layer.kernel ?? 1, s = layer.stride ?? 1, p = layer.padding ?? 0, d = layer.dilation ?? 1;
  if (!weight) return;
  const [maps, rows, columns] = [y.length / (out[1] * out[2]), out[1], out[2]];
  for (let o = 0; o < maps; o++) y.fill(bias ? bias[o] : 0, o * rows * columns, (o + 1) * rows * columns);
  for (let o = 0; o < maps; o++)
    for (let c = 0; c < channels; c++)
      for (let u = 0; u < k; u++)
        for (let v = 0; v < k; v++) {
          const one = weight[((o * channels + c) * k + u) * k + v];
          for (let i = 0; i < rows; i++) {
            const row = i * s - p + u * d;
            if (row < 0 || row >= height) continue;
            const from = (c * height + row) * width - p + v * d, to = (o * rows + i) * columns;
            let j = 0, end = columns;
            while (j < end && j * s - p + v * d < 0) j++;
            while (end > j && (end - 1) * s - p + v * d >= width) end--;
            for (; j < end; j++) y[to + j] += one * x[from + j * s];
          }
        }
}

/** Conv2d backward: each value of x is spread over y. @param {Call} c  weight: (in, out, k, k) */
function runConvTranspose({ y, out, x, in: [channels, height, width], w, layer }) {
  const [weight, bias] = w;
  const k = layer.kernel ?? 1, s = layer.stride ?? 1, p = layer.padding ?? 0, d = layer.dilation ?? 1;
  if (!weight) return;
  const [maps, rows, columns] = [y.length / (out[1] * out[2]), out[1], out[2]];
  for (let o = 0; o < maps; o++) y.fill(bias ? bias[o] : 0, o * rows * columns, (o + 1) * rows * columns);
  for (let c = 0; c < channels; c++)
    for (let o = 0; o < maps; o++)
      for (let u = 0; u < k; u++)
        for (let v = 0; v < k; v++) {
          const one = weight[((c * maps + o) * k + u) * k + v];
          for (let i = 0; i < height; i++) {
            const row = i * s - p + u * d;
            if (row < 0 || row >= rows) continue;
            const from = (c * height + i) * width, to = (o * rows + row) * columns - p + v * d;
            let j = 0, end = width;
            while (j < end && j * s - p + v * d < 0) j++;
            while (end > j && (end - 1) * s - p + v * d >= columns) end--;
            for (; j < end; j++) y[to + j * s] += one * x[from + j];
          }
        }
}

/** With the statistics of training. @param {Call} c */
function runBatchNorm({ y, out, x, w: [weight, bias, mean, variance], layer }) {
  if (!weight || !bias || !mean || !variance) return;
  const pixels = y.length / out[0];
  for (let c = 0, i = 0; c < out[0]; c++) {
    const scale = weight[c] / Math.sqrt(variance[c] + (layer.eps ?? 0));
    for (const end = i + pixels; i < end; i++) y[i] = (x[i] - mean[c]) * scale + bias[c];
  }
}

/** Groups of channels, each brought to mean 0 and variance 1. @param {Call} c */
function runGroupNorm({ y, out, x, w: [weight, bias], layer }) {
  if (!weight || !bias) return;
  const whole = layer.op === "layer_norm", groups = whole ? 1 : (layer.groups ?? 1);
  const n = y.length / groups, pixels = whole ? 1 : y.length / out[0];
  for (let g = 0; g < groups; g++) {
    let mean = 0, variance = 0;
    for (let i = g * n; i < (g + 1) * n; i++) mean += x[i] / n;
    for (let i = g * n; i < (g + 1) * n; i++) variance += (x[i] - mean) ** 2 / n;
    const scale = 1 / Math.sqrt(variance + (layer.eps ?? 0));
    for (let i = g * n; i < (g + 1) * n; i++) {
      const c = Math.floor(i / pixels);
      y[i] = (x[i] - mean) * scale * weight[c] + bias[c];
    }
  }
}

/** @param {Call} c */
function runPool({ y, out, x, in: [channels, height, width], layer }) {
  const k = layer.kernel ?? 1, s = layer.stride ?? 1, p = layer.padding ?? 0, max = layer.op === "max_pool2d";
  for (let c = 0, at = 0; c < channels; c++)
    for (let i = 0; i < out[1]; i++)
      for (let j = 0; j < out[2]; j++) {
        let all = max ? -Infinity : 0;
        for (let u = 0; u < k; u++)
          for (let v = 0; v < k; v++) {
            const row = i * s - p + u, column = j * s - p + v;
            if (row < 0 || row >= height || column < 0 || column >= width) continue;
            const one = x[(c * height + row) * width + column];
            all = max ? Math.max(all, one) : all + one;
          }
        y[at++] = max ? all : all / (k * k);
      }
}

/** Nearest, or bilinear with pixel centres at halves. @param {Call} c */
function runUpsample({ y, x, in: [channels, height, width], layer }) {
  const by = layer.scale ?? 1;
  for (let c = 0, at = 0; c < channels; c++)
    for (let i = 0; i < height * by; i++)
      for (let j = 0; j < width * by; j++) {
        const plane = c * height * width;
        if (!layer.mode) {
          y[at++] = x[plane + Math.floor(i / by) * width + Math.floor(j / by)];
          continue;
        }
        const r = Math.max((i + 0.5) / by - 0.5, 0), q = Math.max((j + 0.5) / by - 0.5, 0);
        const top = Math.floor(r), left = Math.floor(q), down = r - top, along = q - left;
        const bottom = Math.min(top + 1, height - 1), right = Math.min(left + 1, width - 1);
        const a = x[plane + top * width + left] * (1 - along) + x[plane + top * width + right] * along;
        const b = x[plane + bottom * width + left] * (1 - along) + x[plane + bottom * width + right] * along;
        y[at++] = a * (1 - down) + b * down;
      }
}

/** A class behind channels becomes a plane of each of its numbers. @param {Call} c */
function runConcat({ y, out, x, b }) {
  y.set(x);
  if (!b) return;
  const planes = out.length === 3 ? (y.length - x.length) / b.length : 1;
  for (let i = x.length; i < y.length; i++) y[i] = b[Math.floor((i - x.length) / planes)];
}

/** erf to 1e-12: its series, and a continued fraction far out. @param {number} x */
function errorFunction(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a, sum = a;
    for (let n = 1; Math.abs(term) > 1e-17; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let f = 0;
  for (let k = 60; k > 0; k--) f = (k / 2) / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + f)));
}

/** @type {Record<string, (v: number, layer: Layer) => number>} */
const POINTWISE = {
  relu: (v) => (v > 0 ? v : 0),
  leaky_relu: (v, layer) => (v > 0 ? v : v * (layer.slope ?? 0.01)),
  tanh: Math.tanh,
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  silu: (v) => v / (1 + Math.exp(-v)),
  gelu: (v, layer) =>
    layer.approximate
      ? v / (1 + Math.exp(-1.5957691216 * v * (1 + 0.044715 * v * v)))
      : 0.5 * v * (1 + errorFunction(v * Math.SQRT1_2)),
};

/** @type {Record<string, (c: Call) => void>} */
const LAYERS = {
  linear: runLinear,
  conv2d: runConv,
  conv_transpose2d: runConvTranspose,
  batch_norm: runBatchNorm,
  layer_norm: runGroupNorm,
  group_norm: runGroupNorm,
  max_pool2d: runPool,
  avg_pool2d: runPool,
  upsample: runUpsample,
  concat: runConcat,
  add: ({ y, x, b }) => {
    for (let i = 0; b && i < y.length; i++) y[i] = x[i] + b[i];
  },
};

/** @param {Call} c */
export function runLayer(c) {
  const f = POINTWISE[c.layer.op];
  if (!f) return LAYERS[c.layer.op](c);
  for (let i = 0; i < c.y.length; i++) c.y[i] = f(c.x[i], c.layer);
}

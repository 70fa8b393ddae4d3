// Codes and places: distances, neighbours, planes, random numbers.
// @ts-check

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
export function distanceOf(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b @param {number} t @returns {Float32Array} a to b */
export function blendOf(a, b, t) {
  return Float32Array.from(a, (v, i) => v + (b[i] - v) * t);
}

/**
 * The k rows nearest to a point, nearest first.
 * @param {Float32Array} rows (n, dims), or wider @param {number} stride of a row @param {number} dims compared
 * @param {ArrayLike<number>} q (dims) @param {number} k
 * @returns {{index: number[], squared: number[]}}
 */
export function nearestRows(rows, stride, dims, q, k) {
  const index = /** @type {number[]} */ ([]), squared = /** @type {number[]} */ ([]);
  let worst = Infinity;
  for (let i = 0, at = 0; at + dims <= rows.length; i++, at += stride) {
    let sum = 0;
    for (let d = 0; d < dims && sum < worst; d++) sum += (rows[at + d] - q[d]) ** 2;
    if (sum >= worst) continue;
    let j = Math.min(index.length, k - 1);
    for (; j > 0 && squared[j - 1] > sum; j--) [index[j], squared[j]] = [index[j - 1], squared[j - 1]];
    [index[j], squared[j]] = [i, sum];
    if (index.length === k) worst = squared[k - 1];
  }
  return { index, squared };
}

/** Weights of neighbours that fall off with distance: half at the middle one. @param {number[]} squared */
export function weightsOfNeighbours(squared) {
  const middle = squared[squared.length >> 1] || 1;
  return squared.map((s) => Math.exp(-0.7 * (s / middle)));
}

/** Solves a x = b in place, a symmetric and positive, (n, n); b: (n, m) rows. @param {number[][]} a @param {number[][]} b */
function solveInPlace(a, b) {
  const n = a.length;
  for (let i = 0; i < n; i++) {
    for (let r = i + 1; r < n; r++) {
      const f = a[r][i] / a[i][i];
      for (let c = i; c < n; c++) a[r][c] -= f * a[i][c];
      for (let c = 0; c < b[r].length; c++) b[r][c] -= f * b[i][c];
    }
  }
  for (let i = n - 1; i >= 0; i--)
    for (let c = 0; c < b[i].length; c++) {
      for (let k = i + 1; k < n; k++) b[i][c] -= a[i][k] * b[k][c];
      b[i][c] /= a[i][i];
    }
}

/**
 * The value at a place of a plane that is fitted through neighbours' values, near ones first.
 * @param {Float32Array} at (n, m) where they are @param {number} m @param {Float32Array} of (n, stride) what they have
 * @param {number} stride @param {number} d columns of it @param {number[]} index @param {number[]} weight @param {ArrayLike<number>} to
 * @returns {Float32Array}
 */
export function fitAt(at, m, of, stride, d, index, weight, to) {
  const n = m + 1, a = Array.from({ length: n }, () => Array(n).fill(0));
  const b = Array.from({ length: n }, () => Array(d).fill(0));
  let spread = 0;
  index.forEach((i, k) => {
    const x = [1];
    for (let c = 0; c < m; c++) x.push(at[i * m + c] - to[c]);
    for (let r = 0; r < n; r++) {
      for (let c = 0; c < n; c++) a[r][c] += weight[k] * x[r] * x[c];
      for (let c = 0; c < d; c++) b[r][c] += weight[k] * x[r] * of[i * stride + c];
    }
    for (let c = 1; c < n; c++) spread += weight[k] * x[c] ** 2;
  });
  for (let r = 1; r < n; r++) a[r][r] += 0.02 * spread / m + 1e-9; // a ridge: neighbours may lie on a line
  a[0][0] += 1e-9;
  solveInPlace(a, b);
  return Float32Array.from(b[0]);
}

/** Numbers in [0, 1) that a seed repeats (mulberry32). @param {number} seed */
export function randomOf(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers (Box and Muller). @param {number} seed @param {number} n @returns {Float32Array} */
export function normalsOf(seed, n) {
  const next = randomOf(seed);
  return Float32Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

/** A number as a person types it. @param {number} v @param {number} [digits] */
export function shortNumber(v, digits = 3) {
  if (!Number.isFinite(v)) return "–";
  const text = Math.abs(v) >= 1000 ? v.toFixed(0) : v.toPrecision(digits);
  return text.includes("e") || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}

/** "60,000" @param {number} n */
export const thousands = (n) => n.toLocaleString("en-US");

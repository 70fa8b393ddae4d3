// The colours of classes, those of the figures (src/render/colour.c), and of values; in light and in dark.
// @ts-check

/** @typedef {[number, number, number]} Rgb bytes */

/** @type {number[]} */
export const TEN = [0x004fe4, 0xff606e, 0x6bd403, 0x1e3f02, 0x894957, 0x6a7a00, 0x21acba, 0x4e0a57, 0xaa00a0, 0x9071ff];

/** @param {number} hex @returns {Rgb} */
const rgbOf = (hex) => [hex >> 16, (hex >> 8) & 255, hex & 255];

/** @param {number} v linear light, 0 to 1 */
const byteOfLinear = (v) =>
  Math.round(255 * (v <= 0 ? 0 : v >= 1 ? 1 : v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));

/** @param {number} byte */
const linearOfByte = (byte) => {
  const v = byte / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
};

/** @param {number} L @param {number} a @param {number} b @returns {Rgb} */
function rgbOfOklab(L, a, b) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    byteOfLinear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byteOfLinear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byteOfLinear(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
  ];
}

/** @param {Rgb} rgb @returns {[number, number, number]} */
function oklabOfRgb(rgb) {
  const [r, g, b] = rgb.map(linearOfByte);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/**
 * The colour of class `i` of `count`. On dark paper the darkest are lifted, so that they are seen.
 * @param {number} i @param {number} count @param {boolean} dark @returns {Rgb}
 */
export function classColour(i, count, dark) {
  const lightness = [0.62, 0.42, 0.78][i % 3];
  const turn = (0.08 + i / count) * 2 * Math.PI;
  const rgb = count <= 10 ? rgbOf(TEN[i % 10]) : rgbOfOklab(lightness, 0.14 * Math.cos(turn), 0.14 * Math.sin(turn));
  const [L, a, b] = oklabOfRgb(rgb);
  if (dark && L < 0.6) return rgbOfOklab(0.36 + 0.5 * L, a * 1.15, b * 1.15);
  if (!dark && L > 0.82) return rgbOfOklab(0.78, a * 1.1, b * 1.1);
  return rgb;
}

/** What is low recedes into the paper, what is high stands out: lightness alone tells them apart. */
const RAMPS = {
  light: [[0xc9, 0xd3, 0xdb], [0x8f, 0xb0, 0xb8], [0x4d, 0x83, 0x9b], [0x3a, 0x4f, 0x86], [0x42, 0x12, 0x52]],
  dark: [[0x36, 0x3f, 0x49], [0x4d, 0x5b, 0x7d], [0x8a, 0x69, 0x8e], [0xd5, 0x85, 0x6e], [0xff, 0xd9, 0x7a]],
};

/** @param {number} t 0 to 1 @param {boolean} dark @returns {Rgb} */
export function rampColour(t, dark) {
  const stops = dark ? RAMPS.dark : RAMPS.light;
  const at = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const k = Math.min(Math.floor(at), stops.length - 2);
  const mix = (/** @type {number} */ c) => Math.round(stops[k][c] + (stops[k + 1][c] - stops[k][c]) * (at - k));
  return [mix(0), mix(1), mix(2)];
}

/** @param {Rgb} rgb */
export const cssColour = (rgb) => `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`;
/** As a framebuffer keeps it, little-endian RGBA. @param {Rgb} rgb */
export const wordColour = (rgb) => ((255 << 24) | (rgb[2] << 16) | (rgb[1] << 8) | rgb[0]) >>> 0;

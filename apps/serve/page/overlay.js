// What lies above the points of the map: names of classes, handle, ghost, ellipse, path, lasso.
// @ts-check
import { cssValue, isDark } from "./dom.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./plane.js").View} View */
/** @typedef {{ink: string, paper: string, soft: string, accent: string, warn: string}} Inks */

/** By light and dark: to ask the style sheet costs more than to draw. @type {Record<string, Inks>} */
const inksOf = {};

/** @returns {Inks} */
function inksOfPage() {
  return (inksOf[String(isDark())] ??= {
    ink: cssValue("--ink"),
    paper: cssValue("--map"),
    soft: cssValue("--soft"),
    accent: cssValue("--accent"),
    warn: cssValue("--warn"),
  });
}

/** @param {CanvasRenderingContext2D} c @param {string} text @param {number} x @param {number} y @param {Inks} inks @param {string} font */
function haloText(c, text, x, y, inks, font) {
  c.font = font;
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.lineJoin = "round";
  c.lineWidth = 4;
  c.strokeStyle = inks.paper;
  c.strokeText(text, x, y);
  c.fillStyle = inks.ink;
  c.fillText(text, x, y);
}

/** @param {CanvasRenderingContext2D} c @param {number} x @param {number} y @param {number} r */
function circle(c, x, y, r) {
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
}

/** @param {CanvasRenderingContext2D} c @param {View} view @param {ArrayLike<number>} xy */
function trace(c, view, xy) {
  c.beginPath();
  for (let i = 0; i < xy.length; i += 2) c.lineTo(...view.toScreen(xy[i], xy[i + 1]));
}

/** @param {CanvasRenderingContext2D} c @param {State} s @param {View} view @param {Inks} inks */
function drawPosterior(c, s, view, inks) {
  if (!s.place) return;
  const [x, y] = view.toScreen(...s.place);
  c.fillStyle = inks.ink;
  c.globalAlpha = 0.55;
  for (let i = 0; s.cloud && i < s.cloud.length; i += 2) {
    circle(c, ...view.toScreen(s.cloud[i], s.cloud[i + 1]), 1.8);
    c.fill();
  }
  c.globalAlpha = 1;
  if (!s.ellipse) return;
  const [a, b, angle] = s.ellipse;
  c.beginPath();
  c.ellipse(x, y, Math.max(a * view.scale, 0.5), Math.max(b * view.scale, 0.5), -angle, 0, 2 * Math.PI);
  c.globalAlpha = 0.16;
  c.fill();
  c.globalAlpha = 1;
  c.lineWidth = 1.5;
  c.strokeStyle = inks.ink;
  c.stroke();
}

/** @param {CanvasRenderingContext2D} c @param {[number, number]} at @param {string} letter @param {Inks} inks */
function drawPick(c, at, letter, inks) {
  circle(c, at[0], at[1], 10);
  c.fillStyle = inks.ink;
  c.fill();
  c.fillStyle = inks.paper;
  c.font = "600 12px system-ui, sans-serif";
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.fillText(letter, at[0], at[1] + 0.5);
}

/** The handle; where the map shows its code elsewhere than where it is held: a ghost there, and the gap. @param {CanvasRenderingContext2D} c @param {State} s @param {View} view @param {Inks} inks */
function drawHandle(c, s, view, inks) {
  const held = s.target ?? s.place;
  if (!held) return;
  const [x, y] = view.toScreen(...held);
  if (s.place && s.located && !s.located.exact) {
    const [gx, gy] = view.toScreen(...s.place);
    c.setLineDash([3, 3]);
    c.lineWidth = 1.5;
    c.strokeStyle = inks.warn;
    c.beginPath();
    c.moveTo(x, y);
    c.lineTo(gx, gy);
    c.stroke();
    circle(c, gx, gy, 6);
    c.stroke();
    c.setLineDash([]);
    if ((s.located.doubt ?? 0) > 0.6) hatch(c, x, y, 26, inks.warn);
  }
  circle(c, x, y, 10.5);
  c.fillStyle = inks.paper;
  c.fill();
  c.lineWidth = 3;
  c.strokeStyle = inks.ink;
  c.stroke();
  circle(c, x, y, 4);
  c.fillStyle = inks.accent;
  c.fill();
}

/** Where the neighbours disagree. @param {CanvasRenderingContext2D} c @param {number} x @param {number} y @param {number} r @param {string} colour */
function hatch(c, x, y, r, colour) {
  c.save();
  circle(c, x, y, r);
  c.clip();
  c.strokeStyle = colour;
  c.globalAlpha = 0.6;
  c.lineWidth = 1;
  for (let d = -2 * r; d < 2 * r; d += 6) {
    c.beginPath();
    c.moveTo(x + d, y - r);
    c.lineTo(x + d + 2 * r, y + r);
    c.stroke();
  }
  c.restore();
}

/**
 * @param {CanvasRenderingContext2D} c @param {State} s @param {View} view
 * @param {{xy: Float32Array, names: {text: string, x: number, y: number}[], lasso: number[][]|null, focus: boolean}} has
 */
export function drawOverlay(c, s, view, { xy, names, lasso, focus }) {
  const inks = inksOfPage();
  const at = (/** @type {number} */ p) => view.toScreen(xy[2 * p], xy[2 * p + 1]);
  for (const n of names) haloText(c, n.text, ...view.toScreen(n.x, n.y), inks, "600 15px system-ui, sans-serif");
  if (s.path) {
    trace(c, view, s.path);
    c.lineWidth = 5;
    c.strokeStyle = inks.paper;
    c.stroke();
    c.lineWidth = 2;
    c.strokeStyle = inks.ink;
    c.stroke();
  }
  drawPosterior(c, s, view, inks);
  if (s.from >= 0 && 2 * s.from < xy.length) drawPick(c, at(s.from), "A", inks);
  if (s.to >= 0 && 2 * s.to < xy.length) drawPick(c, at(s.to), "B", inks);
  if (s.hover >= 0 && 2 * s.hover < xy.length) {
    circle(c, ...at(s.hover), 7);
    c.lineWidth = 2;
    c.strokeStyle = inks.ink;
    c.stroke();
  }
  drawHandle(c, s, view, inks);
  if (lasso && lasso.length > 1) {
    c.beginPath();
    for (const [x, y] of lasso) c.lineTo(...view.toScreen(x, y));
    c.closePath();
    c.globalAlpha = 0.12;
    c.fillStyle = inks.accent;
    c.fill();
    c.globalAlpha = 1;
    c.lineWidth = 1.5;
    c.strokeStyle = inks.accent;
    c.stroke();
  }
  if (focus && s.target) {
    circle(c, ...view.toScreen(...s.target), 16);
    c.lineWidth = 2;
    c.strokeStyle = inks.accent;
    c.stroke();
  }
}

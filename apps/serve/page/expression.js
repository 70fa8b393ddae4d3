// Arithmetic of codes as `elbo arithmetic` reads it: + - * / ( ), mean(a, b), lerp(a, b, t); a page without a server
// computes it by itself.
// @ts-check
import { blendOf } from "./maths.js";

/** @typedef {number|Float32Array} Term */

/**
 * @param {string} text @param {number} latent @param {(name: string) => Float32Array|null} find
 * @returns {Float32Array}
 */
export function codeOfExpression(text, latent, find) {
  const words = text.match(/"[^"]*"|[A-Za-z_][\w.-]*:(?:"[^"]*"|[^\s()+*/,-]+)|[A-Za-z_]\w*|\d+(?:\.\d+)?|[-+*/(),]|\S/g) ?? [];
  let at = 0, depth = 0;
  const next = () => words[at++] ?? "";
  /** @param {string} word */
  const expect = (word) => {
    const got = next();
    if (got !== word) throw new Error(`expected ${word}, not ${got || "the end"}`);
  };
  /** @param {Term} a @param {Term} b @param {(x: number, y: number) => number} f @returns {Term} */
  const each = (a, b, f) => {
    if (typeof a === "number" && typeof b === "number") return f(a, b);
    if (typeof a === "number" || typeof b === "number") throw new Error("a number and a code cannot be added");
    return a.map((v, i) => f(v, b[i]));
  };
  /** @param {Term} a @param {Term} b @param {boolean} divide @returns {Term} */
  const scale = (a, b, divide) => {
    if (typeof a === "number" && typeof b !== "number" && !divide) return b.map((v) => v * a);
    if (typeof b !== "number") throw new Error("a code is multiplied or divided by a number");
    const f = divide ? 1 / b : b;
    return typeof a === "number" ? a * f : a.map((v) => v * f);
  };
  /** @returns {Term} */
  const sum = () => {
    let a = product();
    while (words[at] === "+" || words[at] === "-") {
      const minus = next() === "-";
      a = each(a, product(), (x, y) => (minus ? x - y : x + y));
    }
    return a;
  };
  const product = () => {
    let a = factor();
    while (words[at] === "*" || words[at] === "/") a = scale(a, next() === "/" ? inverse() : factor(), false);
    return a;
  };
  const inverse = () => scale(1, factor(), true);
  /** @returns {Term} */
  const factor = () => {
    if (++depth > 200) throw new Error("too deep");
    const word = next();
    /** @type {Term} */
    let value;
    if (word === "-") value = scale(factor(), -1, false);
    else if (word === "(") {
      value = sum();
      expect(")");
    } else if (/^\d/.test(word)) value = Number(word);
    else if (words[at] === "(") value = call(word);
    else {
      const z = find(word.replace(/"/g, ""));
      if (!z) throw new Error(word ? `there is no ${word}` : "expected a code, such as test:17");
      value = z.slice();
    }
    depth--;
    return value;
  };
  /** @param {string} name @returns {Term} */
  const call = (name) => {
    next();
    const given = [sum()];
    while (words[at] === ",") {
      next();
      given.push(sum());
    }
    expect(")");
    if (name === "mean") return scale(given.reduce((a, b) => each(a, b, (x, y) => x + y)), 1 / given.length, false);
    const [a, b, t] = given;
    if (name === "lerp" && a instanceof Float32Array && b instanceof Float32Array && typeof t === "number") return blendOf(a, b, t);
    throw new Error(`there is no function ${name}; there are mean(a, b) and lerp(a, b, t)`);
  };
  const z = sum();
  if (at < words.length) throw new Error(`expected an operator, not ${words[at]}`);
  if (typeof z === "number" || z.length !== latent) throw new Error("a number is no code: name an image, such as test:17");
  return z;
}

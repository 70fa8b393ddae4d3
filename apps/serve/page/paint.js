// Painting on an image, or dropping, pasting and opening one: whatever is there then is encoded.
// @ts-check
import { newestOnly } from "./backend.js";
import { h } from "./dom.js";
import { pixelsOf, showPixels } from "./pixels.js";

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session @param {HTMLCanvasElement} canvas @param {HTMLElement} tools */
export function listenToPaint(session, canvas, tools) {
  const { store, backend } = session;
  /** @type {Uint8Array|null} */
  let image = null;
  let erase = false;
  if (!backend.encode) return { setSource: () => {} };
  const encode = newestOnly((/** @type {Uint8Array} */ data) => session.encode(data), () => {}, session.complain);
  const blank = () => new Uint8Array(session.run.image.reduce((a, b) => a * b, 1));
  const take = (/** @type {Uint8Array} */ data) => {
    image = data;
    showPixels(canvas, pixelsOf(data, session.run.image));
    encode(data.slice());
  };

  const eraser = h("button", { type: "button", "aria-pressed": "false", onclick: () => eraser.setAttribute("aria-pressed", String((erase = !erase))) }, "Erase");
  const file = h("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1, "aria-label": "An image file", onchange: () => file.files?.[0] && openFile(file.files[0]) });
  tools.append(
    h("button", { type: "button", onclick: () => take(blank()) }, "Blank"),
    eraser,
    h("button", { type: "button", onclick: () => file.click() }, "Open…"),
    file,
  );
  canvas.classList.add("paintable");
  canvas.title = "Paint here, or drop or paste an image";

  /** @type {[number, number]|null} */
  let last = null;
  const at = (/** @type {PointerEvent} */ p) => {
    const box = canvas.getBoundingClientRect(), [, H, W] = session.run.image;
    return /** @type {[number, number]} */ ([((p.clientX - box.left) / box.width) * W, ((p.clientY - box.top) / box.height) * H]);
  };
  const paintTo = (/** @type {[number, number]} */ to) => {
    const data = (image ?? store.state.drawn ?? blank()).slice(), from = last ?? to;
    const steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2) + 1;
    for (let k = 1; k <= steps; k++)
      brush(data, session.run.image, from[0] + ((to[0] - from[0]) * k) / steps, from[1] + ((to[1] - from[1]) * k) / steps, erase);
    last = to;
    take(data);
  };
  canvas.addEventListener("pointerdown", (p) => {
    if (!session.run || p.button > 0) return;
    p.preventDefault();
    canvas.setPointerCapture(p.pointerId);
    last = null;
    paintTo(at(p));
  });
  canvas.addEventListener("pointermove", (p) => last && p.buttons && paintTo(at(p)));
  canvas.addEventListener("pointerup", () => (last = null));

  /** @param {Blob} blob */
  const openFile = (blob) =>
    readImage(blob, session.run.image).then(take, () => session.complain(new Error("this is not an image that the browser can read")));
  addEventListener("dragover", (d) => d.preventDefault());
  addEventListener("drop", (d) => {
    d.preventDefault();
    const one = d.dataTransfer?.files[0];
    if (one) openFile(one);
  });
  addEventListener("paste", (p) => {
    const one = [...(p.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (one) openFile(one);
  });
  return { setSource: (/** @type {Uint8Array|null} */ data) => void (image = data ? data.slice() : null) };
}

/** A soft round brush, a twentieth of the image wide. @param {Uint8Array} data @param {[number, number, number]} shape @param {number} x @param {number} y @param {boolean} erase */
function brush(data, [C, H, W], x, y, erase) {
  const r = Math.max(H / 20, 1), reach = Math.ceil(r + 1.5);
  for (let i = Math.max(0, Math.floor(y - reach)); i < Math.min(H, y + reach); i++)
    for (let j = Math.max(0, Math.floor(x - reach)); j < Math.min(W, x + reach); j++) {
      const d = Math.hypot(j + 0.5 - x, i + 0.5 - y), ink = Math.round(255 * Math.min(Math.max(r + 0.5 - d, 0), 1));
      for (let c = 0; c < C; c++) {
        const k = (c * H + i) * W + j;
        data[k] = erase ? Math.min(data[k], 255 - ink) : Math.max(data[k], ink);
      }
    }
}

/** The middle of an image, brought to the model's size; grey where the model's are. @param {Blob} blob @param {[number, number, number]} shape */
async function readImage(blob, [C, H, W]) {
  const bitmap = await createImageBitmap(blob), scale = Math.max(W / bitmap.width, H / bitmap.height);
  const canvas = h("canvas", { width: W, height: H }), c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  c.imageSmoothingQuality = "high";
  const [w, hgt] = [bitmap.width * scale, bitmap.height * scale];
  c.fillRect(0, 0, W, H);
  c.drawImage(bitmap, (W - w) / 2, (H - hgt) / 2, w, hgt);
  const rgba = c.getImageData(0, 0, W, H).data, out = new Uint8Array(C * H * W);
  for (let i = 0; i < H * W; i++) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    if (C === 1) out[i] = Math.round(0.2126 * r + 0.7152 * g + 0.0722 * b);
    else [out[i], out[H * W + i], out[2 * H * W + i]] = [r, g, b];
  }
  return out;
}

// The keys, and what the map does with a pointer.
// @ts-check
import { byId, h } from "./dom.js";

/** @type {[string[], string][]} */
const KEYS = [
  [["drag the ring"], "moves the code; its decode follows"],
  [["click"], "a point: that image; elsewhere: the code of that place"],
  [["Ctrl", "click"], "a point as end B of a path"],
  [["Shift", "drag"], "a lasso"],
  [["wheel", "pinch"], "zooms; dragging the paper moves it"],
  [["← ↑ → ↓"], "move the code, with Shift further, with Alt the map"],
  [["Enter"], "the image nearest to the ring"],
  [["n"], "any image"],
  [["a"], "the image shown is end A of a path, b is B"],
  [["+", "−", "0"], "zoom in, out, the whole map"],
  [["t"], "images in place of points; l: lasso"],
  [["Esc"], "clears the selection"],
  [["?"], "this"],
];

export function showHelp() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("help"));
  const keys = KEYS.flatMap(([names, text]) => [h("dt", {}, ...names.flatMap((n, i) => [i ? " " : "", h("kbd", {}, n)])), h("dd", {}, text)]);
  dialog.append(
    h("h2", { id: "help-title" }, "On the map"),
    h("dl", {}, ...keys),
    h("p", { class: "row" }, h("span", { class: "grow small soft" }, "Paint on the image, or drop or paste one: it is encoded."), h("button", { type: "button", onclick: () => dialog.close() }, "Close")),
  );
  byId("help-button").addEventListener("click", () => dialog.showModal());
  addEventListener("keydown", (k) => {
    const typing = k.target instanceof HTMLInputElement && k.target.type !== "range";
    if (k.key === "?" && !typing && !dialog.open) dialog.showModal();
  });
}

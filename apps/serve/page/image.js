// The image that was encoded, which can be painted on, beside what its code, or the handle's, decodes to.
// @ts-check
import { byId, h } from "./dom.js";
import { shortNumber } from "./maths.js";
import { listenToPaint } from "./paint.js";
import { pixelsOf, showPixels } from "./pixels.js";

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session */
export function showImagePanel(session) {
  const { store, backend } = session;
  const source = h("canvas", { class: "picture empty", width: 28, height: 28, role: "img", "aria-label": "The image: none" });
  const decode = h("canvas", { class: "picture empty", width: 28, height: 28, role: "img", "aria-label": "The decode of the code under the handle" });
  const sourceName = h("span", { class: "soft" }), decodeNote = h("span", { class: "soft" });
  const tools = h("div", { class: "tools" }), about = h("p", { class: "small soft" });
  byId("image-panel").append(
    h(
      "div",
      { class: "pair" },
      h("figure", {}, h("figcaption", {}, "Image", sourceName), source, backend.encode ? h("p", { class: "paint-hint small", "aria-hidden": "true" }, "paint, drop or paste an image") : null, tools),
      h("figure", {}, h("figcaption", {}, "Decode", decodeNote), decode, about),
    ),
  );
  const { setSource } = listenToPaint(session, source, tools);

  store.on(["decoded"], ({ decoded }) => decoded && showPixels(decode, decoded));
  store.on(["point", "drawn", "z", "run"], (s) => {
    sourceName.textContent = s.drawn ? "painted" : s.point >= 0 ? sourceText(session, s.point) : "";
    source.setAttribute("aria-label", `The image: ${sourceName.textContent || "none"}${backend.encode ? "; paint on it" : ""}`);
    if (s.drawn) return showPixels(source, pixelsOf(s.drawn, session.run.image));
    if (s.point < 0) {
      source.getContext("2d")?.clearRect(0, 0, source.width, source.height);
      source.classList.add("empty");
      return setSource(null);
    }
    session.source().then((p) => {
      if (!p || store.state.point !== s.point) return;
      showPixels(source, p);
      setSource(p.data);
    }, session.complain);
  });
  store.on(["z", "located", "logvar", "decoded"], (s) => {
    if (!s.z) return;
    const length = Math.hypot(...s.z);
    decodeNote.textContent = s.drawn || s.point >= 0 ? "reconstruction" : s.at;
    about.textContent = `|z| ${shortNumber(length)}${session.run.model === "vae" ? ` · prior ${shortNumber(Math.sqrt(session.run.latent))}` : ""}`;
  });
}

/** @param {Session} session @param {number} point */
const sourceText = (session, point) => {
  const name = session.className(point);
  return `${session.nameOf(point)}${name && name.length < 8 ? ` · ${name}` : ""}`;
};

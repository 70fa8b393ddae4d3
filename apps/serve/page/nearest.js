// New or remembered: the images of the data that the decode comes nearest to.
// @ts-check
import { newestOnly } from "./backend.js";
import { byId, h } from "./dom.js";
import { shortNumber, thousands } from "./maths.js";
import { pictureOf } from "./pixels.js";

const NEAREST_SHOWN = 4, WAIT = 120;

/** @param {import("./session.js").Session} session */
export function showNearest(session) {
  const { store, backend } = session, e = byId("nearest-panel");
  const strip = h("div", { class: "strip" }), verdict = h("p", { class: "verdict" });
  e.append(h("h3", {}, backend.isLocal ? "Nearest images of this page" : "Nearest training images"), strip, verdict);
  const ask = newestOnly(
    async (/** @type {Float32Array} */ z) => {
      const found = await backend.nearest(session.id, z, session.decodeOptions()), points = found.points.slice(0, NEAREST_SHOWN);
      return { found, points, images: await backend.images(session.id, points) };
    },
    ({ found, points, images }) => {
      e.hidden = false;
      strip.replaceChildren(
        ...points.map((p, k) => {
          const name = session.nameOf(p), label = `${name}, ${session.className(p)}, distance ${shortNumber(found.distances[k], 2)}`;
          return h("button", { type: "button", title: label, "aria-label": `Go to ${label}`, onclick: () => session.pick(p).catch(session.complain) }, pictureOf(images, k, ""));
        }),
        wordsOf(session, found),
      );
    },
    () => (e.hidden = true),
  );
  let timer = 0;
  store.on(["z", "run", "classNumber"], () => {
    timer ||= window.setTimeout(() => {
      timer = 0;
      if (store.state.z) ask(store.state.z);
    }, WAIT);
  });
}

/** @param {import("./session.js").Session} session @param {import("./backend.js").Nearest} found */
function wordsOf({ run, points, backend }, found) {
  const nearest = found.distances[0];
  if (found.verdict)
    return h("p", { class: "verdict" }, h("b", {}, found.verdict === "remembered" ? "Remembered" : "New"), found.ratio === null ? "" : `: ${shortNumber(found.ratio, 2)} times as far as a test image's reconstruction is`);
  const among = backend.isLocal ? ` among ${thousands(points)} ${run.train ? "training" : "test"} images` : "";
  return h("p", { class: "verdict", title: "0: a copy but for contrast; 1.41: nothing in common" }, h("b", {}, shortNumber(nearest, 2)), ` to the nearest${among}`);
}

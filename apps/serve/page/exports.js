// What is seen as a file: the figures that elbo draws; a page without a server gives the map as PNG and CSV.
// @ts-check
import { byId, h } from "./dom.js";

/** @typedef {import("./session.js").Session} Session */

/** The figure of the tab that is open, as `elbo` draws it. @param {Session} session @returns {{kind: string, more: Record<string, string>, formats: string[]}} */
function figureOf({ state, nameOf, run }) {
  const name = (/** @type {number} */ p) => nameOf.call({ run }, p), images = ["png", "svg"];
  if (state.tab === "path" && state.from >= 0 && state.to >= 0) return { kind: "interpolate", more: { from: name(state.from), to: name(state.to) }, formats: images };
  if (state.tab === "dimensions" && state.at) return { kind: "traverse", more: { at: state.at }, formats: images };
  if (state.tab === "holes" && run.model === "vae") return { kind: "samples", more: {}, formats: images };
  /** @type {Record<string, string>} */
  const dims = state.method === "dims" ? { x: String(state.x), y: String(state.y) } : {};
  return { kind: "map", more: { method: state.method, ...dims }, formats: [...images, "csv"] };
}

/** @param {Blob} blob @param {string} name */
function saveAs(blob, name) {
  const url = URL.createObjectURL(blob), a = h("a", { href: url, download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Places, names and classes of all points. @param {Session} session */
function csvOf(session) {
  const { xy } = session.map, rows = ["image,class,x,y"];
  for (let i = 0; 2 * i < xy.length; i++) rows.push([session.nameOf(i), JSON.stringify(session.className(i)), xy[2 * i], xy[2 * i + 1]].join(","));
  return new Blob([`${rows.join("\n")}\n`], { type: "text/csv" });
}

/** @param {import("./map.js").MapView} map @returns {Promise<Blob>} */
function pngOf({ base, above }) {
  const both = h("canvas", { width: base.width, height: base.height }), c = both.getContext("2d");
  c?.drawImage(base, 0, 0);
  c?.drawImage(above, 0, 0);
  return new Promise((done, fail) => both.toBlob((b) => (b ? done(b) : fail(new Error("the browser made no PNG")))));
}

/** @param {Session} session @param {import("./map.js").MapView} map */
export function showExports(session, map) {
  const { store, backend } = session, place = h("div", { class: "segments", role: "group", "aria-label": "Save the figure" });
  byId("command").append(place);
  const save = async (/** @type {string} */ format) => {
    const { kind, more } = figureOf(session), name = `${session.run.name}-${kind}.${format}`;
    if (backend.figure) return saveAs(await backend.figure(session.id, kind, format, more), name);
    saveAs(format === "csv" ? csvOf(session) : await pngOf(map), name);
  };
  const fill = () => {
    const { kind, formats } = backend.figure ? figureOf(session) : { kind: "map", formats: ["png", "csv"] };
    place.replaceChildren(
      ...formats.map((f) => h("button", { type: "button", "aria-label": `Save the figure ${kind} as ${f.toUpperCase()}`, title: `${kind}.${f}`, onclick: () => save(f).catch(session.complain) }, f.toUpperCase())),
    );
  };
  store.on(["tab", "from", "to", "method", "run", "at"], fill);
  fill();
}

// A second run beside the first: its map, its decode, and the same images lit in both.
// @ts-check
import { byId, h } from "./dom.js";
import { showPixels } from "./pixels.js";
import { Session } from "./session.js";
import { Store } from "./store.js";

/** @typedef {import("./map.js").MapView} MapView */
/** @typedef {import("./store.js").State} State */

/** What both show alike. @type {(keyof State)[]} */
const SHARED = ["hover", "selection", "hidden", "colour", "thumbs", "lasso"];

/**
 * @param {Session} first @param {MapView} map of the first @param {(session: Session) => MapView} makeMap
 * @returns {(id: string|null) => Promise<void>} shows a second run, or none
 */
export function comparison(first, map, makeMap) {
  /** @type {{session: Session, map: MapView, figure: HTMLElement, stop: () => void}|null} */
  let second = null;
  const title = h("p", { class: "title" });
  map.frame.append(title);
  const end = () => {
    second?.stop();
    second?.map.frame.remove();
    second?.figure.remove();
    second = null;
    title.textContent = "";
    delete byId("maps").dataset.second;
    byId("image-panel").querySelector(".pair")?.classList.remove("three");
  };
  return async (id) => {
    end();
    if (!id) return;
    const session = new Session(first.backend, new Store(), first.complain), theirs = makeMap(session);
    let linked = true, busy = false;
    /** @param {Session} from @param {Session} to */
    const link = (from, to) => {
      from.store.on(SHARED, (s) => linked && to.run && to.store.set(Object.fromEntries(SHARED.map((k) => [k, s[k]]))));
      from.store.on(["point"], (s) => {
        if (!linked || busy || s.point < 0 || s.point === to.state.point || s.point >= to.points) return;
        busy = true;
        to.pick(s.point).catch(first.complain).finally(() => (busy = false));
      });
    };
    const decode = h("canvas", { class: "picture empty", width: 28, height: 28, role: "img" });
    const figure = h("figure", {}, h("figcaption", {}, "Decode"), decode);
    session.store.on(["decoded"], ({ decoded }) => decoded && showPixels(decode, decoded));
    second = { session, map: theirs, figure, stop: () => (linked = false) };
    byId("maps").dataset.second = id;
    await session.open(id, { method: first.state.method });
    figure.firstElementChild?.replaceChildren("Decode", h("span", { class: "soft" }, session.run.name));
    decode.setAttribute("aria-label", `Decode by ${session.run.name}`);
    const pair = byId("image-panel").querySelector(".pair");
    pair?.append(figure);
    pair?.classList.add("three");
    title.textContent = first.run.name;
    theirs.frame.append(h("p", { class: "title" }, session.run.name));
    link(first, session);
    link(session, first);
    session.store.set(Object.fromEntries(SHARED.map((k) => [k, first.state[k]])));
    await session.pick(Math.max(first.state.point, 0));
    first.store.set({ command: `elbo compare ${first.folder} ${session.folder}` });
  };
}

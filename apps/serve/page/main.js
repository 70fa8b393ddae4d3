// The explorer: who computes, what is shown, and the parts of the page in their places.
// @ts-check
import { showChecks } from "./checks.js";
import { showCommand } from "./command.js";
import { comparison } from "./compare.js";
import { showDirections } from "./directions.js";
import { byId, h } from "./dom.js";
import { listenToKeys, listenToPointers } from "./gestures.js";
import { showExports } from "./exports.js";
import { showHead } from "./head.js";
import { showHelp } from "./help.js";
import { showHoles } from "./holes.js";
import { showHonesty } from "./honest.js";
import { showHoverCard } from "./hover.js";
import { showImagePanel } from "./image.js";
import { showLegend } from "./legend.js";
import { followServer } from "./live.js";
import { localBackend } from "./local.js";
import { MapView } from "./map.js";
import { showNearest } from "./nearest.js";
import { showPath } from "./path.js";
import { goToCode, goToView, keepFragment, stateOfWords, wantedWords } from "./permalink.js";
import { showEllipse, showPosterior } from "./posterior.js";
import { remoteBackend, takeToken } from "./remote.js";
import { showSearch } from "./search.js";
import { Session } from "./session.js";
import { showSliders } from "./sliders.js";
import { Store } from "./store.js";
import { showTabs } from "./tabs.js";
import { showTimeline } from "./timeline.js";
import { showToolbar } from "./toolbar.js";

let quiet = 0;
/** @param {unknown} e */
function complain(e) {
  const banner = byId("banner");
  banner.hidden = false;
  banner.textContent = e instanceof Error ? e.message : String(e);
  clearTimeout(quiet);
  quiet = window.setTimeout(() => (banner.hidden = document.documentElement.dataset.connected !== "no"), 6000);
}

const LABEL = "Latent map: arrow keys move the code, Enter goes to the nearest image, plus and minus zoom, question mark shows all keys";

/** @param {Session} session */
function makeMap(session) {
  const base = h("canvas", { "aria-hidden": "true" });
  const above = h("canvas", { class: "above", tabIndex: 0, role: "application", "aria-label": LABEL });
  const frame = h("div", { class: "map-frame" }, base, above, h("p", { class: "honest" }), h("p", { class: "loading" }, "Encoding the images…"));
  byId("maps").append(frame);
  const map = new MapView(session, frame, base, above);
  listenToPointers(map);
  listenToKeys(map);
  showHoverCard(map);
  showHonesty(map);
  return map;
}

/** Parts that need a run to begin with, and go on with any. @param {Session} session @param {MapView} map */
function showParts(session, map) {
  const { store } = session;
  showHead(session, comparison(session, map, makeMap));
  showToolbar(session, map);
  showImagePanel(session);
  showNearest(session);
  showCommand(store);
  showExports(session, map);
  showLegend(session);
  showSearch(session);
  showEllipse(session);
  showTabs(store, [
    { name: "dimensions", text: "Sliders", show: (p) => showSliders(session, p) },
    { name: "path", text: "Path", show: (p) => showPath(session, p) },
    { name: "directions", text: "Arithmetic", show: (p) => showDirections(session, p) },
    { name: "posterior", text: "Posterior", show: (p) => showPosterior(session, p) },
    { name: "holes", text: "Holes", show: (p) => showHoles(session, p) },
    ...(session.backend.doctor ? [{ name: "checks", text: "Checks", show: (/** @type {HTMLElement} */ p) => showChecks(session, p) }] : []),
  ]);
  return showTimeline(session);
}

async function start() {
  const local = await localBackend();
  if (!local) takeToken();
  const words = wantedWords(), backend = local ?? (await remoteBackend());
  const store = new Store(), session = new Session(backend, store, complain);
  showHelp();
  session.runs = await backend.runs();
  const good = session.runs.filter((r) => !(/** @type {any} */ (r).error));
  if (!good.length) throw new Error("There is no run to explore yet: `elbo train mnist-vae` makes one, and it appears here.");
  const map = makeMap(session);
  await session.open((good.find((r) => r.id === words.get("run")) ?? good[0]).id);
  const timeline = showParts(session, map);
  store.set(stateOfWords(words, session));
  await session.loadMap();
  store.set({ run: session.id, loaded: store.state.loaded + 1 });
  await goToCode(words, session);
  goToView(words, map);
  keepFragment(session, map);
  followServer(session, timeline);
  /** @type {any} */ (window).elbo = { session, store, backend, map };
  document.documentElement.dataset.ready = "yes";
}

start().catch((e) => {
  complain(e);
  clearTimeout(quiet);
});

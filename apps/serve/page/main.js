// The explorer: who computes, what is shown, and the parts of the page in their places.
// @ts-check
import { showCommand } from "./command.js";
import { byId, h } from "./dom.js";
import { listenToKeys, listenToPointers } from "./gestures.js";
import { showHoverCard } from "./hover.js";
import { showImagePanel } from "./image.js";
import { showLegend } from "./legend.js";
import { localBackend } from "./local.js";
import { MapView } from "./map.js";
import { remoteBackend } from "./remote.js";
import { Session } from "./session.js";
import { showSliders } from "./sliders.js";
import { Store } from "./store.js";
import { showToolbar } from "./toolbar.js";

/** @param {unknown} e */
function complain(e) {
  const banner = byId("banner");
  banner.hidden = false;
  banner.textContent = e instanceof Error ? e.message : String(e);
  setTimeout(() => (banner.hidden = true), 6000);
}

/** @param {Session} session */
function makeMap(session) {
  const base = h("canvas", { "aria-hidden": "true" });
  const above = h("canvas", { class: "above", tabIndex: 0, role: "application", "aria-label": "Latent map: arrow keys move the handle, Enter goes to the nearest image, plus and minus zoom" });
  const frame = h("div", { class: "map-frame" }, base, above, h("p", { class: "honest", "aria-live": "off" }));
  byId("maps").append(frame);
  const map = new MapView(session, frame, base, above);
  listenToPointers(map);
  listenToKeys(map);
  showHoverCard(map);
  return map;
}

async function start() {
  const backend = (await localBackend()) ?? (await remoteBackend());
  const store = new Store(), session = new Session(backend, store, complain);
  session.runs = await backend.runs();
  const map = makeMap(session);
  showImagePanel(session);
  showCommand(store);
  showLegend(session);
  await session.open(session.runs[0].id);
  showToolbar(session, map);
  const panel = h("div", { class: "panel" });
  byId("tab-panels").append(panel);
  showSliders(session, panel);
  await session.pick(0);
  /** @type {any} */ (window).elbo = { session, store, backend, map };
  document.documentElement.dataset.ready = "yes";
}

start().catch(complain);

// A training that goes on, and a server that goes away and comes back.
// @ts-check
import { newestOnly } from "./backend.js";
import { byId } from "./dom.js";

/** @param {import("./session.js").Session} session @param {{refresh: () => void}} timeline */
export function followServer(session, timeline) {
  const { backend, store } = session, banner = byId("banner");
  if (backend.isLocal) return;
  let lost = false;
  const update = newestOnly(async (/** @type {null} */ _) => {
    session.runs = await backend.runs();
    session.run = await backend.run(session.id);
    await session.loadMap();
    if (session.state.z && session.state.epoch === null) session.askDecode(session.state.z);
    timeline.refresh();
  }, () => {}, session.complain);
  backend.listen(
    (kind, data) => {
      if (kind === "runs") backend.runs().then((runs) => ((session.runs = runs), store.set({ loaded: store.state.loaded + 1 })), session.complain);
      if (kind === "map" && (data?.run ?? session.id) === session.id) session.loadMap().catch(session.complain);
      if (kind !== "epoch" || data?.run !== session.id) return;
      document.documentElement.dataset.epoch = String(data.epoch);
      update(null);
    },
    (connected) => {
      banner.hidden = connected;
      document.documentElement.dataset.connected = connected ? "yes" : "no";
      if (!connected) {
        lost = true;
        banner.textContent = "The server does not answer. Trying again…";
      } else if (lost) {
        lost = false;
        update(null);
      }
    },
  );
}

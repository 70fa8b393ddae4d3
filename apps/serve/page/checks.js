// The checks of `elbo doctor`, beside the run.
// @ts-check
import { h } from "./dom.js";

/** @param {import("./session.js").Session} session @param {HTMLElement} panel */
export function showChecks(session, panel) {
  const { store, backend } = session;
  let shown = "";
  const load = async () => {
    const { id } = session;
    if (!backend.doctor || shown === id) return;
    shown = id;
    panel.replaceChildren(h("p", { class: "empty" }, "Looking at weights, log and outputs: some seconds, the first time…"));
    try {
      const d = await backend.doctor(id);
      if (id !== session.id) return;
      const rows = d.checks.map((/** @type {any} */ c) => {
        const words = { ok: "✓ ok", note: "! note", problem: "✗ problem" }[/** @type {string} */ (c.health)] ?? c.health;
        const advice = c.advice ? h("div", { class: "small soft" }, c.advice) : null;
        return h("li", {}, h("span", { class: `mark ${c.health}` }, words), h("div", {}, h("b", {}, c.title), h("div", { class: "small" }, c.evidence), advice));
      });
      panel.replaceChildren(h("ul", { class: "checks" }, ...rows));
      store.set({ command: `elbo doctor ${session.folder}` });
    } catch (e) {
      shown = "";
      panel.replaceChildren(h("p", { class: "empty" }, e instanceof Error ? e.message : String(e)));
    }
  };
  store.on(["tab", "run"], (s) => s.tab === "checks" && void load());
}

// What can be done with a code, one at a time.
// @ts-check
import { byId, h } from "./dom.js";

/** @typedef {{name: string, text: string, show: (panel: HTMLElement) => void}} Tab */

/** @param {import("./store.js").Store} store @param {Tab[]} tabs */
export function showTabs(store, tabs) {
  const list = byId("tabs"), place = byId("tab-panels");
  const made = tabs.map(({ name, text, show }) => {
    const panel = h("div", { class: "panel", role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabIndex: -1 });
    const button = h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => store.set({ tab: name }) }, text);
    list.append(button);
    place.append(panel);
    show(panel);
    return { name, button, panel };
  });
  list.addEventListener("keydown", (k) => {
    const step = k.key === "ArrowRight" ? 1 : k.key === "ArrowLeft" ? -1 : 0, at = made.findIndex((t) => t.button === document.activeElement);
    if (!step || at < 0) return;
    k.preventDefault();
    const next = made[(at + step + made.length) % made.length];
    next.button.focus();
    store.set({ tab: next.name });
  });
  const choose = () => {
    const known = made.some((t) => t.name === store.state.tab);
    for (const [i, { name, button, panel }] of made.entries()) {
      const on = known ? name === store.state.tab : i === 0;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      panel.hidden = !on;
    }
  };
  store.on(["tab"], choose);
  choose();
}

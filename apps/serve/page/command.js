// The last gesture as a command line, copied by a click.
// @ts-check
import { announce, byId, h } from "./dom.js";

/** @param {import("./store.js").Store} store */
export function showCommand(store) {
  const code = h("code", {}), copy = h("button", { type: "button", "aria-label": "Copy the command" }, "Copy");
  byId("command").append(code, copy);
  copy.addEventListener("click", async () => {
    await copyText(store.state.command);
    copy.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (copy.textContent = "Copy"), 1200);
  });
  const show = () => {
    code.textContent = store.state.command || "elbo --help";
    code.title = store.state.command;
  };
  store.on(["command"], show);
  show();
}

/** @param {string} text */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { value: text }); // a page from a file has no clipboard of its own
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

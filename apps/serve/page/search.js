// One field: an image, a class, an expression.
// @ts-check
import { pointNamed } from "./backend.js";
import { announce, byId, h } from "./dom.js";

/** @param {import("./session.js").Session} session */
export function showSearch(session) {
  const { store, backend } = session;
  const field = h("input", { type: "search", placeholder: "test:17, class:3, mean(class:9) − …", "aria-label": "Find an image, a class, or compute an expression", spellcheck: false, autocomplete: "off" });
  const form = /** @type {HTMLFormElement} */ (byId("search"));
  form.append(field);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    find(field.value.trim()).catch(session.complain);
  });
  /** @param {string} text */
  const find = async (text) => {
    if (!text) return;
    const point = /^\d+$/.test(text) ? (session.run.test > Number(text) ? session.run.train + Number(text) : -1) : pointNamed(session.run, text);
    if (point >= 0) return session.pick(point);
    const k = text.startsWith("class:") ? session.run.classes.indexOf(text.slice(6).replace(/"/g, "")) : session.run.classes.indexOf(text);
    if (k >= 0) {
      const selection = [...session.labels.keys()].filter((i) => session.labels[i] === k);
      store.set({ selection, hidden: [], command: `elbo reconstruct ${session.folder} --images class:${session.run.classes[k]}` });
      return announce(`${selection.length} images of class ${session.run.classes[k]}`);
    }
    const { z, command } = await backend.expression(session.id, text.replace(/−/g, "-"));
    session.setCode(z, { command });
  };
}

// Which run this is, and which second one stands beside it.
// @ts-check
import { byId, h } from "./dom.js";
import { thousands } from "./maths.js";

/** @param {import("./session.js").Session} session @param {(id: string|null) => Promise<void>} compare */
export function showHead(session, compare) {
  const { store } = session, place = byId("run-choice"), facts = byId("facts");
  const fill = () => {
    const { run, runs } = session;
    if (!run) return;
    document.title = `${run.name} · elbo explorer`;
    const good = runs.filter((r) => !(/** @type {any} */ (r).error));
    const others = good.filter((r) => r.id !== run.id && r.image.join() === run.image.join() && r.data === run.data);
    const choice = h("select", { "aria-label": "Run", onchange: () => session.open(choice.value).then(() => session.pick(Math.max(session.state.point, 0))).catch(session.complain) }, ...good.map((r) => h("option", { value: r.id, selected: r.id === run.id }, r.name)));
    const second = h(
      "select",
      { id: "compare-choice", "aria-label": "Compare with", onchange: () => compare(second.value || null).catch(session.complain) },
      h("option", { value: "" }, "compare with…"),
      ...others.map((r) => h("option", { value: r.id }, r.name)),
    );
    second.value = byId("maps").dataset.second ?? "";
    place.replaceChildren(good.length > 1 ? choice : h("span", {}, run.name), ...(others.length ? [second] : []));
    const images = run.train + run.test;
    facts.textContent = [
      run.model === "vae" ? "VAE" : "autoencoder",
      `${run.latent} dimensions`,
      `${thousands(images)} images of ${run.data}`,
      run.epoch > 0 ? `epoch ${run.epoch}${run.epochs > run.epoch ? ` of ${run.epochs}` : ""}` : "",
    ].filter(Boolean).join(" · ");
    facts.title = run.command ?? "";
    if (run.conditional) facts.append(" ", classChoice(session));
  };
  store.on(["run", "loaded", "classNumber"], fill);
  fill();
}

/** What a conditional model decodes codes as. @param {import("./session.js").Session} session */
function classChoice({ run, store }) {
  const choice = h("select", { "aria-label": "Decode as class", onchange: () => store.set({ classNumber: Number(choice.value) }) }, ...run.classes.map((c, k) => h("option", { value: String(k), selected: k === (store.state.classNumber ?? 0) }, c)));
  return h("label", {}, "as class", choice);
}

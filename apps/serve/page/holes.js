// Where the prior has weight and no image lies: draws from it, those first that the encoder does not bring back.
// @ts-check
import { h } from "./dom.js";
import { distanceOf, normalsOf, shortNumber } from "./maths.js";
import { onePixels, pictureOf } from "./pixels.js";

const DRAWS = 64, HOLES_SHOWN = 24;

/** @param {import("./session.js").Session} session @param {HTMLElement} panel */
export function showHoles(session, panel) {
  const { store, backend } = session;
  let seed = 1;
  const said = h("p", { class: "small soft" }), grid = h("div", { class: "film" });
  grid.style.gridTemplateColumns = "repeat(6, 1fr)";
  const hunt = h("button", { type: "button", class: "strong", onclick: () => look().catch(session.complain) }, "Look for holes");
  panel.append(said, h("div", { class: "row" }, hunt), grid);
  const about = () => {
    const vae = session.run?.model === "vae", able = vae && backend.encode;
    hunt.hidden = !able;
    said.textContent = !vae
      ? "An autoencoder has no prior: nothing says where codes should lie."
      : able
        ? `${DRAWS} draws from the prior, the worst first: a code z whose decode is encoded far from z lies where no image does.`
        : "This page has no encoder: the network is too large for it.";
    grid.replaceChildren();
  };
  const look = async () => {
    hunt.disabled = true;
    const L = session.run.latent, z = normalsOf(seed++, DRAWS * L), o = session.decodeOptions();
    const images = await backend.decode(session.id, z, o), found = [];
    for (let k = 0; k < DRAWS; k++) {
      const one = z.slice(k * L, (k + 1) * L);
      const e = await /** @type {NonNullable<typeof backend.encode>} */ (backend.encode)(session.id, onePixels(images, k).slice(), o);
      found.push({ k, z: one, error: distanceOf(one, e.mu) });
    }
    found.sort((a, b) => b.error - a.error);
    grid.replaceChildren(
      ...found.slice(0, HOLES_SHOWN).map((f) =>
        h("button", { type: "button", title: `|E(D(z)) - z| = ${shortNumber(f.error)}`, "aria-label": `A code that comes back ${shortNumber(f.error)} away`, onclick: () => session.setCode(f.z) }, pictureOf(images, f.k, "")),
      ),
    );
    const middle = found[DRAWS >> 1].error;
    said.textContent = `The worst come back ${shortNumber(found[0].error)} away from where they were, the median ${shortNumber(middle)}; a draw is ${shortNumber(Math.sqrt(L))} long. Press one to look at it.`;
    store.set({ command: `elbo sample ${session.folder} --nearest` });
    hunt.disabled = false;
    hunt.textContent = "Other draws";
  };
  store.on(["run"], about);
  about();
}

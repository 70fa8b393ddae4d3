// A VAE encodes to a cloud, not to a point: its ellipse and samples on the map, what they decode to, and where they differ.
// @ts-check
import { newestOnly } from "./backend.js";
import { h } from "./dom.js";
import { normalsOf } from "./maths.js";
import { momentsOf, onePixels, pictureOf, showPixels } from "./pixels.js";

/** @typedef {import("./session.js").Session} Session */

const SAMPLES = 64;

/** One sigma on the map: of two dimensions exact, of PCA each axis's own. @param {Session} session @param {Float32Array} mu @param {Float32Array} logvar @returns {Promise<[number, number, number]|null>} */
async function ellipseOf(session, mu, logvar) {
  const choice = session.mapChoice(), L = mu.length, sd = logvar.map((v) => Math.exp(v / 2));
  if (choice.method === "dims") return [sd[choice.x], sd[choice.y], 0];
  if (choice.method === "tsne" || L > 250) return null; // t-SNE has no axes: the samples show it
  const z = new Float32Array((L + 1) * L);
  for (let k = 0; k <= L; k++) {
    z.set(mu, k * L);
    if (k < L) z[k * L + k] += sd[k];
  }
  const at = await session.backend.place(session.id, choice, z);
  let [xx, xy, yy] = [0, 0, 0];
  for (let k = 0; k < L; k++) {
    const dx = at[2 * k] - at[2 * L], dy = at[2 * k + 1] - at[2 * L + 1];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  const middle = (xx + yy) / 2, half = Math.hypot((xx - yy) / 2, xy);
  return [Math.sqrt(middle + half), Math.sqrt(Math.max(middle - half, 0)), 0.5 * Math.atan2(2 * xy, xx - yy)];
}

/** The ellipse of what was encoded, whatever tab is open. @param {Session} session */
export function showEllipse(session) {
  const { store } = session;
  const ask = newestOnly(
    (/** @type {{mu: Float32Array, logvar: Float32Array}} */ q) => ellipseOf(session, q.mu, q.logvar),
    (ellipse, q) => q.mu === store.state.z && store.set({ ellipse }),
    session.complain,
  );
  store.on(["z", "logvar", "loaded"], (s) => s.z && s.logvar && ask({ mu: s.z, logvar: s.logvar }));
}

/** @param {Session} session @param {HTMLElement} panel */
export function showPosterior(session, panel) {
  const { store, backend } = session;
  const said = h("p", { class: "small soft" });
  const mean = h("canvas", { class: "picture empty", width: 1, height: 1, role: "img", "aria-label": "Decode of the mean" });
  const deviation = h("canvas", { class: "picture empty", width: 1, height: 1, role: "img", "aria-label": "Standard deviation of each pixel over the samples" });
  const blur = h("canvas", { class: "picture empty", width: 1, height: 1, role: "img", "aria-label": "Mean of the decoded samples" });
  const grid = h("div", { class: "posterior" });
  panel.append(
    said,
    h("div", { class: "trio" }, h("figure", {}, mean, h("figcaption", {}, "decode of mu")), h("figure", {}, deviation, h("figcaption", {}, "deviation per pixel")), h("figure", {}, blur, h("figcaption", {}, "mean of samples"))),
    h("h3", {}, `${SAMPLES} samples of q(z|x), decoded`),
    grid,
  );
  const ask = newestOnly(
    async (/** @type {Float32Array} */ at) => {
      let { logvar } = store.state, mu = at, own = true;
      if (!logvar && backend.encode && store.state.decoded) {
        const e = await backend.encode(session.id, onePixels(store.state.decoded, 0).slice(), session.decodeOptions());
        [logvar, mu, own] = [e.logvar, e.mu, false];
      }
      if (!logvar) return null;
      const L = mu.length, noise = normalsOf(7, SAMPLES * L), z = new Float32Array(SAMPLES * L), v = logvar;
      for (let i = 0; i < z.length; i++) z[i] = mu[i % L] + Math.exp(v[i % L] / 2) * noise[i];
      const [samples, cloud, middle] = [await backend.decode(session.id, z, session.decodeOptions()), session.isSettled ? await backend.place(session.id, session.mapChoice(), z) : null, await backend.decode(session.id, mu, session.decodeOptions())];
      return { samples, cloud, middle, own };
    },
    (r, z) => {
      if (!r || z !== store.state.z) return;
      said.textContent = r.own ? "The posterior of the image: dots on the map are its samples, the ellipse is one sigma." : "The handle is no image: this is the posterior of what it decodes to.";
      showPixels(mean, r.middle);
      const { mean: middle, deviation: spread } = momentsOf(r.samples);
      showPixels(blur, middle);
      showPixels(deviation, spread);
      grid.replaceChildren(...Array.from({ length: SAMPLES }, (_, k) => pictureOf(r.samples, k, "")));
      store.set({ cloud: r.cloud });
    },
    session.complain,
  );
  store.on(["z", "tab", "decoded", "run", "moving"], (s) => {
    const on = s.tab === "posterior" && session.run?.model === "vae";
    if (session.run && session.run.model !== "vae") said.textContent = "An autoencoder encodes to a point: it has no posterior.";
    panel.classList.toggle("none", session.run?.model !== "vae");
    if (!on) return s.cloud && store.set({ cloud: null });
    if (s.z && s.decoded && !s.moving) ask(s.z);
  });
}

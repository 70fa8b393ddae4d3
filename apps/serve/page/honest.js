// What a drag on a flat map is worth: whether the code is exactly there, and what the map does not show.
// @ts-check
import { shortNumber } from "./maths.js";

/** @param {import("./map.js").MapView} map */
export function showHonesty(map) {
  const { session, frame } = map, line = /** @type {HTMLElement} */ (frame.querySelector(".honest"));
  session.store.on(["located", "z", "loaded"], ({ located, method }) => {
    line.textContent = "";
    line.classList.remove("warn");
    if (!located) return;
    const others = session.run.latent - 2;
    if (method === "dims") line.textContent = others > 0 ? `exact; the other ${others} dimensions are kept` : "exact";
    else if (method === "pca" && session.run.latent === 2) line.textContent = "exact: the plane is the whole space";
    else if (method === "pca") line.textContent = `exact on the plane; ${shortNumber(located.offPlane ?? 0, 2)} off it, kept`;
    else {
      const gap = located.gap * map.view.scale, far = gap > 40 || (located.doubt ?? 0) > 0.6;
      line.textContent = `fitted to its neighbours, lands ${gap < 1 ? "here" : "at the ghost"}${far ? ": t-SNE has no inverse here" : ""}`;
      line.classList.toggle("warn", far);
    }
  });
}

// The card beside the pointer: which image a point is.
// @ts-check
import { newestOnly } from "./backend.js";
import { h } from "./dom.js";
import { shortNumber } from "./maths.js";
import { showPixels } from "./pixels.js";

/** @param {import("./map.js").MapView} map */
export function showHoverCard(map) {
  const { session, frame, view } = map, { store, backend } = session;
  const picture = h("canvas", { class: "picture", width: 1, height: 1, "aria-hidden": "true" });
  const name = h("b", {}), more = h("div", { class: "soft small" });
  const card = h("div", { class: "hover-card", hidden: true }, picture, h("div", {}, name, more));
  frame.append(card);
  const ask = newestOnly(
    (/** @type {number} */ point) => backend.images(session.id, [point]),
    (p, point) => {
      if (point !== store.state.hover) return;
      showPixels(picture, p);
      card.dataset.point = String(point);
      card.hidden = false;
    },
    session.complain,
  );
  store.on(["hover", "loaded"], ({ hover: point }) => {
    const { xy } = session.map ?? {};
    if (point < 0 || !xy || 2 * point >= xy.length) return void (card.hidden = true);
    const [x, y] = view.toScreen(xy[2 * point], xy[2 * point + 1]);
    const right = x > view.width - 230, low = y > view.height - 90;
    card.style.left = right ? "" : `${x + 14}px`;
    card.style.right = right ? `${view.width - x + 14}px` : "";
    card.style.top = low ? "" : `${y + 10}px`;
    card.style.bottom = low ? `${view.height - y + 10}px` : "";
    name.textContent = session.nameOf(point);
    const value = session.values ? `${session.state.colour} ${shortNumber(session.values[point])}` : "";
    more.textContent = [session.className(point) && `class ${session.className(point)}`, value].filter(Boolean).join(" · ");
    if (card.dataset.point !== String(point)) card.hidden = true;
    else card.hidden = false;
    ask(point);
  });
}

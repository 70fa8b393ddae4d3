// One run that is looked at: its data, and the gestures on it that every part of the page shares.
// @ts-check
import { newestOnly, pointName } from "./backend.js";
import { announce } from "./dom.js";
import { onePixels } from "./pixels.js";
import { shortNumber } from "./maths.js";

/** @typedef {import("./backend.js").Backend} Backend */
/** @typedef {import("./backend.js").Run} Run */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").State} State */

export class Session {
  /** @param {Backend} backend @param {Store} store @param {(e: unknown) => void} complain */
  constructor(backend, store, complain) {
    this.backend = backend;
    this.store = store;
    this.complain = complain;
    /** @type {Run[]} */
    this.runs = [];
    this.run = /** @type {Run} */ (/** @type {unknown} */ (null));
    this.map = /** @type {import("./backend.js").MapPoints} */ (/** @type {unknown} */ (null));
    /** @type {Uint8Array} */
    this.labels = new Uint8Array(0);
    /** @type {Float32Array|null} */
    this.values = null;
    /** @type {Float32Array|null} */
    this.dragFrom = null;
    this.baseName = ""; // the image that sliders began with
    this.askDecode = newestOnly(
      (/** @type {Float32Array} */ z) => backend.decode(this.id, z, this.decodeOptions()),
      (decoded) => store.set({ decoded }),
      complain,
    );
    this.askPlace = newestOnly(
      (/** @type {Float32Array} */ z) => backend.place(this.id, this.mapChoice(), z),
      (place, z) => z === this.state.z && store.set({ place: [place[0], place[1]], target: [place[0], place[1]] }),
      complain,
    );
    this.askLocate = newestOnly(
      (/** @type {[number, number]} */ to) => backend.locate(this.id, this.mapChoice(), this.dragFrom ?? this.meanCode(), to),
      (located) => this.#located(located),
      complain,
    );
    store.on(["method", "x", "y", "epoch"], () => void this.loadMap().catch(complain));
    store.on(["colour"], () => void this.loadValues().catch(complain));
    store.on(["classNumber", "epoch"], () => this.state.z && this.askDecode(this.state.z));
  }

  /** @returns {State} */
  get state() {
    return this.store.state;
  }

  get id() {
    return this.run.id;
  }

  /** @returns {import("./backend.js").MapChoice} */
  mapChoice() {
    const { method, x, y, epoch } = this.state;
    return { method, x, y, epoch };
  }

  decodeOptions() {
    return { classNumber: this.run.conditional ? (this.state.classNumber ?? 0) : null, epoch: this.state.epoch };
  }

  get points() {
    return this.run.train + this.run.test;
  }

  /** @param {number} point */
  nameOf(point) {
    return pointName(this.run, point);
  }

  /** @param {number} point @returns {string} "7"; "": not known */
  className(point) {
    return this.run.classes[this.labels[point]] ?? "";
  }

  /** The mean of all codes. @returns {Float32Array} */
  meanCode() {
    const mean = new Float32Array(this.run.latent);
    for (const d of this.run.dimensions ?? []) mean[d.index] = d.mean;
    return mean;
  }

  /** @param {string} id @param {Partial<State>} wanted */
  async open(id, wanted = {}) {
    this.run = await this.backend.run(id);
    const order = (this.run.dimensions ?? []).map((d) => d.index);
    const maps = this.run.maps;
    this.labels = await this.backend.labels(id).catch(() => new Uint8Array(0));
    this.store.set({ run: id, selection: [], hover: -1, hidden: [], epoch: null, cloud: null, ellipse: null, path: null, from: -1, to: -1 });
    this.store.set({
      method: maps.includes(this.state.method) ? this.state.method : maps[0],
      x: order[0] ?? 0,
      y: order[1] ?? Math.min(1, this.run.latent - 1),
      ...wanted,
    });
    await this.loadMap();
    await this.loadValues();
  }

  async loadMap() {
    if (!this.run) return;
    const choice = this.mapChoice();
    let map;
    try {
      map = await this.backend.map(this.id, choice);
    } catch (e) {
      if (this.map && this.map.method !== choice.method) this.store.set({ method: this.map.method });
      throw e;
    }
    if (JSON.stringify(choice) !== JSON.stringify(this.mapChoice())) return; // another was chosen meanwhile
    this.map = map;
    const { z, point } = this.state, { xy } = map;
    const place = /** @type {[number, number]|null} */ (point >= 0 ? [xy[2 * point], xy[2 * point + 1]] : null);
    this.store.set({ loaded: this.state.loaded + 1, located: null, place, target: place });
    if (z && !place && map.done === 1) this.askPlace(z);
  }

  async loadValues() {
    if (!this.run) return;
    const by = this.state.colour;
    const values = by === "class" ? null : await this.backend.values(this.id, by);
    if (by !== this.state.colour) return;
    this.values = values;
    this.store.set({ loaded: this.state.loaded + 1 });
  }

  // ---- the code that is looked at ----

  /** @param {Float32Array} z @param {Partial<State>} more what is known besides */
  setCode(z, more = {}) {
    const fresh = { at: "", point: -1, drawn: null, logvar: null, located: null, cloud: null, ellipse: null };
    this.store.set({ ...fresh, ...more, z });
    if (!more.command) this.store.set({ command: this.decodeCommand() });
    this.askDecode(z);
    if (!more.place && this.map.done === 1) this.askPlace(z);
  }

  /** The handle goes to an image of the data. @param {number} point */
  async pick(point) {
    const code = await this.backend.codes(this.id, [point]), L = this.run.latent;
    const vae = this.run.model === "vae", name = this.nameOf(point);
    const { xy } = this.map, place = /** @type {[number, number]} */ ([xy[2 * point], xy[2 * point + 1]]);
    this.setCode(code.slice(0, L), {
      at: name,
      point,
      place,
      target: place,
      logvar: vae ? code.slice(L, 2 * L) : null,
      command: `elbo reconstruct ${this.folder} --images ${name}`,
    });
    if (this.run.conditional && this.labels.length) this.store.set({ classNumber: this.labels[point] });
    announce(`${name}${this.className(point) ? `, a ${this.className(point)}` : ""}`);
  }

  /** A map that is still being computed has no inverse. */
  get isSettled() {
    return this.map?.done === 1;
  }

  /** @param {[number, number]} to */
  beginDrag(to) {
    if (!this.isSettled) return;
    this.dragFrom = this.state.z ?? this.meanCode();
    this.store.set({ moving: true });
    this.dragTo(to);
  }

  /** @param {[number, number]} to */
  dragTo(to) {
    if (!this.isSettled) return;
    this.store.set({ target: to });
    this.askLocate(to);
  }

  endDrag() {
    this.dragFrom = this.state.z;
    this.store.set({ moving: false, command: this.decodeCommand() });
  }

  /** The code of a place where there was none. @param {[number, number]} to */
  decodeAt(to) {
    if (!this.isSettled) return;
    this.dragFrom = this.meanCode();
    this.store.set({ target: to });
    this.askLocate(to);
  }

  /** @param {import("./backend.js").Located} located */
  #located(located) {
    this.setCode(located.z, { located, place: located.place, command: this.decodeCommand(located.z) });
  }

  /** @param {Uint8Array} image (C, H, W) that was painted, dropped or pasted */
  async encode(image) {
    if (!this.backend.encode) return;
    const e = await this.backend.encode(this.id, image, this.decodeOptions());
    this.setCode(e.mu, { drawn: image, logvar: e.logvar, command: `elbo encode ${this.folder} image.png -o z.npy` });
  }

  // ---- words ----

  /** As a shell reads it. */
  get folder() {
    const { epoch } = this.state;
    return shellWord(epoch === null ? this.run.folder : `${this.run.folder}/history/${String(epoch).padStart(5, "0")}`);
  }

  /** @param {import("./backend.js").Method} method */
  mapCommand(method) {
    return method === "dims" ? `elbo manifold ${this.folder} --dims ${this.state.x},${this.state.y}` : `elbo project ${this.folder} --method ${method} --split all`;
  }

  /** @param {Float32Array|null} z */
  decodeCommand(z = this.state.z) {
    if (!z) return "";
    return `echo '${[...z].map((v) => shortNumber(v, 7)).join(",")}' > z.csv && elbo decode ${this.folder} z.csv -o decoded.png`;
  }

  /** What the handle is called in an expression; null: it has no name. */
  get codeName() {
    return this.state.at || null;
  }

  /** The image that was encoded, where there is one. @returns {Promise<import("./backend.js").Pixels|null>} */
  async source() {
    const { drawn, point } = this.state;
    if (drawn) return { n: 1, shape: this.run.image, data: drawn };
    if (point < 0) return null;
    const p = await this.backend.images(this.id, [point]);
    return { n: 1, shape: p.shape, data: onePixels(p, 0) };
  }
}

/** @param {string} word */
export const shellWord = (word) => (/^[\w./:=+-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`);

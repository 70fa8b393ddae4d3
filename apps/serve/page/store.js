// What the page shows, in one place: parts of the page set it and are told of changes.
// @ts-check

/**
 * @typedef {object} State
 * @property {string} run
 * @property {import("./backend.js").Method} method
 * @property {number} x dimensions of the map "dims"
 * @property {number} y
 * @property {string} colour "class", or one of the backend's colourings
 * @property {number[]} hidden classes
 * @property {boolean} thumbs
 * @property {Float32Array|null} z the code that the handle stands for
 * @property {string} at its name: "test:17", or an expression; "": moved by hand
 * @property {number} point the image that it was encoded from; -1: none
 * @property {Uint8Array|null} drawn a painted or dropped image, (C, H, W)
 * @property {Float32Array|null} logvar of the posterior at z
 * @property {[number, number]|null} place where the map shows z
 * @property {[number, number]|null} target where the handle is held
 * @property {import("./backend.js").Located|null} located what the last drag said of itself
 * @property {import("./backend.js").Pixels|null} decoded
 * @property {number} from ends of the path: points; -1: none
 * @property {number} to
 * @property {number[]} selection points
 * @property {number} hover a point; -1: none
 * @property {string} tab
 * @property {number|null} epoch
 * @property {number|null} classNumber what a conditional model decodes as
 * @property {string} command
 * @property {number} loaded grows when map, labels or values are others
 * @property {boolean} moving while something is dragged: drawn fast, finished later
 * @property {boolean} lasso a drag on the map selects
 * @property {Float32Array|null} cloud places of posterior samples, (n, 2)
 * @property {[number, number, number]|null} ellipse of one sigma on the map: half axes, angle
 * @property {Float32Array|null} path places of the path's codes, (n, 2)
 */

/** @returns {State} */
export const firstState = () => ({
  run: "",
  method: "pca",
  x: 0,
  y: 1,
  colour: "class",
  hidden: [],
  thumbs: false,
  z: null,
  at: "",
  point: -1,
  drawn: null,
  logvar: null,
  place: null,
  target: null,
  located: null,
  decoded: null,
  from: -1,
  to: -1,
  selection: [],
  hover: -1,
  tab: "dimensions",
  epoch: null,
  classNumber: null,
  command: "",
  loaded: 0,
  moving: false,
  lasso: false,
  cloud: null,
  ellipse: null,
  path: null,
});

export class Store {
  constructor() {
    this.state = firstState();
    /** @type {{keys: (keyof State)[], tell: (s: State) => void}[]} */
    this.listeners = [];
  }

  /** @param {Partial<State>} change */
  set(change) {
    const changed = /** @type {(keyof State)[]} */ (Object.keys(change)).filter((k) => this.state[k] !== change[k]);
    if (!changed.length) return;
    Object.assign(this.state, change);
    for (const l of this.listeners) if (l.keys.some((k) => changed.includes(k))) l.tell(this.state);
  }

  /** @param {(keyof State)[]} keys @param {(s: State) => void} tell */
  on(keys, tell) {
    this.listeners.push({ keys, tell });
  }
}

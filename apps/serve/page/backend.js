// What the page asks of whoever computes for it: the server (remote.js), or the page itself (local.js).
// @ts-check

/**
 * @typedef {"pca"|"tsne"|"dims"} Method
 * @typedef {{index: number, kl: number|null, mean: number, std: number}} Dimension
 *
 * @typedef {object} Run
 * @property {string} id
 * @property {string} name
 * @property {string} folder
 * @property {"ae"|"vae"} model
 * @property {string} data
 * @property {number} latent
 * @property {[number, number, number]} image C, H, W
 * @property {string[]} classes
 * @property {boolean} conditional
 * @property {number} epoch
 * @property {number} epochs
 * @property {boolean} training
 * @property {number} train images: points 0 .. train - 1
 * @property {number} test images: the points behind them
 * @property {number[]} history epochs whose weights are kept
 * @property {Method[]} maps
 * @property {string} fingerprint
 * @property {Dimension[]} [dimensions] the most informative first
 * @property {string} [command]
 *
 * @typedef {object} MapPoints
 * @property {Float32Array} xy (n, 2)
 * @property {Method} method
 * @property {number|null} trust
 * @property {[number, number]|null} explained
 * @property {number} done 0 to 1: t-SNE goes on while it is shown
 *
 * @typedef {object} Pixels
 * @property {number} n
 * @property {[number, number, number]} shape C, H, W
 * @property {Uint8Array} data (n, C, H, W)
 *
 * @typedef {{method: Method, x: number, y: number, epoch: number|null}} MapChoice
 * @typedef {{classNumber: number|null, epoch: number|null}} DecodeOptions
 *
 * @typedef {object} Located
 * @property {Float32Array} z
 * @property {[number, number]} place where the map shows z
 * @property {number} gap between it and where it was asked for
 * @property {number|null} offPlane distance of z from the plane of PCA, kept
 * @property {boolean} exact
 * @property {number} [doubt] 0 to 1: how much the neighbours' codes differ there
 *
 * @typedef {{mu: Float32Array, logvar: Float32Array|null, kl: number|null}} Encoded
 * @typedef {{points: number[], distances: number[], verdict: string|null, ratio: number|null}} Nearest
 * @typedef {{count: number, mean: Float32Array, classes: number[]}} Selected
 * @typedef {{name: string, z: Float32Array}} Vector
 * @typedef {{name: string, unit: string, epochs: number[], train: (number|null)[], test: (number|null)[]}} Curve
 *
 * @typedef {object} Backend
 * @property {boolean} isLocal
 * @property {any} [model] of a page without a server: itself, for scripts
 * @property {boolean} readOnly
 * @property {() => Promise<Run[]>} runs
 * @property {(id: string) => Promise<Run>} run
 * @property {(id: string, choice: MapChoice) => Promise<MapPoints>} map
 * @property {(id: string) => Promise<Uint8Array>} labels
 * @property {(id: string) => string[]} colourings "loss", "density", ...
 * @property {(id: string, by: string) => Promise<Float32Array>} values
 * @property {(id: string, from: number, count: number) => Promise<Pixels>} thumbs
 * @property {(id: string, points: number[]) => Promise<Pixels>} images
 * @property {(id: string, points: number[]) => Promise<Float32Array>} codes (n, 2 latent): mu, logvar
 * @property {(id: string, z: Float32Array, o: DecodeOptions) => Promise<Pixels>} decode
 * @property {((id: string, image: Uint8Array, o: DecodeOptions) => Promise<Encoded>)|null} encode
 * @property {(id: string, choice: MapChoice, z: Float32Array) => Promise<Float32Array>} place (n, 2)
 * @property {(id: string, choice: MapChoice, from: Float32Array, to: [number, number]) => Promise<Located>} locate
 * @property {(id: string, z: Float32Array, o: DecodeOptions) => Promise<Nearest>} nearest
 * @property {(id: string, points: number[]) => Promise<Selected>} select
 * @property {(id: string, text: string) => Promise<{z: Float32Array, command: string}>} expression
 * @property {(id: string) => Promise<Vector[]>} vectors
 * @property {(id: string, name: string, z: Float32Array|null, expression?: string) => Promise<void>} keepVector null: removes it
 * @property {(id: string) => Promise<Curve[]>} log
 * @property {((id: string) => Promise<any>)|null} doctor
 * @property {((id: string, kind: string, format: string, more: Record<string, string>) => Promise<Blob>)|null} figure
 * @property {(heard: (kind: string, data: any) => void, state: (connected: boolean) => void) => void} listen
 */

/**
 * Only the newest of the requests of one kind counts: one is under way, one waits, older ones are dropped.
 * @template A, R
 * @param {(argument: A) => Promise<R>} ask @param {(result: R, argument: A) => void} give @param {(error: Error) => void} fail
 * @returns {(argument: A) => void}
 */
export function newestOnly(ask, give, fail) {
  let busy = false;
  /** @type {{argument: A}|null} */
  let waiting = null;
  const next = (/** @type {A} */ argument) => {
    busy = true;
    ask(argument)
      .then((result) => give(result, argument))
      .catch(fail)
      .finally(() => {
        busy = false;
        const w = waiting;
        waiting = null;
        if (w) next(w.argument);
      });
  };
  return (argument) => {
    if (busy) waiting = { argument };
    else next(argument);
  };
}

/** "train:5", "test:17" @param {Run} run @param {number} point */
export const pointName = (run, point) => (point < run.train ? `train:${point}` : `test:${point - run.train}`);

/** @param {Run} run @param {string} name @returns {number} -1: there is none */
export function pointNamed(run, name) {
  const found = /^(train|test):(\d+)$/.exec(name.trim());
  if (!found) return -1;
  const index = Number(found[2]);
  return found[1] === "train" ? (index < run.train ? index : -1) : index < run.test ? run.train + index : -1;
}

// The backend that is `elbo serve`: its interface under /api/1/, with the token that the address brought.
// @ts-check

/** @typedef {import("./backend.js").Backend} Backend */
/** @typedef {import("./backend.js").MapChoice} MapChoice */
/** @typedef {import("./backend.js").Pixels} Pixels */
/** @typedef {import("./backend.js").DecodeOptions} DecodeOptions */

const TOKEN = "elbo-token";

/** The token out of the address's fragment, kept for this tab alone; the fragment is left to the state of the page. */
export function takeToken() {
  const words = new URLSearchParams(location.hash.slice(1));
  const token = words.get("token");
  if (token) {
    sessionStorage.setItem(TOKEN, token);
    words.delete("token");
    history.replaceState(null, "", `#${words}`);
  }
  return sessionStorage.getItem(TOKEN) ?? "";
}

/** An answer that is not 2xx, with its one line. */
export class Refusal extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** @typedef {{data: Float32Array|Uint8Array|Int32Array, shape: number[], map: any}} ShapedArray */

/** @param {Response} r @returns {Promise<ShapedArray>} */
async function arrayOf(r) {
  const bytes = await r.arrayBuffer(), type = r.headers.get("Elbo-Type");
  const data = type === "f32" ? new Float32Array(bytes) : type === "i32" ? new Int32Array(bytes) : new Uint8Array(bytes);
  const map = r.headers.get("Elbo-Map");
  return { data, shape: (r.headers.get("Elbo-Shape") ?? "").split(",").map(Number), map: map ? JSON.parse(map) : null };
}

/** @param {ShapedArray} a @returns {Pixels} */
function pixelsOfArray({ data, shape: [n, c, h, w] }) {
  return { n, shape: [c, h, w], data: /** @type {Uint8Array} */ (data) };
}

/** @param {MapChoice} c */
function mapWords(c) {
  const words = new URLSearchParams({ method: c.method });
  if (c.method === "dims") {
    words.set("x", String(c.x));
    words.set("y", String(c.y));
  }
  if (c.epoch !== null) words.set("epoch", String(c.epoch));
  return words;
}

/** @param {DecodeOptions} o */
function decodeWords(o) {
  const words = new URLSearchParams();
  if (o.classNumber !== null) words.set("class", String(o.classNumber));
  if (o.epoch !== null) words.set("epoch", String(o.epoch));
  return words.size ? `?${words}` : "";
}

/** @param {any} log of the server @returns {import("./backend.js").Curve[]} */
function curvesOf(log) {
  const epochs = log.epochs.map((/** @type {any} */ e) => e.epoch);
  const of = (/** @type {string} */ split, /** @type {string} */ name) =>
    log.epochs.map((/** @type {any} */ e) => e[split]?.[name] ?? e[split]?.metrics?.[name] ?? null);
  const names = ["loss", "objective", "reconstruction", "kl", ...(log.metrics ?? []).map((/** @type {any} */ m) => m.name)];
  return [...new Set(names)]
    .map((name) => {
      const unit = (log.metrics ?? []).find((/** @type {any} */ m) => m.name === name)?.unit ?? "nats/image";
      return { name, unit, epochs, train: of("train", name), test: of("test", name) };
    })
    .filter((c) => [...c.train, ...c.test].some((v) => v !== null));
}

/** Lines of an event stream, one event after the other. @param {ReadableStream<BufferSource>} body @param {(kind: string, data: any) => void} heard */
async function readEvents(body, heard) {
  const reader = /** @type {ReadableStream<any>} */ (body).pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const lines = text.slice(0, end).split("\n");
      const word = (/** @type {string} */ name) => lines.filter((l) => l.startsWith(`${name}:`)).map((l) => l.slice(name.length + 1).trim()).join("\n");
      if (word("event")) heard(word("event"), word("data") ? JSON.parse(word("data")) : null);
    }
  }
}

/** @returns {Promise<Backend>} */
export async function remoteBackend() {
  const token = takeToken();
  /** @param {string} path @param {RequestInit} [o] */
  const ask = async (path, o = {}) => {
    const r = await fetch(`api/1/${path}`, { ...o, headers: { Authorization: `Bearer ${token}`, ...o.headers } });
    if (r.ok) return r;
    const said = await r.json().catch(() => null);
    throw new Refusal(r.status, said?.error ?? `the server answered ${r.status}`);
  };
  const json = async (/** @type {string} */ path) => (await ask(path)).json();
  /** @param {string} path @param {any} body @param {string} [method] */
  const send = (path, body, method = "POST") =>
    ask(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  /** @param {string} path @param {Float32Array|Uint8Array} bytes */
  const sendBytes = (path, bytes) =>
    ask(path, {
      method: "POST",
      body: /** @type {BodyInit} */ (/** @type {unknown} */ (bytes)),
      headers: { "Content-Type": "application/octet-stream" },
    });
  const one = (/** @type {string} */ id) => `runs/${encodeURIComponent(id)}`;
  const about = await json("runs");

  return {
    isLocal: false,
    readOnly: about.read_only,
    runs: async () => (await json("runs")).runs,
    run: (id) => json(one(id)),
    map: async (id, c) => {
      const a = await arrayOf(await ask(`${one(id)}/map?${mapWords(c)}`));
      const { trust = null, explained = null, done = 1 } = a.map ?? {};
      return { xy: /** @type {Float32Array} */ (a.data), method: c.method, trust, explained, done };
    },
    labels: async (id) => /** @type {Uint8Array} */ ((await arrayOf(await ask(`${one(id)}/labels`))).data),
    colourings: () => ["loss", "density", "hole"],
    values: async (id, by) => /** @type {Float32Array} */ ((await arrayOf(await ask(`${one(id)}/values?by=${by}`))).data),
    thumbs: async (id, from, count) => pixelsOfArray(await arrayOf(await ask(`${one(id)}/thumbs?from=${from}&count=${count}`))),
    images: async (id, points) => pixelsOfArray(await arrayOf(await send(`${one(id)}/images`, { points }))),
    codes: async (id, points) => /** @type {Float32Array} */ ((await arrayOf(await send(`${one(id)}/codes`, { points }))).data),
    decode: async (id, z, o) => pixelsOfArray(await arrayOf(await sendBytes(`${one(id)}/decode${decodeWords(o)}`, z))),
    encode: async (id, image, o) => {
      const e = await (await sendBytes(`${one(id)}/encode${decodeWords({ ...o, epoch: null })}`, image)).json();
      const logvar = e.logvar?.[0] ? Float32Array.from(e.logvar[0]) : null;
      return { mu: Float32Array.from(e.mu[0]), logvar, kl: e.kl?.[0] ?? null };
    },
    place: async (id, c, z) => /** @type {Float32Array} */ ((await arrayOf(await sendBytes(`${one(id)}/place?${mapWords(c)}`, z))).data),
    locate: async (id, c, from, to) => {
      const r = await (await send(`${one(id)}/locate?${mapWords(c)}`, { from: [...from], to })).json();
      return { z: Float32Array.from(r.z), place: r.place, gap: r.gap ?? 0, offPlane: r.off_plane ?? null, exact: r.exact, doubt: r.doubt ?? undefined };
    },
    nearest: async (id, z, o) => {
      const r = await (await sendBytes(`${one(id)}/nearest${decodeWords({ ...o, epoch: null })}`, z)).json(), first = r.nearest?.[0] ?? { points: [], distances: [] };
      const verdict = [r.verdict].flat()[0] ?? first.verdict ?? null, ratio = [r.ratio].flat()[0] ?? first.ratio ?? null;
      return { points: first.points, distances: first.distances, verdict, ratio };
    },
    select: async (id, points) => {
      const r = await (await send(`${one(id)}/select`, { points })).json();
      return { count: r.count, mean: Float32Array.from(r.mean), classes: r.classes };
    },
    expression: async (id, text) => {
      const r = await (await send(`${one(id)}/expression`, { text })).json();
      return { z: Float32Array.from(r.z), command: r.command };
    },
    vectors: async (id) => (await json(`${one(id)}/vectors`)).map((/** @type {any} */ v) => ({ name: v.name, z: Float32Array.from(v.z) })),
    keepVector: async (id, name, z, expression) => {
      const path = `${one(id)}/vectors/${encodeURIComponent(name)}`;
      await (z ? send(path, { z: [...z], ...(expression ? { expression } : {}) }, "PUT") : ask(path, { method: "DELETE" }));
    },
    log: async (id) => curvesOf(await json(`${one(id)}/log`)),
    doctor: (id) => json(`${one(id)}/doctor`),
    figure: async (id, kind, format, more) => (await ask(`${one(id)}/figure?${new URLSearchParams({ kind, format, ...more })}`)).blob(),
    listen: (heard, state) => void listenAlways(ask, heard, state),
  };
}

/**
 * One stream for this page, closed while its tab is hidden (browsers allow six connections a host), opened again after
 * it breaks: at once, then ever more seldom, up to two seconds.
 * @param {(path: string, o?: RequestInit) => Promise<Response>} ask
 * @param {(kind: string, data: any) => void} heard @param {(connected: boolean) => void} state
 */
async function listenAlways(ask, heard, state) {
  for (let wait = 100; ; wait = Math.min(wait * 2, 2000)) {
    if (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    const stop = new AbortController(), hide = () => document.hidden && stop.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      const r = await ask("events", { signal: stop.signal });
      state(true);
      wait = 100;
      if (r.body) await readEvents(/** @type {ReadableStream<any>} */ (r.body), heard);
      state(document.hidden);
    } catch (e) {
      if (!stop.signal.aborted) state(false);
      if (e instanceof Refusal && e.status === 401) return;
    }
    document.removeEventListener("visibilitychange", hide);
    await new Promise((done) => setTimeout(done, wait));
  }
}

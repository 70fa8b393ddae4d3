// What the browser's tests share: small data, trained runs, a server, pages that note every error.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const ELBO = process.env.ELBO ?? join(ROOT, "build/elbo");
export const CLASSES = 4, TRAIN = 2400, TEST = 600, SIDE = 28;

export const folder = mkdtempSync(join(tmpdir(), "elbo-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Runs elbo in the folder of the tests; its output. */
export const elbo = (...words) => execFileSync(ELBO, words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

// ---- data: a bar upright, a bar lying, a ring, a cross, somewhere ----

function imageOf(k, next) {
  const image = new Uint8Array(SIDE * SIDE), x = 9 + 10 * next(), y = 9 + 10 * next(), size = 5 + 3 * next(), thick = 1.2 + 1.3 * next();
  for (let i = 0; i < SIDE; i++)
    for (let j = 0; j < SIDE; j++) {
      const dx = j - x, dy = i - y, long = Math.max(Math.abs(dx), Math.abs(dy)) - size;
      const d = [Math.max(Math.abs(dx), Math.abs(dy) - size), Math.max(Math.abs(dy), Math.abs(dx) - size), Math.abs(Math.hypot(dx, dy) - size * 0.8), Math.max(Math.min(Math.abs(dx), Math.abs(dy)), long)][k];
      image[i * SIDE + j] = Math.round(255 * Math.min(Math.max(thick + 0.5 - d, 0), 1));
    }
  return image;
}

/** An IDX folder as MNIST's; the images are kept to compare with. */
export const data = { images: [], labels: [] };
function makeData() {
  let s = 1;
  const next = () => ((s = (Math.imul(s, 1103515245) + 12345) & 0x7fffffff) / 0x80000000);
  mkdirSync(join(folder, "shapes"));
  for (const [name, n] of [["train", TRAIN], ["t10k", TEST]]) {
    const images = Buffer.alloc(16 + n * SIDE * SIDE), labels = Buffer.alloc(8 + n);
    [0x803, n, SIDE, SIDE].forEach((v, i) => images.writeInt32BE(v, 4 * i));
    [0x801, n].forEach((v, i) => labels.writeInt32BE(v, 4 * i));
    for (let i = 0; i < n; i++) {
      const k = Math.floor(next() * CLASSES), image = imageOf(k, next);
      images.set(image, 16 + i * SIDE * SIDE);
      labels[8 + i] = k;
      data.images.push(image);
      data.labels.push(k);
    }
    writeFileSync(join(folder, "shapes", `${name}-images-idx3-ubyte`), images);
    writeFileSync(join(folder, "shapes", `${name}-labels-idx1-ubyte`), labels);
  }
}

const CONV = `about: a small convolutional VAE
kind: vae
data: mnist
latent: 6
encoder: [conv2d 6 kernel=3 stride=2 padding=1, batch_norm2d, leaky_relu, conv2d 8 kernel=3 stride=2 padding=1, silu, max_pool2d 2 stride=1, flatten, linear 40, gelu]
decoder: [linear 392, layer_norm, unflatten 8 7 7, upsample 2 mode=bilinear, conv2d 6 kernel=3 padding=1, group_norm groups=2, relu, conv_transpose2d 4 kernel=3 stride=2 padding=1 output_padding=1, tanh, conv2d 1 kernel=1, sigmoid]
loss: {reconstruction: bce, kl: 1}
train: {epochs: 2, batch: 64, optimizer: adam, lr: 0.002, seed: 0}
`;

/** Data and four runs, trained once for all tests. */
export function prepare() {
  makeData();
  writeFileSync(join(folder, "conv.yaml"), CONV);
  const runs = [["vae", "mnist-vae", "8"], ["other", "mnist-vae", "3"], ["plane", "mnist-vae-2d", "3"], ["ae", "mnist-ae", "3"], ["conv", "conv.yaml", "2"], ["class", "mnist-cvae", "2"]];
  for (const [run, recipe, epochs] of runs) elbo("train", recipe, "--data", "shapes", "-e", epochs, "-q", "-o", `runs/${run}`, "--set", "train.history=24");
}

/** A page without a server. */
export function explorePage(run) {
  const path = join(folder, `${run}.html`);
  if (!existsSync(path)) elbo("report", `runs/${run}`, "--explore", "-o", path);
  return `file://${path}`;
}

// ---- numpy files ----

export function readNpy(name) {
  const b = readFileSync(join(folder, name)), at = 10 + b.readUInt16LE(8);
  return Float32Array.from({ length: (b.length - at) / 4 }, (_, i) => b.readFloatLE(at + 4 * i));
}

/** uint8 (n, 1, 28, 28) */
export function writeImages(name, images) {
  const n = images.length / (SIDE * SIDE);
  const head = `{'descr': '|u1', 'fortran_order': False, 'shape': (${n}, 1, ${SIDE}, ${SIDE}), }`.padEnd(117) + "\n";
  const begin = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  writeFileSync(join(folder, name), Buffer.concat([begin, Buffer.from(head), Buffer.from(images)]));
}

/** What `elbo decode` makes of codes: floats from 0 to 1. */
export function decodeByElbo(run, codes, latent, ...words) {
  const rows = [];
  for (let i = 0; i < codes.length; i += latent) rows.push(codes.slice(i, i + latent).join(","));
  writeFileSync(join(folder, "z.csv"), `${rows.join("\n")}\n`);
  elbo("decode", `runs/${run}`, "z.csv", "-o", "x.npy", ...words);
  return readNpy("x.npy");
}

export const largest = (a, b) => a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0);

// ---- the server ----

export class Server {
  async start(...words) {
    this.process = spawn(ELBO, ["serve", ...(words.length ? words : ["runs"]), "--no-open", "--port", String(this.port ?? 0)], { cwd: folder });
    let said = "";
    this.address = await new Promise((done, fail) => {
      this.process.stdout.on("data", (t) => {
        said += t;
        const found = /http:\/\/\S+/.exec(said);
        if (found) done(found[0]);
      });
      this.process.stderr.on("data", (t) => (said += t));
      this.process.on("exit", () => fail(new Error(`elbo serve ended: ${said}`)));
    });
    this.port = Number(new URL(this.address).port);
    return this.address;
  }

  async end(signal = "SIGTERM") {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = new Promise((done) => this.process.on("exit", done));
    this.process.kill(signal);
    await ended;
  }
}

// ---- pages ----

let browser;
export async function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
export const closeBrowser = () => browser?.close();

/** A page that is ready; `page.errors` has all that the browser complained of, CSP among it. */
export async function openPage(address, { scheme = "light", size = [1280, 800] } = {}) {
  const context = await browser.newContext({ viewport: { width: size[0], height: size[1] }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.errors = [];
  page.requested = [];
  page.on("console", (m) => m.type() === "error" && page.errors.push(m.text()));
  page.on("pageerror", (e) => page.errors.push(e.message));
  page.on("request", (r) => page.requested.push(r.url()));
  await page.goto(address);
  await page.waitForSelector("html[data-ready]", { state: "attached" }).catch(() => {
    throw new Error(`the page did not become ready: ${page.errors.join("; ")}`);
  });
  return page;
}

/** Waits until a function of the page is true. */
export const until = (page, f, argument) => page.waitForFunction(f, argument, { polling: 30 });

/** Where a point of the map, or the handle, is on the screen. */
export async function screenOf(page, what) {
  const box = await page.locator("canvas.above").first().boundingBox();
  const [x, y] = await page.evaluate((w) => {
    const { map, store, session } = window.elbo;
    const at = w === "handle" ? (store.state.target ?? store.state.place) : [session.map.xy[2 * w], session.map.xy[2 * w + 1]];
    return map.view.toScreen(...at);
  }, what);
  return [box.x + x, box.y + y];
}

/** When nothing is asked for any more. */
export async function settled(page) {
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 250)));
}

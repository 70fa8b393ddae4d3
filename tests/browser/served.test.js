// The page of `elbo serve`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, Server, TRAIN, closeBrowser, data, decodeByElbo, elbo, explorePage, folder, largest, openBrowser, openPage, prepare, readNpy, screenOf, settled, until, writeImages } from "./harness.js";

const server = new Server();
before(async () => {
  prepare();
  await server.start();
  await openBrowser();
});
after(async () => {
  await closeBrowser();
  await server.end();
});

const open = (words = "", options = {}) => openPage(`${server.address}&${words}`, options);
const stateOf = (page) =>
  page.evaluate(() => {
    const { z, point, selection, decoded, ...s } = window.elbo.store.state;
    return { z: z && [...z], point, selection, pixels: decoded && [...decoded.data], method: s.method, hidden: s.hidden, tab: s.tab, colour: s.colour, command: s.command };
  });

test("a drag by 50 pixels: what the page shows is within one grey level of elbo decode of the z that it reports", async () => {
  for (const map of ["pca", "dims"]) {
    const page = await open(`run=vae&map=${map}`);
    const [x, y] = await screenOf(page, "handle"), before = (await stateOf(page)).z;
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + 50, y + 10, { steps: 6 });
    await page.mouse.up();
    await settled(page);
    const { z, pixels } = await stateOf(page);
    assert.ok(largest(z, before) > 0.05, "the drag moved the code");
    assert.ok(largest(pixels.map((b) => b / 255), decodeByElbo("vae", z, z.length)) <= 1 / 255 + 1e-6);
    const shown = await page.evaluate(() => [...document.querySelectorAll(".pair canvas")[1].getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0));
    assert.deepEqual(shown, pixels, "the canvas shows those pixels");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  }
});

test("what is painted has the mu that elbo encode gives", async () => {
  const page = await open("run=vae");
  await page.getByRole("button", { name: "Blank" }).click();
  const canvas = page.locator(".pair canvas").first(), box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.8, { steps: 8 });
  await page.mouse.up();
  await settled(page);
  const { z, drawn } = await page.evaluate(() => ({ z: [...window.elbo.store.state.z], drawn: [...window.elbo.store.state.drawn] }));
  assert.ok(drawn.filter((b) => b > 200).length > 20, "something was painted");
  writeImages("painted.npy", drawn);
  elbo("encode", "runs/vae", "painted.npy", "-o", "mu.npy");
  assert.ok(largest(z, readNpy("mu.npy")) < 1e-6);
  await page.context().close();
});

test("filter and hover name the right image", async () => {
  const page = await open("run=vae");
  await page.getByRole("button", { name: "0", exact: true }).click();
  await page.getByRole("button", { name: "2", exact: true }).click();
  for (const point of [5, 17, TRAIN + 3, TRAIN + 40]) {
    const [x, y] = await screenOf(page, point), hidden = [0, 2].includes(data.labels[point]);
    await page.mouse.move(x + 0.3, y);
    await settled(page);
    const hover = await page.evaluate(() => window.elbo.store.state.hover);
    if (hidden) assert.notEqual(hover, point);
    if (hover < 0) continue;
    assert.ok(![0, 2].includes(data.labels[hover]), "what is filtered out is not hovered");
    const card = page.locator(".hover-card").first();
    assert.match(await card.textContent(), new RegExp(`${hover < TRAIN ? `train:${hover}` : `test:${hover - TRAIN}`}.*class ${data.labels[hover]}`));
    const pixels = await card.locator("canvas").evaluate((c) => [...c.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0));
    assert.deepEqual(pixels, [...data.images[hover]]);
  }
  await page.context().close();
});

test("a lasso, and a direction that elbo arithmetic then uses", async () => {
  const page = await open("run=vae&map=pca");
  const lasso = async (fx, fy) => {
    const box = await page.locator("canvas.above").boundingBox(), at = (x, y) => [box.x + box.width * (fx + x), box.y + box.height * (fy + y)];
    await page.keyboard.down("Shift");
    await page.mouse.move(...at(0, 0));
    await page.mouse.down();
    for (const corner of [[0.25, 0], [0.25, 0.3], [0, 0.3], [0, 0]]) await page.mouse.move(...at(...corner), { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    return (await stateOf(page)).selection;
  };
  const a = await lasso(0.15, 0.35);
  assert.ok(a.length > 10, `${a.length} images in the lasso`);
  const inside = await page.evaluate((some) => some.every((p) => window.elbo.session.map.xy[2 * p] < window.elbo.map.view.toMap(0.4 * window.elbo.map.view.width, 0)[0]), a);
  assert.ok(inside, "they lie where the lasso was");
  await page.locator("#panel-directions button", { hasText: "+ the" }).click();
  await page.getByText("Now select the others").waitFor();
  await lasso(0.6, 0.35);
  await page.locator("#panel-directions button", { hasText: "− the" }).click();
  await page.getByLabel("Name of the direction").fill("leaning");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByLabel("Amount of leaning").waitFor();
  const [v] = await page.evaluate(async () => (await window.elbo.backend.vectors("vae")).map((x) => [...x.z]));
  elbo("arithmetic", "runs/vae", "leaning", "--npy", "v.npy", "-o", "v.png");
  assert.ok(largest(v, readNpy("v.npy")) < 1e-6);
  await page.context().close();
});

test("a link brings the state back", async () => {
  const page = await open("run=vae&map=dims&xy=3,5&hide=1&tab=path&a=test:4&b=train:9");
  await page.evaluate(() => window.elbo.session.decodeAt([0.5, -0.5]));
  await page.evaluate(() => window.elbo.store.set({ selection: [3, 1000, 2500] }));
  await settled(page);
  await until(page, () => location.hash.includes("selected=") && location.hash.includes("z="));
  const before = await stateOf(page), link = new URL(page.url()).hash;
  assert.doesNotMatch(link, /token/);
  const again = await openPage(`${server.address}&${link.slice(1)}`);
  await settled(again);
  const now = await stateOf(again);
  assert.ok(largest(now.z, before.z) < 1e-5);
  for (const key of ["method", "hidden", "tab", "selection"]) assert.deepEqual(now[key], before[key]);
  assert.deepEqual(await again.evaluate(() => [window.elbo.store.state.x, window.elbo.store.state.y, window.elbo.store.state.from, window.elbo.store.state.to]), [3, 5, TRAIN + 4, 9]);
  await page.context().close();
  await again.context().close();
});

test("a tour by keyboard alone", async () => {
  const page = await open("run=vae&map=pca");
  const tabTo = async (selector) => {
    for (let i = 0; i < 140; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    }
    assert.fail(`Tab never reaches ${selector}`);
  };
  await tabTo("#search input");
  await page.keyboard.type("test:17");
  await page.keyboard.press("Enter");
  await until(page, (p) => window.elbo.store.state.point === p, TRAIN + 17);
  await tabTo("canvas.above");
  const z = (await stateOf(page)).z;
  await page.keyboard.press("Shift+ArrowRight");
  await until(page, (old) => window.elbo.store.state.z[0] !== old, z[0]);
  await page.keyboard.press("Enter");
  await until(page, () => window.elbo.store.state.point >= 0);
  await page.keyboard.press("+");
  await page.keyboard.press("a");
  await page.keyboard.press("n");
  await until(page, () => window.elbo.store.state.point !== window.elbo.store.state.from);
  await page.keyboard.press("b");
  await until(page, () => window.elbo.store.state.path !== null);
  assert.equal((await stateOf(page)).tab, "path");
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help").isVisible());
  await page.keyboard.press("Escape");
  await tabTo("#tabs [aria-selected=true]");
  for (let i = 0; i < 10 && (await stateOf(page)).tab !== "dimensions"; i++) await page.keyboard.press("ArrowRight");
  await tabTo(".slider input");
  await page.keyboard.press("ArrowRight");
  await page.locator(".film").first().waitFor();
  await tabTo("#command button");
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("the scrubber goes through the kept epochs, 0 among them", async () => {
  const page = await open("run=vae");
  const scrub = page.getByRole("slider", { name: "Epoch" });
  for (const [k, folder] of [[0, "00000"], [1, "00001"]]) {
    const before = await page.evaluate(() => window.elbo.store.state.loaded);
    await scrub.fill(String(k));
    await until(page, (n) => window.elbo.store.state.loaded > n, before);
    await settled(page);
    const { z, pixels, epoch } = await page.evaluate(() => ({ z: [...window.elbo.store.state.z], pixels: [...window.elbo.store.state.decoded.data], epoch: window.elbo.store.state.epoch }));
    assert.equal(epoch, k);
    assert.ok(largest(pixels.map((b) => b / 255), decodeByElbo(`vae/history/${folder}`, z, z.length)) <= 1 / 255 + 1e-6);
  }
  await page.getByRole("button", { name: "Now" }).click();
  await until(page, () => window.elbo.store.state.epoch === null);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("two runs side by side: what is picked in one is lit in both", async () => {
  const page = await open("run=vae");
  await page.locator("#compare-choice").selectOption("other");
  await page.locator("canvas.above").nth(1).waitFor();
  await until(page, () => document.querySelectorAll(".pair canvas").length === 3);
  await page.evaluate(() => window.elbo.session.pick(33));
  await settled(page);
  const pixels = await page.locator(".pair canvas").nth(2).evaluate((c) => [...c.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0));
  elbo("encode", "runs/other", "train", "--data", "shapes", "-o", "all.npy");
  const x = decodeByElbo("other", readNpy("all.npy").slice(33 * 20, 34 * 20), 20);
  assert.ok(largest(pixels.map((b) => b / 255), x) <= 1 / 255 + 1e-4);
  await page.context().close();
});

for (const [scheme, size] of [["light", [1280, 800]], ["dark", [1280, 800]], ["light", [390, 844]]])
  test(`axe finds nothing, ${scheme}, ${size[0]} wide`, async () => {
    for (const address of [`${server.address}&run=vae`, explorePage("vae")]) {
      const page = await openPage(address, { scheme, size });
      await page.waitForTimeout(400);
      const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
      await page.context().newCDPSession(page).then((c) => c.send("Page.setBypassCSP", { enabled: true }));
      for (const tab of ["dimensions", "path", "directions", "posterior", "holes", "checks"]) {
        await page.evaluate((t) => window.elbo.store.set({ tab: t }), tab);
        await page.evaluate(source);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" ")}`), [], tab);
      }
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
      await page.context().close();
    }
  });

test("a training beside it: the epoch appears within a second", async () => {
  const page = await open("run=vae");
  const training = spawn(process.env.ELBO ?? join(ROOT, "build/elbo"), ["train", "conv.yaml", "--data", "shapes", "-e", "200", "-q", "-o", "runs/live"], { cwd: folder, stdio: "ignore" });
  const onDisk = () => readFileSync(join(folder, "runs/live/log.jsonl"), "utf8").trim().split("\n").length;
  const delays = [];
  try {
    await until(page, () => window.elbo.session.runs.some((r) => r.id === "live" && r.epoch > 0));
    await page.evaluate(() => window.elbo.session.open("live"));
    for (let i = 0; i < 4; i++) {
      const had = onDisk();
      while (onDisk() === had) await new Promise((done) => setTimeout(done, 15));
      const began = Date.now();
      await until(page, (n) => Number(document.documentElement.dataset.epoch ?? 0) >= n, had + 1);
      delays.push(Date.now() - began);
    }
  } finally {
    training.kill();
  }
  assert.ok(Math.min(...delays) < 1000, `shown ${delays} ms after it was written`);
  await page.context().close();
});

test("the server is killed and comes back: a banner, then the same page again", async () => {
  const page = await open("run=vae");
  await until(page, () => document.documentElement.dataset.connected === "yes");
  await server.end("SIGKILL");
  await page.locator("#banner", { hasText: "does not answer" }).waitFor();
  await server.start();
  await until(page, () => document.documentElement.dataset.connected === "yes");
  await page.locator("#banner").waitFor({ state: "hidden" });
  await page.evaluate(() => window.elbo.session.pick(12));
  await until(page, () => window.elbo.store.state.point === 12);
  await page.context().close();
});

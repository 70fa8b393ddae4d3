// The page without a server: elbo report --explore.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, closeBrowser, data, decodeByElbo, elbo, explorePage, folder, largest, openBrowser, openPage, prepare, readNpy, screenOf, settled, until, writeImages, TRAIN } from "./harness.js";

before(async () => {
  prepare();
  await openBrowser();
});
after(closeBrowser);

for (const run of ["vae", "plane", "ae", "conv"])
  test(`${run}: the page decodes and encodes as elbo does`, async () => {
    const page = await openPage(explorePage(run));
    const got = await page.evaluate(() => {
      const { model } = window.elbo.backend, z = [], x = [];
      for (let i = 0; i < 24; i++) {
        const mu = model.mu(i).map((v) => v * (i % 3 ? 1 : 1.5));
        z.push(...mu);
        x.push(...model.decodeOne(mu, null));
      }
      const mu = model.encode(model.thumbs.slice(0, 784), null).mu;
      return { latent: model.latent, z, x, mu: [...mu] };
    });
    assert.ok(largest(got.x, decodeByElbo(run, got.z, got.latent)) < 1e-4);
    writeImages("one.npy", data.images[TRAIN]);
    elbo("encode", `runs/${run}`, "one.npy", "-o", "mu.npy");
    assert.ok(largest(got.mu, readNpy("mu.npy")) < 1e-4);
    assert.deepEqual(page.errors, []);
    assert.deepEqual(page.requested.filter((u) => !u.startsWith("file:") && !u.startsWith("blob:")), []);
    await page.context().close();
  });

test("a conditional model decodes as the class that is chosen", async () => {
  const page = await openPage(explorePage("class"));
  await page.getByLabel("Decode as class").selectOption("2");
  await settled(page);
  const s = await page.evaluate(() => ({ z: [...window.elbo.store.state.z], pixels: [...window.elbo.store.state.decoded.data], other: [...window.elbo.backend.model.decodeOne(window.elbo.store.state.z, 0)] }));
  const pixels = s.pixels.map((b) => b / 255);
  assert.ok(largest(pixels, decodeByElbo("class", s.z, s.z.length, "--class", "2")) < 1 / 255 + 1e-4);
  assert.ok(largest(pixels, s.other) > 0.05, "the class makes a difference");
  await page.context().close();
});

test("a drag moves the code on the plane, and the decode follows", async () => {
  const page = await openPage(explorePage("vae"));
  const [x, y] = await screenOf(page, "handle");
  const before = await page.evaluate(() => [...window.elbo.store.state.z]);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 50, y - 20, { steps: 5 });
  await page.mouse.up();
  await settled(page);
  const s = await page.evaluate(() => {
    const { store, map, backend } = window.elbo, { z, decoded, target } = store.state, { axes } = backend.model.facts.pca;
    return { z: [...z], pixels: [...decoded.data], target, scale: map.view.scale, axes };
  });
  assert.ok(largest(s.pixels.map((b) => b / 255), decodeByElbo("vae", s.z, s.z.length)) < 1 / 255 + 1e-4);
  for (const [k, want] of [[0, 50 / s.scale], [1, 20 / s.scale]]) {
    const moved = s.axes[k].reduce((sum, a, d) => sum + a * (s.z[d] - before[d]), 0);
    assert.ok(Math.abs(moved - want) < 0.02 * Math.abs(want) + 1e-4, `${moved} along axis ${k}, not ${want}`);
  }
  await page.context().close();
});

test("t-SNE: the drag says that it is no inverse, and shows the gap", async () => {
  const page = await openPage(explorePage("vae"));
  await page.getByRole("radio", { name: "t-SNE" }).click();
  await until(page, () => window.elbo.session.map.method === "tsne");
  const [x, y] = await screenOf(page, "handle");
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 30, y + 30, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  assert.match(await page.locator(".honest").first().textContent(), /fitted to its neighbours/);
  const l = await page.evaluate(() => window.elbo.store.state.located);
  assert.ok(!l.exact && l.gap >= 0);
  await page.context().close();
});

test("arithmetic as elbo computes it, a direction of two lassos, and the path between two images", async () => {
  const page = await openPage(explorePage("vae"));
  await page.getByRole("tab", { name: "Arithmetic" }).click();
  await page.getByLabel("Expression of codes").fill("2 * (test:3 - test:5) / 4 + mean(test:1, test:2)");
  await page.getByRole("button", { name: "Compute" }).click();
  elbo("arithmetic", "runs/vae", "2 * (test:3 - test:5) / 4 + mean(test:1, test:2)", "--npy", "a.npy", "-o", "a.png");
  await until(page, () => window.elbo.store.state.command.includes("elbo arithmetic"));
  assert.ok(largest(await page.evaluate(() => [...window.elbo.store.state.z]), readNpy("a.npy")) < 1e-5);

  for (const [points, sign] of [[[1, 2, 3], "+"], [[4, 5], "−"]]) {
    await page.evaluate((selection) => window.elbo.store.set({ selection }), points);
    await page.locator("#panel-directions button", { hasText: sign }).first().click();
  }
  await page.getByLabel("Name of the direction").fill("slant");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByLabel("Amount of slant").waitFor();
  const command = await page.evaluate(() => window.elbo.store.state.command);
  assert.equal(command.includes("mean(test:1, test:2, test:3) - mean(test:4, test:5)"), true);

  await page.getByRole("tab", { name: "Path" }).click();
  await page.getByLabel("Image A", { exact: true }).fill("test:7");
  await page.getByLabel("Image B", { exact: true }).fill("test:9");
  await page.getByLabel("Image B", { exact: true }).press("Enter");
  await page.getByLabel("Step 10 of 10").click();
  const z = await page.evaluate(() => ({ z: [...window.elbo.store.state.z], nine: [...window.elbo.backend.model.mu(9)] }));
  assert.ok(largest(z.z, z.nine) < 1e-6);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("what a browser cannot compute in time is refused in one line, and so is a second run", () => {
  const refuse = (...words) => {
    try {
      elbo("report", ...words, "--explore", "-o", "no.html");
    } catch (e) {
      return e.stderr;
    }
    return "";
  };
  writeImages("few.npy", data.images.slice(0, 20).reduce((all, i) => [...all, ...i], []));
  elbo("train", "mnist-vae", "--data", "few.npy", "-e", "1", "-q", "-o", "wide", "--set", "decoder=[linear 4000, relu, linear 4000, relu, linear 784, sigmoid]");
  assert.match(refuse("wide"), /^elbo: .*19\.2 million weights.*takes 8 and 64 million\n$/);
  assert.match(refuse("runs/vae", "runs/ae"), /^elbo: --explore takes one run, not 2.*\n$/);
});

test("a folder named as a script is text", async () => {
  const name = "runs/x</script><script>window.hacked=1</script>"; // a folder in a folder
  cpSync(join(folder, "runs/vae"), join(folder, name), { recursive: true });
  elbo("report", name, "--explore", "-o", "hostile.html");
  const page = await openPage(`file://${join(folder, "hostile.html")}`);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.evaluate(() => window.elbo.session.run.folder), name);
  assert.deepEqual(page.errors, []);
  rmSync(join(folder, "runs/x<"), { recursive: true });
  await page.context().close();
});

test("the ten colours are those of the figures", () => {
  const colours = (file) => /\{?\[?((?:0x[0-9a-f]{6}[,\s]*){10})/.exec(readFileSync(join(ROOT, file), "utf8"))[1].match(/0x[0-9a-f]{6}/g);
  assert.deepEqual(colours("apps/serve/page/palette.js"), colours("src/render/colour.c"));
});

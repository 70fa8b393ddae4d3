#!/usr/bin/env python3
"""What other programs compute from `elbo export`, beside `elbo encode` and `elbo decode`.

    check_export.py ELBO RUN...

PyTorch where it is installed, a C compiler, and ONNX by onnxruntime-web where node finds it (NODE_PATH). Says the
greatest difference of each, relative to the greatest value, and fails above 1e-4 (C: 1e-5 times the image's range).
"""
import ctypes
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

N = 3
failed = False


def elbo(*args):
    return subprocess.run([ELBO, *map(str, args)], check=True, capture_output=True, text=True).stdout


def say(run, what, ours, theirs, bound):
    global failed
    error = np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max())
    failed |= not error <= bound
    print(f"{run}: {what}: {error:.1e}{'' if error <= bound else '  too far'}")


def by_torch(folder, x, z, skips, label):
    import torch

    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model.load(folder / "model.safetensors")
    with torch.no_grad():
        told = [torch.from_numpy(label)] if label is not None else []
        code = model.encode(torch.from_numpy(x), *told)
        parts = code if isinstance(code, tuple) else (code,)
        kept = parts[-1] if skips else None
        again = model.decode(parts[0] if skips else torch.from_numpy(z), *([kept] if skips else []), *told)
        model(torch.from_numpy(x), *told)
    return parts[0].numpy(), again.numpy()


def by_c(folder, x, z, label):
    source = (folder / "model.c").read_text()
    name = source.split("_LATENT = ")[0].split()[-1]
    work = int(source.split("_WORK = ")[1].split()[0])
    library = folder / "model.so"
    subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", folder / "model.c",
                    "-o", library, "-lm"], check=True)
    c = ctypes.CDLL(str(library))
    memory = np.zeros(work, np.float32)
    pointer = lambda a: a.ctypes.data_as(ctypes.c_void_p)
    codes, images = np.zeros_like(z), np.zeros_like(x)
    vae = "float *logvar" in source
    for i in range(len(x)):
        more, told = [None] if vae else [], [pointer(label[i])] if label is not None else []
        getattr(c, name + "_encode")(pointer(x[i]), *told, pointer(codes[i]), *more, pointer(memory))
        getattr(c, name + "_decode")(pointer(z[i]), *told, pointer(images[i]), pointer(memory))
    return codes, images


ONNX = """
const ort = require('onnxruntime-web'), fs = require('fs');
ort.env.logLevel = 'error'; ort.env.wasm.numThreads = 1;
const floats = f => { const b = fs.readFileSync(f); return new Float32Array(b.buffer, b.byteOffset, b.length / 4); };
(async () => {
  const [folder, ...shapes] = process.argv.slice(2), [shape, zshape, lshape] = shapes.map(s => JSON.parse(s));
  const label = () => new ort.Tensor('float32', floats(folder + '/label.raw'), lshape);
  const encoder = await ort.InferenceSession.create(fs.readFileSync(folder + '/model-encoder.onnx'));
  const decoder = await ort.InferenceSession.create(fs.readFileSync(folder + '/model-decoder.onnx'));
  const images = new ort.Tensor('float32', floats(folder + '/x.raw'), shape);
  const code = await encoder.run(encoder.inputNames.includes('label') ? {images, label: label()} : {images});
  const feeds = {};
  for (const name of decoder.inputNames)
    feeds[name] = name === 'z' ? new ort.Tensor('float32', floats(folder + '/z.raw'), zshape)
      : name === 'label' ? label() : code[name];
  if (decoder.inputNames.some(name => name.startsWith('v'))) feeds.z = code.mu || code.z;
  const out = await decoder.run(feeds);
  fs.writeFileSync(folder + '/code.raw', Buffer.from((code.mu || code.z).data.buffer.slice(0)));
  fs.writeFileSync(folder + '/image.raw', Buffer.from(out.images.data.buffer.slice(0)));
})().catch(e => { console.error(e.message || e); process.exit(1); });
"""


def by_onnx(folder, x, z, label):
    shapes = [x.shape, z.shape]
    if label is not None:
        label.tofile(folder / "label.raw")
        shapes.append(label.shape)
    x.tofile(folder / "x.raw")
    z.tofile(folder / "z.raw")
    (folder / "run.cjs").write_text(ONNX)
    subprocess.run(["node", folder / "run.cjs", folder, *map(json.dumps, shapes)], check=True)
    return (np.fromfile(folder / "code.raw", np.float32).reshape(z.shape),
            np.fromfile(folder / "image.raw", np.float32).reshape(x.shape))


def check(run, rng):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        elbo("export", run, "-o", folder / "model.py")
        elbo("export", run, "-o", folder / "model.onnx")
        header = (folder / "model.py").read_text()
        shape = [int(v) for v in header.split("images: (N, ")[1].split(")")[0].split(", ")]
        low, high = (float(v) for v in header.split(") from ")[1].split(";")[0].split(" to "))
        skips = ", skips = model.encode" in header
        label, told = None, []
        if "label: (N, " in header:
            classes = rng.integers(0, int(header.split("label: (N, ")[1].split(")")[0]), N)
            label = np.eye(int(header.split("label: (N, ")[1].split(")")[0]), dtype=np.float32)[classes].copy()
            np.save(folder / "label.npy", label)
            told = ["--labels", folder / "label.npy"]
        x = rng.uniform(low, high, (N, *shape)).astype(np.float32)
        np.save(folder / "x.npy", x)
        elbo("encode", run, folder / "x.npy", "-o", folder / "code.npy", *told)
        code = np.load(folder / "code.npy")
        z = np.ascontiguousarray(code + 0.1 * rng.standard_normal(code.shape).astype(np.float32))
        np.save(folder / "z.npy", z)
        if not skips:
            elbo("decode", run, folder / "z.npy", "-o", folder / "again.npy", *told)
            again = np.load(folder / "again.npy")
            elbo("export", run, "-o", folder / "model.c")
        results = []
        if importlib.util.find_spec("torch"):
            results.append(("PyTorch", by_torch(folder, x, z, skips, label), 1e-4))
        if not skips:
            results.append(("C", by_c(folder, x, z, label), 1e-5 * (high - low) if code.size < 1000 else 1e-4))
        ort = any((pathlib.Path(p) / "onnxruntime-web").is_dir() for p in os.environ.get("NODE_PATH", "").split(":"))
        if shutil.which("node") and ort:
            results.append(("ONNX", by_onnx(folder, x, z, label), 1e-4))
        for what, (theirs, picture), bound in results:
            say(run, what + " encoder", code, theirs, bound)
            if not skips:
                say(run, what + " decoder", again, picture, bound)
            elif what != "PyTorch":
                say(run, what + " decoder beside PyTorch's", results[0][1][1], picture, bound)


ELBO = sys.argv[1]
for run in sys.argv[2:]:
    check(run, np.random.default_rng(0))
sys.exit(failed)

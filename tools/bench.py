#!/usr/bin/python3
"""elbo's training speed beside PyTorch's, round by round: `bench.py build/elbo [ROUNDS] [RECIPE...]`.

PyTorch trains the network of the same recipe (built-in, or a YAML file) on the same kind of batch, one float tensor in
memory (no DataLoader, no transforms), with 1 and with 2 threads in every round, and the faster counts. Needs Debian's
python3-torch.
"""
import json, os, statistics, subprocess, sys

RECIPES = ["mnist-ae", "mnist-ae-2d", "mnist-vae", "mnist-vae-2d", "fashion-vae", "mnist-cae", "mnist-conv-vae"]


def run(command, environment=None):
    r = subprocess.run(command, capture_output=True, text=True, env=environment)
    if r.returncode:
        sys.exit(f"{' '.join(command)} failed: {r.stderr[-500:]}")
    return r.stdout


def spec_of(text):
    """A recipe as golden.py's Model takes it. The perceptual term is off, as it is without a file of weights."""
    import yaml
    recipe = yaml.safe_load(text)
    image, loss, latent = recipe.get("image") or {}, recipe.get("loss") or {}, recipe["latent"]
    size, kl = image.get("size", 28), loss.get("kl", 1)
    terms = loss.get("reconstruction", "bce")
    if isinstance(terms, list):
        terms = [("1 " + str(t)).split()[-2:] for t in terms]
        terms = [(float(weight), kind) for weight, kind in terms if kind != "perceptual"]
    spec = dict(kind=recipe["kind"], encoder=recipe["encoder"], decoder=recipe["decoder"], latent=str(latent), loss=terms,
                scale=loss.get("scale", "sum"), kl=kl.get("weight", 1) if isinstance(kl, dict) else kl,
                shape=(image.get("channels", 1), size, size), train=dict(optimizer="adam", **recipe["train"])
                if "optimizer" not in recipe["train"] else recipe["train"])
    if isinstance(latent, dict):
        spec.update(head=latent["head"], channels=latent["channels"])
    return spec


def torch_rate(text, threads):
    import time
    import torch
    import golden
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    spec = spec_of(text)
    train, shape, heavy = spec["train"], spec["shape"], spec["shape"][1] > 32
    batch, steps, warmup = train.get("batch", 128), *((3, 1) if heavy else (80, 10))
    model = golden.Model(spec, shape)
    optimizer = golden.optimizer_of(train, model.parameters())
    data = torch.rand(256 if heavy else 8192, *shape)
    scale = data[0].numel() if spec["scale"] == "mean" else 1

    def step(x):
        output, kl, _ = model(x, None)
        total = (golden.reconstruction_loss(spec["loss"], output, x) + spec["kl"] * kl) / scale
        optimizer.zero_grad()
        total.backward()
        if train.get("clip"):
            torch.nn.utils.clip_grad_norm_(model.parameters(), train["clip"])
        optimizer.step()
        return total.item()

    times = []
    for _ in range(warmup + steps):
        index = torch.randint(0, len(data), (batch,))
        start = time.perf_counter()
        step(data[index])
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times[warmup:])


def peer(text, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if "avx512f" in open("/proc/cpuinfo").read():  # Debian's OpenBLAS takes an unknown CPU for a Prescott
        environment.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    return json.loads(run([sys.executable, __file__, "--peer", text, str(threads)], environment))


def main(elbo, *words):
    blas = os.path.realpath("/usr/lib/x86_64-linux-gnu/libblas.so.3")
    if "openblas" not in blas and "mkl" not in blas:
        print(f"PyTorch would run on {blas}, several times slower than it can: apt-get install libopenblas0-pthread")
    rounds = int(words[0]) if words else 3
    print(f"{'recipe':14} {'elbo':>11} {'PyTorch':>11} {'ratio':>7} {'share of peak':>14}   (images/s, medians of {rounds} rounds)")
    for name in words[1:] or RECIPES:
        text = open(name).read() if name.endswith(".yaml") else run([elbo, "recipes", name])
        results = []
        for _ in range(rounds):
            heavy = spec_of(text)["shape"][1] > 32
            ours = json.loads(run([elbo, "bench", name, "--json"] + ("--steps 8 --warmup 2" if heavy else "--steps 300").split()))
            theirs = max(peer(text, threads) for threads in (1, 2))
            results.append((ours["images_per_second"], theirs, ours["images_per_second"] / theirs, ours["share_of_peak"]))
        o, t, ratio, share = (statistics.median(r[i] for r in results) for i in range(4))
        print(f"{name:14} {o:11,.0f} {t:11,.0f} {ratio:6.1f}x {share:13.0%}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        print(torch_rate(sys.argv[2], int(sys.argv[3])))
    else:
        main(*sys.argv[1:])

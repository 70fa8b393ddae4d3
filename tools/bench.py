#!/usr/bin/python3
"""elbo's training speed beside PyTorch's, round by round: `bench.py build/elbo [ROUNDS]`.

PyTorch trains the same networks on the same kind of batch, one float tensor in memory (no DataLoader, no transforms), with
1 and with 2 threads in every round, and the faster counts. Needs Debian's python3-torch.
"""
import json, os, statistics, subprocess, sys

RECIPES = {  # name: hidden sizes of the encoder, latent, vae, activation at the end, loss
    "mnist-ae": ([128], 32, False, "bce"),
    "mnist-ae-2d": ([128], 2, False, "bce"),
    "mnist-vae": ([400], 20, True, "bce"),
    "mnist-vae-2d": ([128], 2, True, "bce"),
    "fashion-vae": ([512, 256], 20, True, "mse"),
    "mnist-cae": ("conv", None, False, "bce"),
    "mnist-conv-vae": ("conv", 128, True, "bce"),
}


def torch_rate(name, threads, steps=80, warmup=10, batch=128):
    import time
    import torch, torch.nn as nn, torch.nn.functional as F
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    hidden, latent, vae, loss = RECIPES[name]
    if hidden == "conv":
        encoder = [nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                   nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()]
        decoder = [nn.ConvTranspose2d(64, 32, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU(),
                   nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid()]
        width = 3136
        if latent:
            encoder += [nn.Flatten()]
            decoder = [nn.Linear(latent, width), nn.Unflatten(1, (64, 7, 7))] + decoder
    else:
        sizes = [784] + hidden
        encoder = [m for i, o in zip(sizes, sizes[1:]) for m in (nn.Linear(i, o), nn.ReLU())]
        back = [latent] + hidden[::-1]
        decoder = [m for i, o in zip(back, back[1:]) for m in (nn.Linear(i, o), nn.ReLU())]
        decoder += [nn.Linear(back[-1], 784), nn.Sigmoid() if loss == "bce" else nn.Tanh()]
        width = sizes[-1]
    heads = {k: nn.Linear(width, latent) for k in ("mu", "logvar") if latent and (vae or k == "mu")}
    model = nn.ModuleDict({"encoder": nn.Sequential(*encoder), **heads, "decoder": nn.Sequential(*decoder)})
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = torch.rand(8192, 1, 28, 28) if hidden == "conv" else torch.rand(8192, 784)

    def step(x):
        h = model["encoder"](x)
        mu = z = model["mu"](h) if latent else h
        if vae:
            logvar = model["logvar"](h)
            z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        y = model["decoder"](z)
        total = F.binary_cross_entropy(y, x, reduction="sum") if loss == "bce" else F.mse_loss(y, x, reduction="sum")
        if vae:
            total = total - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.item()

    times = []
    for _ in range(warmup + steps):
        index = torch.randint(0, len(data), (batch,))
        start = time.perf_counter()
        step(data[index])
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times[warmup:])


def run(command, environment=None):
    r = subprocess.run(command, capture_output=True, text=True, env=environment)
    if r.returncode:
        sys.exit(f"{' '.join(command)} failed: {r.stderr[-500:]}")
    return json.loads(r.stdout)


def peer(name, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if "avx512f" in open("/proc/cpuinfo").read():  # Debian's OpenBLAS takes an unknown CPU for a Prescott
        environment.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    return run([sys.executable, __file__, "--peer", name, str(threads)], environment)


if sys.argv[1] == "--peer":
    print(torch_rate(sys.argv[2], int(sys.argv[3])))
else:
    blas = os.path.realpath("/usr/lib/x86_64-linux-gnu/libblas.so.3")
    if "openblas" not in blas and "mkl" not in blas:
        print(f"PyTorch would run on {blas}, several times slower than it can: apt-get install libopenblas0-pthread")
    elbo, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"{'recipe':14} {'elbo':>11} {'PyTorch':>11} {'ratio':>7} {'share of peak':>14}   (images/s, medians of {rounds} rounds)")
    for name in RECIPES:
        results = []
        for _ in range(rounds):
            ours = run([elbo, "bench", name, "--steps", "300", "--json"])
            theirs = max(peer(name, threads) for threads in (1, 2))
            results.append((ours["images_per_second"], theirs, ours["images_per_second"] / theirs, ours["share_of_peak"]))
        o, t, ratio, share = (statistics.median(r[i] for r in results) for i in range(4))
        print(f"{name:14} {o:11,.0f} {t:11,.0f} {ratio:6.1f}x {share:13.0%}", flush=True)

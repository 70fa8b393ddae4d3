#!/usr/bin/env python3
"""t-SNE of the same points by elbo, FIt-SNE and scikit-learn in turn: seconds of the whole call, and the divergence of each map
under one and the same P (elbo's, normalised over all pairs), and how many neighbours it kept.

    ELBO_DATA=... tools/bench_tsne.py build/elbo runs/mnist-vae [--points 10000] [--fitsne FOLDER] [--sklearn]
    tools/bench_tsne.py build/elbo --mixture 1000000 32

FOLDER is a clone of github.com/KlugerLab/FIt-SNE with bin/fast_tsne built in it. scikit-learn where --sklearn asks for it."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np


def points(a, folder):
    if a.mixture:
        n, dims = a.mixture
        random = np.random.default_rng(0)
        centre = 2 * random.normal(size=(100, dims)).astype(np.float32)
        return centre[random.integers(0, 100, n)] + random.standard_normal((n, dims), dtype=np.float32)
    parts = []
    for split in ("train", "test"):
        path = os.path.join(folder, split + ".npy")
        subprocess.run([a.elbo, "encode", a.run, split, "-o", path], check=True, stdout=subprocess.DEVNULL)
        parts.append(np.load(path))
    return np.concatenate(parts)[-a.points:]


def elbo(a, folder, *options):
    words = [a.elbo, "tsne", os.path.join(folder, "x.npy"), "--json", *options]
    start = time.time()
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return time.time() - start, json.loads(done.stdout)


def start_of(x):
    x = x - x.mean(0)
    y = x @ np.linalg.svd(x, full_matrices=False)[2][:2].T
    return y / y[:, 0].std() * 1e-4


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("elbo")
    p.add_argument("run", nargs="?")
    p.add_argument("--points", type=int, default=10000)
    p.add_argument("--mixture", type=int, nargs=2, metavar=("N", "D"))
    p.add_argument("--fitsne", metavar="FOLDER")
    p.add_argument("--sklearn", action="store_true")
    p.add_argument("--rounds", type=int, default=3, help="of elbo; the quickest counts")
    a = p.parse_args()
    if not a.run and not a.mixture:
        p.error("which points? a run, or --mixture N D")
    with tempfile.TemporaryDirectory() as folder:
        x = points(a, folder)
        np.save(os.path.join(folder, "x.npy"), x)
        out = os.path.join(folder, "elbo.npy")
        rounds = [elbo(a, folder, "-o", out) for _ in range(a.rounds)]
        rows = [("elbo", min(seconds for seconds, _ in rounds), out)]
        if a.fitsne:
            sys.path.insert(0, a.fitsne)
            from fast_tsne import fast_tsne
            here = os.getcwd()
            os.chdir(folder)
            begin, start = start_of(x), time.time()
            y = fast_tsne(x.astype(float), perplexity=30, initialization=begin, nthreads=os.cpu_count(), knn_algo="vp-tree", seed=1)
            rows.append(("FIt-SNE", time.time() - start, os.path.join(folder, "fitsne.npy")))
            os.chdir(here)
            np.save(rows[-1][2], y.astype(np.float32))
        if a.sklearn:
            from sklearn.manifold import TSNE
            start = time.time()
            y = TSNE(perplexity=30, init="pca", learning_rate="auto", n_iter=750, n_jobs=os.cpu_count()).fit_transform(x)
            rows.append(("scikit-learn", time.time() - start, os.path.join(folder, "sklearn.npy")))
            np.save(rows[-1][2], y.astype(np.float32))
        print(f"{len(x):,} points of {x.shape[1]}")
        print(f"{'':14}{'seconds':>10}{'KL':>10}{'trustworthy':>13}{'continuity':>12}{'10-nn recall':>14}")
        for name, seconds, path in rows:
            told = elbo(a, folder, "--from", path, "--iterations", "0", "--scores", "-o", os.path.join(folder, "same.npy"))[1]
            s = told["scores"]
            print(f"{name:14}{seconds:10.1f}{told['kl']:10.4f}{s['trustworthiness']:13.4f}{s['continuity']:12.4f}{s['recall']:14.3f}")


if __name__ == "__main__":
    main()

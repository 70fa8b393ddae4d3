#!/usr/bin/python3
"""What numpy and PyTorch compute of the scores of `elbo eval`, for tests/test_scores.c to repeat: prints its constants.

    tools/golden_scores.py

Data are made by a hash of whole numbers that the test makes too. Needs Debian's python3-numpy and python3-torch; the
numbers are in the test, so that tests do not."""

import itertools

import numpy as np


def numbers(seed, *shape):
    """Floats in [0, 1) with 24 bits, as numbers() of the test has them."""
    n = int(np.prod(shape))
    x = (np.arange(n, dtype=np.uint64) + np.uint64(seed) * np.uint64(1000003)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float32).reshape(shape) / np.float32(1 << 24)


# ---- disentanglement: codes that know three factors more or less ----

N, VALUES, ORDERED = 3000, (3, 6, 8), (False, True, True)


def factors_and_codes():
    u = numbers(1, N, 3)
    f = np.stack([np.floor(u[:, k] * np.float32(VALUES[k])) for k in range(3)], 1).astype(int)
    noise = numbers(2, N, 5)
    place = np.array([1, 2, 0])[f[:, 0]]
    z = np.stack([np.float32(0.125) * f[:, 2] + np.float32(0.25) * noise[:, 0],
                  place + np.float32(8) * noise[:, 1],
                  np.float32(0.0625) * f[:, 1] + np.float32(0.0625) * f[:, 2] + np.float32(0.5) * noise[:, 2],
                  np.float32(0.0078125) * noise[:, 3] + np.float32(0.00390625) * f[:, 1],
                  noise[:, 4]], 1).astype(np.float32)
    return f, z


def gap(scores):
    a = sorted(scores)
    return a[-1] - a[-2]


def mig(f, z):
    gaps = []
    for k in range(f.shape[1]):
        scores = []
        for d in range(z.shape[1]):
            joint, _, _ = np.histogram2d(z[:, d].astype(float), f[:, k], bins=(20, np.arange(-0.5, VALUES[k])))
            p = joint / joint.sum()
            outer = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
            at = p > 0
            scores.append((p[at] * np.log(p[at] / outer[at])).sum())
        share = np.bincount(f[:, k]) / N
        gaps.append(gap(scores) / -(share * np.log(share)).sum())
    return np.mean(gaps)


def best_thresholds(x, y, values):
    """All pairs of thresholds, all orders of the three classes."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    allowed = np.concatenate([[True], x[1:] > x[:-1], [True]])
    below = np.zeros((values, N + 1))
    for c in range(values):
        below[c, 1:] = np.cumsum(y == c) / (y == c).sum() / values
    best = 0
    for a, b, c in itertools.permutations(range(values)):
        first = np.where(allowed, below[a] - below[b], -np.inf)  # threshold i: a below it, b above
        second = np.where(allowed, below[b] + (below[c, -1] - below[c]), -np.inf)
        best = max(best, (np.maximum.accumulate(first) + second).max())
    return best


def sap(f, z, least):
    gaps = []
    for k in range(f.shape[1]):
        scores = []
        for d in range(z.shape[1]):
            x = z[:, d].astype(float)
            if x.var(ddof=1) <= least:
                scores.append(0)
            elif ORDERED[k]:
                scores.append(np.corrcoef(x, f[:, k])[0, 1] ** 2)
            else:
                scores.append(best_thresholds(x, f[:, k], VALUES[k]))
        gaps.append(gap(scores))
    return np.mean(gaps)


def factor_vae(f, z, least):
    """By numpy's own random numbers: elbo's differ, so that the scores agree but for chance."""
    rng = np.random.default_rng(0)
    variance = z.astype(float).var(axis=0, ddof=1)
    active = np.where(variance > least)[0]

    def vote():
        k = rng.integers(3)
        pool = np.where(f[:, k] == f[rng.integers(N), k])[0]
        some = z[rng.choice(pool, 64)].astype(float)[:, active]
        return active[np.argmin(some.var(axis=0, ddof=1) / variance[active])], k
    table = np.zeros((z.shape[1], 3))
    for _ in range(10000):
        d, k = vote()
        table[d, k] += 1
    right = [table[d].argmax() == k for d, k in (vote() for _ in range(5000))]
    return np.mean(right)


if __name__ == "__main__":
    f, z = factors_and_codes()
    print("MIG %.9f  SAP %.9f  FactorVAE %.4f" % (mig(f, z), sap(f, z, 0.01), factor_vae(f, z, 0.01)))

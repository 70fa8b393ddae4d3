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


# ---- clouds of features ----


def clouds():
    """Two that overlap: the second is shifted, and narrower in one dimension."""
    a, b = numbers(3, 300, 6), numbers(4, 250, 6)
    b = b * np.array([1, 1, 0.5, 1, 1, 1], np.float32) + np.array([0.25, 0, 0.125, 0, 0, 0.0625], np.float32)
    return a.astype(float), b.astype(float)


def density_coverage(a, b, k):
    own = np.sqrt(((a[:, None] - a[None]) ** 2).sum(-1))
    radius = np.sort(own, axis=1)[:, k]  # 0 is the point itself
    inside = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)) <= radius[:, None]
    return inside.sum() / (k * len(b)), inside.any(axis=1).mean()


def frechet(a, b):
    """The root of the product by its own eigenvalues, which are those of a similar matrix and not negative."""
    c, w = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(c @ w).real).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c) + np.trace(w) - 2 * root


def kid(a, b):
    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3
    aa, bb, n, m = k(a, a), k(b, b), len(a), len(b)
    return ((aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
            - 2 * k(a, b).mean())


if __name__ == "__main__":
    a, b = clouds()
    print("density %.9f  coverage %.9f  Frechet %.9f  KID %.9f" % (*density_coverage(a, b, 5), frechet(a, b), kid(a, b)))


# ---- pictures: MS-SSIM, VGG16's features, LPIPS ----

WIDTHS = ((4, 4), (6, 6), (8, 8, 8), (8, 8, 8), (10, 10, 10))


def pictures(*shape):
    a, b = numbers(5, *shape), numbers(6, *shape)
    return a, np.float32(0.75) * a + np.float32(0.25) * b


def ms_ssim(a, b, scales):
    import torch
    import torch.nn.functional as F
    weight = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], dtype=torch.float64)[:scales]
    weight = weight / weight.sum()
    line = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5) ** 2 / (2 * 1.5 ** 2))
    window = (line[:, None] * line[None] / line.sum() ** 2)[None, None]
    x, y = (torch.tensor(v, dtype=torch.float64)[:, None] for v in (a, b))  # channels as a batch
    product = torch.ones(len(x), dtype=torch.float64)
    for k in range(scales):
        mx, my = F.conv2d(x, window), F.conv2d(y, window)
        vx, vy, c = (F.conv2d(p, window) - q for p, q in ((x * x, mx * mx), (y * y, my * my), (x * y, mx * my)))
        contrast = (2 * c + 9e-4) / (vx + vy + 9e-4)
        whole = contrast * (2 * mx * my + 1e-4) / (mx * mx + my * my + 1e-4)
        product *= (whole if k + 1 == scales else contrast).mean(dim=(1, 2, 3)).clamp(min=0) ** weight[k]
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return product.mean().item()


def vgg(images, taps):
    """relu1_2, 2_2, 3_3, 4_3, 5_3 with seeded weights."""
    import torch
    import torch.nn.functional as F
    x = torch.tensor(images, dtype=torch.float64)
    if x.shape[1] == 1:
        x = x.repeat(1, 3, 1, 1)
    x = F.interpolate(x, (max(32, x.shape[2]), max(32, x.shape[3])), mode="bilinear", align_corners=False)
    # LPIPS' own scaling, of images from -1 to 1
    shift, scale = (torch.tensor(v, dtype=torch.float64)[:, None, None]
                    for v in ((-.030, -.088, -.188), (.458, .448, .450)))
    x = (2 * x - 1 - shift) / scale
    seen, number, within = [], 0, 3
    for block in WIDTHS:
        for out in block:
            bound = np.float32(np.sqrt(6 / (9 * within)))
            w = (np.float32(2) * numbers(100 + number, out, within, 3, 3) - np.float32(1)) * bound
            b = np.float32(0.25) * numbers(200 + number, out) - np.float32(0.125)
            x = F.relu(F.conv2d(x, torch.tensor(w, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), padding=1))
            within = out
            number += 1
        seen.append(x)
        x = F.max_pool2d(x, 2)
    return seen if taps else seen[-1].mean(dim=(2, 3)).numpy()


def lpips(a, b):
    total = 0
    for k, (x, y) in enumerate(zip(vgg(a, True), vgg(b, True))):
        x, y = (v / ((v ** 2).sum(1, keepdim=True).sqrt() + 1e-10) for v in (x, y))
        weight = numbers(300 + k, x.shape[1]).astype(float)
        total = total + ((x - y) ** 2 * (x * 0 + 1) * x.new_tensor(weight)[:, None, None]).sum(1).mean(dim=(1, 2))
    return total.numpy()


if __name__ == "__main__":
    print("MS-SSIM 3 scales %.9f" % ms_ssim(*pictures(2, 45, 52), 3))
    for shape in (3, 3, 40, 37), (3, 1, 28, 28):
        a, b = pictures(*shape)
        print(shape, "features of the last", ", ".join("%.7f" % v for v in vgg(a, False)[2]))
        print(shape, "LPIPS", ", ".join("%.9f" % v for v in lpips(a, b)))

"""Measures between sets of embeddings: how like the truth, how varied, how well they fit the words.

Knows arrays of vectors; knows neither motion nor networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, BoolArray

NEIGHBOURS = 3
"""k of the precision and recall manifolds, as Kynkaanniemi et al. use it."""
POOL = 32
"""R-precision ranks one true caption among this many (Guo et al. 2022, T2M)."""
RANKS = (1, 2, 3)


def frechet_distance(real: Array, made: Array) -> float:
    """FID of embeddings (n, d) and (m, d) under two Gaussians (Heusel et al. 2017).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2); the inner product is symmetric, so that
    its root needs eigenvalues only and is real.
    """
    mean = real.mean(axis=0) - made.mean(axis=0)
    covariance, other = np.cov(real, rowvar=False), np.cov(made, rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    product = np.linalg.eigvalsh(root @ np.atleast_2d(other) @ root)
    spread = np.trace(np.atleast_2d(covariance)) + np.trace(np.atleast_2d(other))
    return float(mean @ mean + spread - 2 * np.sqrt(np.maximum(product, 0)).sum())


def precision_recall(real: Array, made: Array, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Shares of `made` within the manifold of `real`, and of `real` within that of `made`.

    A manifold is the union of balls around each point that reach to its k-th nearest neighbour in
    the set (Kynkaanniemi et al. 2019, eq. 1 and 2).
    """
    return _covered(real, made, k), _covered(made, real, k)


def _covered(manifold: Array, points: Array, k: int) -> float:
    within = distances(manifold, manifold)
    radii = np.sort(within, axis=1)[:, k]  # column 0 is the point itself
    return float((distances(points, manifold) <= radii).any(axis=1).mean())


def distances(a: Array, b: Array) -> Array:
    """(n, d) and (m, d) -> (n, m) Euclidean."""
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))


def diversity(vectors: Array, rng: np.random.Generator, pairs: int = 300) -> float:
    """Mean distance of `pairs` random pairs of different rows (n, d)."""
    first = rng.integers(len(vectors), size=pairs)
    second = (first + rng.integers(1, len(vectors), size=pairs)) % len(vectors)
    return float(np.linalg.norm(vectors[first] - vectors[second], axis=-1).mean())


def multimodality(vectors: Array) -> float:
    """Mean distance of all pairs made from one condition; vectors (condition, sample, d)."""
    first, second = np.triu_indices(vectors.shape[1], k=1)
    return float(np.linalg.norm(vectors[:, first] - vectors[:, second], axis=-1).mean())


def r_precision(
    motion: Array, text: Array, is_true: BoolArray, rng: np.random.Generator, pool: int = POOL
) -> list[float]:
    """Shares of motions whose own caption is among the nearest 1, 2, 3 of a pool.

    motion, text  (n, d) rows that belong together
    is_true       (n, n) whether caption j is true of motion i too: then it is no wrong answer
    pool          the true caption and pool - 1 random wrong ones (all there are, if fewer)
    """
    gap = distances(motion, text)
    ranks = []
    for row in range(len(motion)):
        wrong = np.flatnonzero(~is_true[row])
        drawn = rng.permutation(wrong)[: pool - 1]
        ranks.append(int((gap[row, drawn] < gap[row, row]).sum()))
    return [float(np.mean(np.array(ranks) < rank)) for rank in RANKS]


def matched_distance(motion: Array, text: Array) -> float:
    """MM distance: mean Euclidean distance of each motion (n, d) to its own text (n, d)."""
    return float(np.linalg.norm(motion - text, axis=-1).mean())


@dataclass(frozen=True)
class Estimate:
    """A mean over repeats and the half width of its 95 % confidence interval; None for one repeat.

    mean +- 1.96 s / sqrt(R), s with R - 1
    """

    mean: float
    interval: float | None


def estimated(values: Sequence[float]) -> Estimate:
    if len(values) < 2:
        return Estimate(float(np.mean(values)), None)
    return Estimate(
        float(np.mean(values)), float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values)))
    )

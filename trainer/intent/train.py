"""Trains the intent network: `python -m trainer.intent.train -o FILE.npz`; minutes on two cores."""

from __future__ import annotations

import argparse
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.arrays import Array, IntArray
from engine.motion.intent import FEATURES, KINDS
from trainer.choreography.base_motion import Recordings, load_recordings, load_takes
from trainer.intent.offers import draw_take, examples_of

logger = logging.getLogger(__name__)

HIDDEN = (128, 64)
SHORTEST = 1.5
"""Seconds of a recording: somewhat more than the network sees."""
TAKES_AT_ONCE = 100
BATCH = 2048
RARE = 0.55
"""Kinds weigh by the inverse of their share of the frames, to this power: 0 as they come, 1 all
alike."""
INPUT_NOISE = 0.05
"""Standard deviation added to the inputs, in parts of theirs."""


def drawn(base: Recordings | None, dances: Recordings | None, seed: int) -> tuple[Array, IntArray]:
    """Examples of TAKES_AT_ONCE takes; a function of the recordings and the seed."""
    rng = np.random.default_rng(seed)
    parts = [examples_of(draw_take(rng, base, dances), rng) for _ in range(TAKES_AT_ONCE)]
    return np.concatenate([f for f, _ in parts]), np.concatenate([k for _, k in parts])


def fitted(features: Array, kinds: IntArray, seed: int, epochs: int) -> dict[str, Array]:
    """The arrays of an `IntentNet`."""
    torch.manual_seed(seed)
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    x = torch.from_numpy((features - mean) / scale)
    y = torch.from_numpy(kinds)
    widths = (FEATURES, *HIDDEN, len(KINDS))
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    steps = epochs * len(x) // BATCH
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps + 1)
    share = torch.bincount(y, minlength=len(KINDS)).float()
    loss_of = nn.CrossEntropyLoss((share.sum() / (share + 1)) ** RARE, label_smoothing=0.03)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH,))
        noisy = x[rows] + INPUT_NOISE * torch.randn(BATCH, FEATURES)
        loss = loss_of(net(noisy), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    arrays: dict[str, Array] = {"mean": mean, "scale": scale}
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(linear):
        arrays[f"weight{number}"] = layer.weight.detach().numpy().T.copy()
        arrays[f"bias{number}"] = layer.bias.detach().numpy()
    return {name: value.astype(np.float32) for name, value in arrays.items()}


def accuracy(arrays: dict[str, Array], features: Array, kinds: IntArray) -> dict[str, float]:
    """Share of the examples of each kind that the network names."""
    x = (features - arrays["mean"]) / arrays["scale"]
    for number in range(len(HIDDEN)):
        x = np.maximum(x @ arrays[f"weight{number}"] + arrays[f"bias{number}"], 0)
    named = (x @ arrays[f"weight{len(HIDDEN)}"] + arrays[f"bias{len(HIDDEN)}"]).argmax(axis=-1)
    return {
        kind: float((named[kinds == number] == number).mean())
        for number, kind in enumerate(KINDS)
        if (kinds == number).any()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument(
        "--base-motion",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders of recordings of single people: players who are about nothing",
    )
    parser.add_argument(
        "--dances",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders of recordings of single people who dance",
    )
    parser.add_argument("--takes", type=int, default=12_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    begun = time.monotonic()
    seeds = [args.seed * 100_000 + i for i in range(args.takes // TAKES_AT_ONCE)]
    base = load_recordings(args.base_motion, SHORTEST) if args.base_motion else None
    dances = Recordings(takes=load_takes(args.dances, SHORTEST)) if args.dances else None
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(partial(drawn, base, dances), seeds))
    held = max(len(parts) // 10, 1)
    train, test = parts[held:], parts[:held]
    features, kinds = (np.concatenate([part[i] for part in train]) for i in (0, 1))
    logger.info(
        "%d examples of %d takes in %.0f s", len(kinds), args.takes, time.monotonic() - begun
    )
    arrays = fitted(features, kinds.astype(np.int64), args.seed, args.epochs)
    new, known = (np.concatenate([part[i] for part in test]) for i in (0, 1))
    for kind, share in accuracy(arrays, new, known).items():
        logger.info("%-16s %.3f", kind, share)
    np.savez(args.out, **arrays)  # type: ignore[arg-type]  # NumPy's stubs see only flags
    logger.info("%s: %d bytes", args.out, args.out.stat().st_size)


if __name__ == "__main__":
    main()

"""Training the intent network: what comes of it is a network that the engine loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.motion.intent import KINDS, load_intent
from trainer.intent.offers import examples_of, idle_take, offer_take
from trainer.intent.train import accuracy, fitted


def test_what_was_learnt_is_named_by_the_network_that_the_engine_loads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    takes = [take for _ in range(4) for take in (offer_take("open_arms", rng), idle_take(rng))]
    parts = [examples_of(take, rng) for take in takes]
    features, kinds = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    arrays = fitted(features, kinds, seed=0, epochs=120)
    named = accuracy(arrays, features, kinds)
    np.savez(tmp_path / "net.npz", **arrays)  # type: ignore[arg-type]  # stubs see only flags
    probabilities = load_intent(tmp_path / "net.npz")(features)
    assert min(named.values()) > 0.9
    for kind, share in named.items():
        rows = kinds == KINDS.index(kind)
        found = probabilities[rows].argmax(axis=-1) == KINDS.index(kind)
        assert abs(found.mean() - share) < 0.02

"""A bundle as it is used: compiled, its executor running, the costs of its calls known.

Knows bundles and backends; no session, no message and no socket.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.arrays import Array
from engine.backends import Backend, Precision, open_backend
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.shape import Body, load_body
from engine.bundle import KINDS_FILE, Bundle
from engine.motion.intent import IntentNet, load_intent
from engine.progress import Say, silent
from engine.sampling.acts import acts_of
from engine.sampling.executor import CallerTurns, Executor
from engine.sampling.kinds import Kinds, load_kinds
from engine.sampling.models import Models, load_models
from engine.sampling.scheduler import costs_by_rows


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """What is computed, and what computes it."""

    bundle: Bundle
    backend: str = "auto"
    device: int = 0
    """Index of the GPU."""
    precision: Precision = "auto"
    threads: int | None = None
    """Of the backend; None: the backend's choice."""
    body: Path | None = None
    """A licensed SMPL-X body; None: the bundle's, or else the packaged one."""


@dataclass(frozen=True, kw_only=True)
class LoadedBundle:
    """All that requests need."""

    bundle: Bundle
    executor: Executor
    body: Body
    backend: str
    precision: str
    intent: IntentNet | None = None
    """Tells what players offer; None: no offer is answered."""
    acts: Kinds | None = None
    """Tells which words ask for something that needs no network; None: none do."""
    kinds: Kinds | None = None
    """What the networks were trained to do; None: the bundle does not say."""

    @property
    def name(self) -> str:
        return self.bundle.manifest.name

    @cached_property
    def fingerprint(self) -> bytes:
        return fingerprint_of(self.bundle, self.body)

    @property
    def animator_takes_text(self) -> bool:
        """Whether words steer motion, and not pairs alone."""
        manifest = self.bundle.manifest
        return manifest.text is not None and manifest.animator.text_width > 0

    def fitted_capsules(self, betas: Array) -> tuple[Capsules, Capsules]:
        """Of player and partner, whose shapes are `betas` (2, 10). Takes a millisecond each."""
        return fitted_capsules(self.body, betas[0]), fitted_capsules(self.body, betas[1])


def fingerprint_of(bundle: Bundle, body: Body) -> bytes:
    """What tells this bundle and body from all others, 16 bytes."""
    known = hashlib.sha256(bundle.manifest.digest.encode())
    for values in (body.template, body.shape_directions, body.joint_regressor):
        known.update(values.tobytes())
    return known.digest()[:16]


def loaded_bundle(
    config: ComputeConfig, say: Say = silent, *, is_alone: bool = False
) -> tuple[Backend, LoadedBundle]:
    """Compile the bundle's graphs, start the executor, time its calls. Takes seconds.

    is_alone  for offline work of one thread on a processor: it makes the calls itself, and none is
              timed
    Raises BundleError, ConfigError or BackendError.
    """
    backend = open_backend(
        config.backend, precision=config.precision, threads=config.threads, device=config.device
    )
    begun = time.monotonic()
    say(
        f"graphs of {config.bundle.manifest.name} for {backend.name} ({backend.precision}): from "
        "the cache, or compiled, which takes up to a minute the first time"
    )
    models, kinds = load_models(config.bundle, backend), config.bundle.optional(KINDS_FILE)
    loaded = LoadedBundle(
        bundle=config.bundle,
        executor=_callers_executor(models) if is_alone else Executor(models),
        body=_body(config),
        intent=intent_of(config.bundle),
        acts=acts_of(config.bundle, models) if models.animator.text_width else None,
        kinds=None if kinds is None else load_kinds(kinds),
        backend=backend.name,
        precision=backend.precision,
    )
    if not is_alone:
        say(f"graphs ready after {time.monotonic() - begun:.1f} s; timing them")
        loaded.executor.measure()
    return backend, loaded


def _callers_executor(models: Models) -> Executor:
    return Executor(models, costs=costs_by_rows(models.animator.buckets), turns=CallerTurns())


def _body(config: ComputeConfig) -> Body:
    spec = config.bundle.manifest.body
    if config.body is None and spec is not None:
        return load_body(config.bundle.file(spec.file))
    return load_body(config.body)


def intent_of(bundle: Bundle) -> IntentNet | None:
    """What tells the offers of players; None: the bundle has no such network."""
    spec = bundle.manifest.intent
    return None if spec is None else load_intent(bundle.file(spec.file))

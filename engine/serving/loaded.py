"""A bundle as it is served: compiled, its executor running, warmed up.

Knows bundles, backends and sessions; no stream, no message and no socket.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.backends import Backend, Precision, open_backend
from engine.body.capsules import Capsules, fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import SHAPE_COUNT, Body, load_body
from engine.bundle import KINDS_FILE, Bundle
from engine.motion.intent import IntentNet, load_intent
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from engine.sampling.acts import acts_of
from engine.sampling.executor import Executor
from engine.sampling.kinds import Kinds, load_kinds
from engine.sampling.models import load_models
from engine.sampling.offline import sampled
from engine.sampling.request import SampledWindow
from engine.serving.process import Say, silent
from engine.serving.wire import MIN_STEPS
from engine.session.config import SessionConfig
from engine.session.session import Session

WARM_UP_SECONDS = 5
"""Of session time; some tenths of a second in truth."""


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
    python_s: float = 0.0
    """Seconds of the interpreter for a session and second, as measured before there is one."""

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
        """Of player and partner, whose shapes are `betas` (2, 10). Takes tenths of a second."""
        return fitted_capsules(self.body, betas[0]), fitted_capsules(self.body, betas[1])


def fingerprint_of(bundle: Bundle, body: Body) -> bytes:
    """What tells this bundle and body from all others, 16 bytes."""
    known = hashlib.sha256(bundle.manifest.digest.encode())
    for values in (body.template, body.shape_directions, body.joint_regressor):
        known.update(values.tobytes())
    return known.digest()[:16]


def loaded_bundle(
    config: ComputeConfig, session: SessionConfig, say: Say = silent
) -> tuple[Backend, LoadedBundle]:
    """Compile the bundle's graphs, start the executor, time its calls, denoise. Takes seconds.

    session  the usual settings, for measuring what a session costs
    Raises BundleError or BackendError.
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
        executor=Executor(models),
        body=_body(config),
        intent=intent_of(config.bundle),
        acts=acts_of(config.bundle, models) if models.animator.text_width else None,
        kinds=None if kinds is None else load_kinds(kinds),
        backend=backend.name,
        precision=backend.precision,
    )
    say(f"graphs ready after {time.monotonic() - begun:.1f} s; measuring what a session costs")
    loaded.executor.measure()
    return backend, replace(loaded, python_s=_warm_up(loaded, session))


def _body(config: ComputeConfig) -> Body:
    spec = config.bundle.manifest.body
    if config.body is None and spec is not None:
        return load_body(config.bundle.file(spec.file))
    return load_body(config.body)


def intent_of(bundle: Bundle) -> IntentNet | None:
    """What tells the offers of players; None: the bundle has no such network."""
    spec = bundle.manifest.intent
    return None if spec is None else load_intent(bundle.file(spec.file))


def _warm_up(loaded: LoadedBundle, settings: SessionConfig) -> float:
    """Live seconds of a session: first calls allocate, and nobody's first reaction should wait.

    Returns what a second costs of the interpreter, the median of all but the first: some have more
    windows than others. An upper bound, as the player departs from every plan; messages are some
    tenth of it.
    """
    betas = np.zeros((2, SHAPE_COUNT), np.float32)
    session = Session(
        replace(settings, steps=MIN_STEPS),
        rest_joints=loaded.body.rest_joints(betas),
        seed=0,
        capsules=loaded.fitted_capsules(betas),
        intent=loaded.intent,
    )
    costs = []
    for second in range(WARM_UP_SECONDS):
        begun = time.thread_time()
        for frame in range(10 * second, 10 * (second + 1)):
            walking = Pose(standing_pose(), np.array([0.0, 0.0, 0.1 * frame]))
            session.feed(frame / FRAME_RATE, walking)
            for wanted in session.tick(frame / FRAME_RATE).wanted:
                (x0,) = sampled(loaded.executor, [wanted.request])
                session.accept(wanted.ticket, SampledWindow(x0=x0))
        costs.append(time.thread_time() - begun)
    return statistics.median(costs[1:])

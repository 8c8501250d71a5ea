"""The graphs of one bundle, compiled: what samplers run.

Knows bundles and backends; no window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.arrays import Array
from engine.backends import Backend, Graph, Loop
from engine.bundle import Bundle
from engine.errors import InputError
from engine.sampling.schedule import StepSchedule, schedule_of, step_schedule
from engine.sampling.text import TextEncoder, encode_with, load_text

BUCKETS = (1, 2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of any family: called once for what is wanted, then once a diffusion step."""

    condition: Graph
    step: Graph


@dataclass(frozen=True, kw_only=True)
class Animator(Network):
    loop: Loop | None = None
    """All steps in one call, on a device that would wait for the host between two."""
    text_width: int = 0
    """Length of the text vector that it takes; 0: it takes none."""
    buckets: tuple[int, ...] = BUCKETS
    """Batch sizes that its denoiser is compiled for."""
    schedules: Mapping[int, StepSchedule] = field(default_factory=dict)
    """Its own step schedules, by their number of steps."""

    def schedule(self, steps: int) -> StepSchedule:
        """The schedule with that many steps: the bundle's, or else the even one."""
        return self.schedules.get(steps) or step_schedule(steps)


@dataclass(frozen=True, kw_only=True)
class Models:
    """The graphs of one bundle, compiled; None stands for a network the bundle lacks."""

    animator: Animator
    generator: Network | None = None
    text: TextEncoder | None = None


def load_models(
    bundle: Bundle,
    backend: Backend,
    *,
    buckets: Sequence[int] | None = None,
    is_lazy: bool = False,
) -> Models:
    """Compile what a bundle holds.

    buckets  batch sizes of the animator's denoiser, None: the backend's own; all else takes any
    is_lazy  compile each graph when it is first called; else the loop is ready for each schedule of
             the bundle, and for the last step of others

    Raises BundleError for a tokenizer that cannot be read, BackendError for a graph.
    """

    def load(relative: str, sizes: Sequence[int] = ()) -> Graph:
        return backend.load(bundle.file(relative), sizes, is_lazy=is_lazy)

    def network(condition: str, step: str) -> Network:
        return Network(condition=load(condition), step=load(step))

    manifest, sizes = bundle.manifest, tuple(backend.buckets if buckets is None else buckets)
    condition, step = manifest.animator.files
    schedules = {spec.steps: schedule_of(spec.timesteps) for spec in manifest.animator.schedules}
    return Models(
        animator=Animator(
            condition=load(condition),
            step=load(step, sizes),
            loop=backend.load_loop(
                bundle.file(condition),
                bundle.file(step),
                sizes,
                None if is_lazy else sorted({1, *schedules}),
            ),
            text_width=manifest.animator.text_width,
            buckets=sizes,
            schedules=schedules,
        ),
        generator=network(*manifest.generator.files) if manifest.generator else None,
        text=load_text(bundle, load(manifest.text.files[0])) if manifest.text else None,
    )


def encode_text(models: Models, texts: Sequence[str]) -> Array:
    """Texts as the networks read them, (len(texts), text width); an empty text is a zero row.

    Raises InputError for a text over TEXT_CHARACTERS, or if the bundle has no text encoder.
    """
    if models.text is None:
        raise InputError("the bundle has no text encoder, so it cannot read text", field="text")
    return encode_with(models.text, texts)

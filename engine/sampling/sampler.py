"""The sampler: from noise to a clean residual window, or a clean pair, in K denoiser calls.

Knows arrays, step schedules and the named inputs of a bundle's graphs. Knows no session, no socket,
and not which backend runs the graphs. Rows of one denoiser call may belong to different windows,
stand at different steps and follow schedules of different length.
Paper: DDIM (Song et al. 2021, arXiv:2010.02502), eta 0, for a network that predicts x0; the cosine
schedule of Nichol and Dhariwal (2021, arXiv:2102.09672).
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from engine.arrays import Array, IntArray
from engine.backends import Backend, Graph, Loop
from engine.bundle import DIFFUSION_STEPS, Bundle, TextSpec
from engine.errors import BackendError, BundleError, ConfigError, InputError
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.sampling.steering import KeepAway, steering

TEXT_CHARACTERS = 1000
"""Longest text that is read; encoders look at some 60 words, so more is a mistake."""
BUCKETS = (1, 2, 4, 8, 16)
WINDOW_SHAPE = (2, WINDOW_FRAMES, POSE_FEATURES)


# ----------------------------------------------------------------------------- models
@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    graph: Graph
    tokenizer: Any  # tokenizers.Tokenizer, an untyped library
    spec: TextSpec
    text_width: int


@dataclass(frozen=True, kw_only=True)
class Models:
    """The graphs of one bundle, compiled; None stands for a network the bundle lacks."""

    animator_condition: Graph
    animator_step: Graph
    animator_loop: Loop | None = None
    """All steps in one call, on a device that would wait for the host between two."""
    animator_text_width: int = 0
    """Length of the text vector that the animator takes; 0: it takes none."""
    buckets: tuple[int, ...] = BUCKETS
    """Batch sizes that the animator's denoiser is compiled for."""
    schedules: Mapping[int, StepSchedule] = field(default_factory=dict)
    """The animator's own step schedules, by their number of steps."""
    generator_condition: Graph | None = None
    generator_step: Graph | None = None
    text: TextEncoder | None = None

    def schedule(self, steps: int) -> StepSchedule:
        """The animator's schedule of so many steps: the bundle's, or else the even one."""
        return self.schedules.get(steps) or step_schedule(steps)


def load_models(
    bundle: Bundle,
    backend: Backend,
    *,
    buckets: Sequence[int] | None = None,
    is_lazy: bool = False,
) -> Models:
    """Compile what a bundle holds.

    buckets  batch sizes of the animator's denoiser, None: the backend's own; all else takes any
    is_lazy  compile each graph when it is first called; else the loop is ready for the bundle's
             own step count, and for another when that is first asked for

    Raises BundleError for a tokenizer that cannot be read, BackendError for a graph.
    """

    def load(relative: str) -> Graph:
        return backend.load(bundle.file(relative), is_lazy=is_lazy)

    sizes = tuple(backend.buckets if buckets is None else buckets)
    animator, has_generator = bundle.manifest.animator, bundle.manifest.generator is not None
    sizes = tuple(backend.buckets if buckets is None else buckets)
    condition, step = (bundle.file(f"animator/{part}.onnx") for part in ("condition", "step"))
    loop = backend.load_loop(condition, step, sizes)
    if loop is not None and not is_lazy:
        loop.prepare(animator.steps_default)
    return Models(
        animator_condition=backend.load(condition, is_lazy=is_lazy),
        animator_step=backend.load(step, sizes, is_lazy=is_lazy or loop is not None),
        animator_loop=loop,
        buckets=sizes,
        animator_text_width=animator.text_width,
        schedules={spec.steps: schedule_of(spec.timesteps) for spec in animator.schedules},
        generator_condition=load("generator/condition.onnx") if has_generator else None,
        generator_step=load("generator/step.onnx") if has_generator else None,
        text=_load_text(bundle, load("text/encoder.onnx")) if bundle.manifest.text else None,
    )


def _load_text(bundle: Bundle, graph: Graph) -> TextEncoder:
    from tokenizers import Tokenizer

    spec = bundle.manifest.text
    assert spec is not None
    path = bundle.file("text/tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises bare Exception
        raise BundleError(f"{path}: not a tokenizer: {exc}; export again", field="text") from exc
    return TextEncoder(
        graph=graph,
        tokenizer=truncating(tokenizer, spec.max_tokens),
        spec=spec,
        text_width=bundle.manifest.text_width,
    )


def truncating(tokenizer: Any, max_tokens: int) -> Any:
    """The tokenizer (tokenizers.Tokenizer) set to cut long texts and to pad none. In place."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


# ----------------------------------------------------------------------------- step schedules
@dataclass(frozen=True, kw_only=True)
class StepSchedule:
    """The K noise levels of a window, in the order they are visited, noisiest first.

    timesteps  (K,) int64, indices into the 1000-step process
    abar_t     (K,) float32, cumulative product of alpha before the step
    abar_s     (K,) float32, after it; the last is 1
    """

    timesteps: IntArray
    abar_t: Array
    abar_s: Array

    @property
    def steps(self) -> int:
        return len(self.timesteps)


@cache
def cumulative_alphas() -> Array:
    """The cumulative product of alpha of the cosine schedule, (1000,) float64.

    abar(u) = cos^2(((u + 0.008) / 1.008) pi / 2);  beta_i = min(1 - abar((i+1)/1000) /
    abar(i/1000), 0.999);  result_i = product over j <= i of (1 - beta_j).
    """
    u = np.arange(DIFFUSION_STEPS + 1) / DIFFUSION_STEPS
    abar = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
    beta = np.minimum(1 - abar[1:] / abar[:-1], 0.999)
    return np.asarray(np.cumprod(1 - beta))


@cache
def step_schedule(steps: int) -> StepSchedule:
    """The published, even spacing: timesteps floor(1000 i / K), visited from the noisiest down.

    Raises ConfigError unless 1 <= steps <= 1000.
    """
    if not 1 <= steps <= DIFFUSION_STEPS:
        raise ConfigError(f"steps is {steps}, must lie in 1..{DIFFUSION_STEPS}", field="steps")
    return schedule_of([DIFFUSION_STEPS * i // steps for i in reversed(range(steps))])


def schedule_of(timesteps: Sequence[int]) -> StepSchedule:
    """The schedule that visits these timesteps, the noisiest first; each below 1000."""
    abar = cumulative_alphas()[list(timesteps)]
    return StepSchedule(
        timesteps=np.array(timesteps, np.int64),
        abar_t=abar.astype(np.float32),
        abar_s=np.append(abar[1:], 1.0).astype(np.float32),
    )


def ddim_update(x_t: Array, x0: Array, abar_t: Array, abar_s: Array) -> Array:
    """Move each row from its noise level t down to s, without adding noise.

    x_t, x0         (batch, ...) noisy rows; the denoiser's clean estimates
    abar_t, abar_s  (batch,) cumulative product of alpha; abar_t < 1
    returns         (batch, ...)

    DDIM eq. 12 with sigma = 0, for a network that predicts x0 (the paper's alpha is our abar):
        eps = (x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t)
        x_s = sqrt(abar_s) x0 + sqrt(1 - abar_s) eps
    """
    axes = tuple(range(1, x_t.ndim))
    a_t, a_s = np.expand_dims(abar_t, axes), np.expand_dims(abar_s, axes)
    eps = (x_t - np.sqrt(a_t) * x0) / np.sqrt(1 - a_t)
    return np.asarray(np.sqrt(a_s) * x0 + np.sqrt(1 - a_s) * eps)


def draw_noise(seed: int, shape: tuple[int, ...]) -> Array:
    """Standard normal float32 noise that is a function of the seed and the shape alone."""
    _require_seed(seed)
    return np.random.Generator(np.random.Philox(seed)).standard_normal(shape, dtype=np.float32)


def window_noise(seed: int, first_frame: int) -> Array:
    """Noise (2, 30, 135) in which every frame has its own, a function of the seed and its index.

    Windows of one seed that overlap share the noise of their common frames, so that a revision
    imagines the same future again unless what is known has changed.
    """
    _require_seed(seed)
    people, frames, features = WINDOW_SHAPE
    counters = np.zeros((frames, 4), np.uint64)
    counters[:, 3] = np.arange(first_frame, first_frame + frames).astype(np.uint64)
    sources = [np.random.Generator(np.random.Philox(key=seed, counter=c)) for c in counters]
    return np.stack(
        [source.standard_normal((people, features), dtype=np.float32) for source in sources],
        axis=1,
    )


def _require_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"seed is {seed}, must be at least 0", field="seed")


# ----------------------------------------------------------------------------- windows
@dataclass(frozen=True, kw_only=True)
class WindowRequest:
    """What one window is denoised from, in its canonical frame.

    known          (2, 30, 135) absolute pose features where given, anything finite elsewhere
    known_mask     (2, 30, 1) 1 where given, else 0
    anchor         (2, 135) absolute pose features that the residual is taken to
    anchor_joints  (2, 22, 3) metres, joints of the anchor with each person's own shape
    """

    known: Array
    known_mask: Array
    anchor: Array
    anchor_joints: Array
    seed: int
    steps: int
    first_frame: int = 0
    """Index of the window's first frame on the caller's clock; see `window_noise`."""
    text: Array | None = None
    """(text width,) what the two do, for an animator that takes text; zeros or None: nothing."""
    start: Array | None = None
    """(2, 30, 135) residual to the anchor that the first `skip` steps are taken to have led to: a
    plan of before, which is noised to where the next step begins; None: pure noise."""
    skip: int = 0
    """Steps that are left out; below `steps`, and 0 without a start."""
    keep_away: KeepAway | None = None
    """How far the partner is steered away from the player; such a window goes step by step also
    where there is a loop. None: the network alone decides."""

    def __post_init__(self) -> None:
        most = 0 if self.start is None else self.steps - 1
        if not 0 <= self.skip <= most:
            raise ConfigError(f"skip is {self.skip}, must lie in 0..{most}", field="skip")


Place = tuple[int, int]
"""Where a row stood in a call of a graph: among how many rows, and which one it was."""


@dataclass(frozen=True, kw_only=True)
class WindowTrace:
    """How a window was computed: where its row stood in the call of the condition graph, and in
    each denoiser call. Its bits depend on that, and not on what the other rows held."""

    condition: Place
    denoiser: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledWindow:
    """x0 (2, 30, 135) of a window that is done, and how it came about."""

    x0: Array
    trace: WindowTrace


@dataclass(kw_only=True)
class WindowInProgress:
    """A window between two denoiser calls. `advance_windows` alone changes it.

    x_t         (2, 30, 135) residual at the current noise level
    step        denoiser calls done so far
    modulation  (steps, M) adaptive-norm scales and shifts of each call; None where a loop, which
                finds them itself, does all steps
    x0          (2, 30, 135) the latest clean estimate; final once `is_done`
    trace       of the calls so far
    """

    request: WindowRequest
    x_t: Array
    modulation: Array | None
    trace: WindowTrace
    step: int = 0
    x0: Array | None = None

    @property
    def steps_left(self) -> int:
        return self.request.steps - self.step

    @property
    def is_done(self) -> bool:
        return self.step == self.request.steps

    @property
    def company(self) -> Hashable:
        """Windows whose company differs cannot share a call: a loop has one schedule for all."""
        return None if self.modulation is not None else (self.request.steps, self.step)


def begin_windows(models: Models, requests: Sequence[WindowRequest]) -> list[WindowInProgress]:
    """Draw each window's noise from its seed and run the condition graph, once per step count.

    Models with a loop run that graph in the loop, but for windows that are steered.
    """
    modulations: dict[int, Array] = {}
    places: dict[int, Place] = {}
    by_steps = [i for i, r in enumerate(requests) if models.animator_loop is None or r.keep_away]
    for steps in sorted({requests[i].steps for i in by_steps}):
        rows = [i for i in by_steps if requests[i].steps == steps]
        of_rows = _animator_modulation(
            models,
            np.stack([requests[i].anchor for i in rows]),
            np.stack([requests[i].anchor_joints for i in rows]),
            steps,
            [requests[i].text for i in rows],
        )
        modulations.update(zip(rows, of_rows, strict=True))
        places.update((i, (len(rows), row)) for row, i in enumerate(rows))
    return [
        WindowInProgress(
            request=request,
            x_t=_first_noisy(models, request),
            modulation=modulations.get(i),
            trace=WindowTrace(condition=places.get(i, (1, 0)), denoiser=()),
            step=request.skip,
        )
        for i, request in enumerate(requests)
    ]


def _first_noisy(models: Models, request: WindowRequest) -> Array:
    """What the first step that is not left out begins with (2, 30, 135).

    x_t = sqrt(abar_t) start + sqrt(1 - abar_t) noise, the process's own q(x_t | x_0 = start).
    """
    noise = window_noise(request.seed, request.first_frame)
    if request.start is None or request.skip == 0:
        return noise
    abar = models.schedule(request.steps).abar_t[request.skip]
    x_t = np.sqrt(abar) * request.start + np.sqrt(1 - abar) * noise
    return np.asarray(x_t, np.float32)


def advance_windows(models: Models, windows: Sequence[WindowInProgress]) -> None:
    """One denoiser call: every window moves on by one step of its own schedule.

    Models with a loop: every window that is not steered is done afterwards, by one call for those
    of one company. Raises ValueError if a window is done already; on any error none of a company
    has moved.
    """
    if any(w.is_done for w in windows):
        raise ValueError("a window that is done cannot advance; collect its x0 instead")
    for company in {w.company: None for w in windows}:
        together = [w for w in windows if w.company == company]
        if models.animator_loop is None or company is None:
            _step_windows(models, together)
        else:
            _finish_windows(models, models.animator_loop, together)


def _step_windows(models: Models, windows: Sequence[WindowInProgress]) -> None:
    """One denoiser call for windows that each have their modulation."""
    modulations = [w.modulation[w.step] for w in windows if w.modulation is not None]
    schedules = [models.schedule(w.request.steps) for w in windows]
    x_t, x0 = _animator_step(
        models,
        x_t=np.stack([w.x_t for w in windows]),
        known=np.stack([w.request.known for w in windows]),
        known_mask=np.stack([w.request.known_mask for w in windows]),
        anchor=np.stack([w.request.anchor for w in windows]),
        modulation=np.stack(modulations),
        abar_t=np.array([s.abar_t[w.step] for s, w in zip(schedules, windows, strict=True)]),
        abar_s=np.array([s.abar_s[w.step] for s, w in zip(schedules, windows, strict=True)]),
    )
    moved = [
        _steered(w.request, x_t[row], x0[row], s.abar_t[w.step], s.abar_s[w.step])
        for row, (s, w) in enumerate(zip(schedules, windows, strict=True))
    ]
    for row, window in enumerate(windows):
        window.x_t, window.x0 = moved[row]
        calls = (*window.trace.denoiser, (len(windows), row))
        window.trace = replace(window.trace, denoiser=calls)
        window.step += 1


def _steered(
    request: WindowRequest, x_s: Array, x0: Array, abar_t: float, abar_s: float
) -> tuple[Array, Array]:
    """A row x_s, x0 (2, 30, 135) after its step, with the partner kept away if that is wanted.

    The clean estimate is projected and the process goes on from there, at every step, so that the
    next estimate is of a body that stands there (PhysDiff, Yuan et al. 2023, arXiv:2212.02500,
    projects motions so; here the projection is `steering`). By DDIM eq. 12 (see `ddim_update`)
        x_s = sqrt(abar_s) x0 + sqrt(1 - abar_s) (x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t)
    is linear in x0, so a change dx0 of the estimate changes it by
        dx_s = (sqrt(abar_s) - sqrt(1 - abar_s) sqrt(abar_t) / sqrt(1 - abar_t)) dx0.
    """
    if request.keep_away is None:
        return x_s, x0
    dx0 = steering(x0, request.known, request.known_mask, request.anchor, request.keep_away)
    scale = np.sqrt(abar_s) - np.sqrt(1 - abar_s) * np.sqrt(abar_t) / np.sqrt(1 - abar_t)
    return x_s + np.float32(scale) * dx0, x0 + dx0


def _finish_windows(models: Models, loop: Loop, windows: Sequence[WindowInProgress]) -> None:
    """What is left of windows of one company, in one call."""
    steps, done = windows[0].request.steps, windows[0].step
    requests = [window.request for window in windows]
    x0 = _run_loop(
        models,
        loop,
        x_t=np.stack([window.x_t for window in windows]),
        known=np.stack([request.known for request in requests]),
        known_mask=np.stack([request.known_mask for request in requests]),
        anchor=np.stack([request.anchor for request in requests]),
        anchor_joints=np.stack([request.anchor_joints for request in requests]),
        texts=[request.text for request in requests],
        steps=steps,
        done=done,
    )
    for row, window in enumerate(windows):
        place = (len(windows), row)
        window.trace = WindowTrace(condition=place, denoiser=(place,))
        window.x_t = window.x0 = x0[row]
        window.step = steps


def sample_windows(models: Models, requests: Sequence[WindowRequest]) -> Array:
    """Denoise windows from start to end; returns residuals to their anchors, (n, 2, 30, 135)."""
    windows = begin_windows(models, requests)
    while unfinished := [w for w in windows if not w.is_done]:
        advance_windows(models, unfinished)
    clean = [w.x0 for w in windows if w.x0 is not None]
    return np.stack(clean) if clean else np.zeros((0, *WINDOW_SHAPE), np.float32)


def sample_again(models: Models, request: WindowRequest, trace: WindowTrace) -> Array:
    """x0 (2, 30, 135) of a window whose row stands in each call where it stood before: the same
    bits, by the same bundle on the same device."""
    rows, row = trace.condition
    window = begin_windows(models, [request] * rows)[row]
    for rows, row in trace.denoiser:
        copies = [replace(window) for _ in range(rows)]
        advance_windows(models, copies)
        window = copies[row]
    if window.x0 is None:
        raise ValueError("a window without a denoiser call has no x0")
    return window.x0


def sample_animator(
    models: Models,
    noise: Array,
    known: Array,
    known_mask: Array,
    anchor: Array,
    anchor_joints: Array,
    steps: int,
    text: Array | None = None,
) -> Array:
    """The array form of `sample_windows`, from given noise.

    noise, known   (batch, 2, 30, 135); known holds absolute pose features
    known_mask     (batch, 2, 30, 1)
    anchor         (batch, 2, 135)
    anchor_joints  (batch, 2, 22, 3)
    text           (batch, text width), or None for no words
    returns        x0 (batch, 2, 30, 135), residual to the anchor
    """
    schedule = models.schedule(steps)
    texts = [None] * len(noise) if text is None else list(text)
    if models.animator_loop is not None:
        return _run_loop(
            models,
            models.animator_loop,
            x_t=noise,
            known=known,
            known_mask=known_mask,
            anchor=anchor,
            anchor_joints=anchor_joints,
            texts=texts,
            steps=steps,
        )
    modulation = _animator_modulation(models, anchor, anchor_joints, steps, texts)
    x_t = x0 = noise
    for step in range(steps):
        x_t, x0 = _animator_step(
            models,
            x_t=x_t,
            known=known,
            known_mask=known_mask,
            anchor=anchor,
            modulation=modulation[:, step],
            abar_t=np.repeat(schedule.abar_t[step], len(noise)),
            abar_s=np.repeat(schedule.abar_s[step], len(noise)),
        )
    return x0


def _animator_modulation(
    models: Models,
    anchor: Array,
    anchor_joints: Array,
    steps: int,
    texts: Sequence[Array | None],
) -> Array:
    """(batch, 2, 135), (batch, 2, 22, 3) and a text vector or None each -> (batch, steps, M).

    Raises InputError for a text vector that this animator does not take.
    """
    inputs: dict[str, Array | IntArray] = {
        "anchor": anchor,
        "anchor_joints": anchor_joints,
        "timesteps": models.schedule(steps).timesteps,
        **_text_input(models, texts),
    }
    return models.animator_condition(inputs)["modulation"]


def _text_input(models: Models, texts: Sequence[Array | None]) -> dict[str, Array]:
    """The input `text` of an animator that takes it; none of another.

    Raises InputError for a text vector that this animator does not take.
    """
    width = models.animator_text_width
    for text in texts:
        if text is not None and text.shape != (width,):
            expected = f"({width},)" if width else "None: this animator takes no text"
            raise InputError(f"text has shape {text.shape}, must be {expected}", field="text")
    if not width:
        return {}
    silence = np.zeros(width, np.float32)
    return {"text": np.stack([silence if text is None else text for text in texts])}


def _run_loop(
    models: Models,
    loop: Loop,
    *,
    texts: Sequence[Array | None],
    steps: int,
    done: int = 0,
    **rows: Array,
) -> Array:
    """All of a schedule's steps but the first `done`, for arrays of rows; returns x0."""
    schedule = models.schedule(steps)
    return loop(
        {
            **rows,
            **_text_input(models, texts),
            "timesteps": schedule.timesteps[done:],
            "abar_t": schedule.abar_t[done:],
            "abar_s": schedule.abar_s[done:],
        }
    )


def _animator_step(models: Models, **inputs: Array) -> tuple[Array, Array]:
    outputs = models.animator_step(inputs)
    return outputs["x_s"], outputs["x0"]


# ----------------------------------------------------------------------------- pairs
def sample_generator(
    models: Models,
    noise: Array,
    pose: Array,
    pose_mask: Array,
    text: Array,
    guidance: float | Array,
    steps: int,
) -> Array:
    """Denoise pairs under classifier-free guidance; each row has its own conditions.

    noise, pose  (batch, 2, 201) 135 pose features and 22 rest joints xyz per person
    pose_mask    (batch, 2) 1 where a person's pose is given
    text         (batch, text width); a row of zeros has no text
    guidance     s, a number or (batch,)
    returns      x0 (batch, 2, 201)

    With u, p, tau the network's outputs given nothing, the pose alone and the text alone, a row is
        u + s (p - u) [if a pose is given] + s (tau - u) [if a text is given]
    as published: the joint prediction is never evaluated (facts/ponimator.md section 10).
    """
    stepper = generator_steps(models, noise, pose, pose_mask, text, guidance, steps)
    while True:
        try:
            next(stepper)
        except StopIteration as end:
            result: Array = end.value
            return result


def generator_steps(
    models: Models,
    noise: Array,
    pose: Array,
    pose_mask: Array,
    text: Array,
    guidance: float | Array,
    steps: int,
) -> Generator[None, None, Array]:
    """`sample_generator` in pieces: one denoiser call, then a pause, until x0 is returned."""
    condition, denoise = models.generator_condition, models.generator_step
    if condition is None or denoise is None:
        raise BackendError("the bundle holds no generator; choose one that does", field="generator")
    schedule = step_schedule(steps)
    batch = len(noise)
    posed = np.flatnonzero(np.any(pose_mask != 0, axis=1))
    texted = np.flatnonzero(np.any(text != 0, axis=1))

    # Network rows: every row without conditions, then its pose branch and text branch if any.
    source = np.concatenate([np.arange(batch), posed, texted])
    branch_mask = np.zeros((len(source), 2), np.float32)
    branch_mask[batch : batch + len(posed)] = pose_mask[posed]
    encodings = np.concatenate([np.zeros((1, text.shape[1]), np.float32), text[texted]])
    encoding_of = np.zeros(len(source), np.int64)
    encoding_of[batch + len(posed) :] = 1 + np.arange(len(texted))
    scale = np.broadcast_to(np.asarray(guidance, np.float32), (batch,))[source[batch:], None, None]

    modulation = condition({"text": encodings, "timesteps": schedule.timesteps})["modulation"]
    x_t = x0 = noise
    for step in range(steps):
        estimates = denoise(
            {
                "x_t": x_t[source],
                "pose": pose[source],
                "pose_mask": branch_mask,
                "modulation": modulation[encoding_of, step],
            }
        )["x0"]
        plain = estimates[:batch]
        x0 = plain.copy()
        np.add.at(x0, source[batch:], scale * (estimates[batch:] - plain[source[batch:]]))
        x_t = ddim_update(x_t, x0, schedule.abar_t[step, None], schedule.abar_s[step, None])
        yield
    return x0


# ----------------------------------------------------------------------------- text
def encode_text(models: Models, texts: Sequence[str]) -> Array:
    """Texts as the networks read them, (len(texts), text width); an empty text is a zero row.

    Raises InputError for a text over TEXT_CHARACTERS, or if the bundle has no text encoder.
    """
    if models.text is None:
        raise InputError("the bundle has no text encoder, so it cannot read text", field="text")
    return encode_with(models.text, texts)


def encode_with(encoder: TextEncoder, texts: Sequence[str]) -> Array:
    """`encode_text` by an encoder that stands alone."""
    for text in texts:
        _check_text(text)
    rows = [_encode_one(encoder, text) for text in texts]
    return np.stack(rows) if rows else np.zeros((0, encoder.text_width), np.float32)


def _check_text(text: str) -> None:
    if len(text) > TEXT_CHARACTERS:
        raise InputError(
            f"text has {len(text)} characters, at most {TEXT_CHARACTERS} are read; shorten it",
            field="text",
        )
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InputError(f"text is not valid Unicode: {exc.reason}", field="text") from exc


def _encode_one(encoder: TextEncoder, text: str) -> Array:
    """One text alone, so that company changes no bit of it.

    CLIP always sees max_tokens, padded with id 0, as when it was trained; minilm the text's own.
    """
    if not text.strip():
        return np.zeros(encoder.text_width, np.float32)
    ids = encoder.tokenizer.encode(text).ids
    padding = encoder.spec.max_tokens - len(ids) if encoder.spec.kind == "clip" else 0
    row = encoder.graph(
        {
            "input_ids": np.pad(np.array([ids], np.int64), ((0, 0), (0, padding))),
            "attention_mask": np.pad(np.ones((1, len(ids)), np.int64), ((0, 0), (0, padding))),
        }
    )["text"]
    return row.reshape(encoder.text_width)

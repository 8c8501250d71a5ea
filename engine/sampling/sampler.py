"""The sampler: from noise to a clean residual window in K denoiser calls.

Knows arrays, step schedules and the named inputs of the animator's graphs. Knows no session, no
socket, and not which backend runs the graphs. Rows of one denoiser call may belong to different
windows, stand at different steps and follow schedules of different length.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array, IntArray
from engine.backends import Loop
from engine.errors import InputError
from engine.sampling.models import Models
from engine.sampling.request import WINDOW_SHAPE, Seat, WindowRequest, WindowTrace
from engine.sampling.steering import steering


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
    bits = np.random.Philox(key=seed)
    source, state = np.random.Generator(bits), bits.state
    key, counter = state["state"]["key"], np.zeros(4, np.uint64)
    noise = np.empty((frames, people, features), np.float32)
    for row, frame in enumerate(range(first_frame, first_frame + frames)):
        # Setting the counter starts the stream of a frame; a generator of its own takes longer.
        counter[3] = frame % 2**64
        state["state"] = {"key": key, "counter": counter}
        bits.state = state
        source.standard_normal(out=noise[row], dtype=np.float32)
    return noise.swapaxes(0, 1)


def _require_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"seed is {seed}, must be at least 0", field="seed")


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
    def cohort(self) -> Hashable:
        """Windows of different cohorts cannot share a call: a loop has one schedule for all."""
        return None if self.modulation is not None else (self.request.steps, self.step)


def begin_windows(models: Models, requests: Sequence[WindowRequest]) -> list[WindowInProgress]:
    """Draw each window's noise from its seed and run the condition graph, once per step count.

    Models with a loop that is ready run that graph in it, except for windows that are steered.
    """
    modulations: dict[int, Array] = {}
    seats: dict[int, Seat] = {}
    by_steps = [i for i, request in enumerate(requests) if not _is_for_loop(models, request)]
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
        seats.update((i, (len(rows), row)) for row, i in enumerate(rows))
    return [
        WindowInProgress(
            request=request,
            x_t=_first_noisy(models, request),
            modulation=modulations.get(i),
            trace=WindowTrace(condition=seats.get(i, (1, 0)), denoiser=()),
            step=request.skip,
        )
        for i, request in enumerate(requests)
    ]


def _is_for_loop(models: Models, request: WindowRequest) -> bool:
    loop = models.animator.loop
    return loop is not None and request.keep_away is None and loop.is_ready(request.steps_taken)


def _first_noisy(models: Models, request: WindowRequest) -> Array:
    """What the first step that is not left out begins with (2, 30, 135).

    x_t = sqrt(abar_t) start + sqrt(1 - abar_t) noise, the process's own q(x_t | x_0 = start).
    """
    noise = window_noise(request.seed, request.first_frame)
    if request.start is None or request.skip == 0:
        return noise
    abar = models.animator.schedule(request.steps).abar_t[request.skip]
    x_t = np.sqrt(abar) * request.start + np.sqrt(1 - abar) * noise
    return np.asarray(x_t, np.float32)


def advance_windows(models: Models, windows: Sequence[WindowInProgress]) -> None:
    """One denoiser call: every window moves on by one step of its own schedule.

    Windows that were begun for the loop are done afterwards, by one call for those of one cohort.
    Raises ValueError if a window is done already; on any error none of a cohort
    has moved.
    """
    if any(w.is_done for w in windows):
        raise ValueError("a window that is done cannot advance; collect its x0 instead")
    for cohort in {w.cohort: None for w in windows}:
        together = [w for w in windows if w.cohort == cohort]
        if models.animator.loop is None or cohort is None:
            _step_windows(models, together)
        else:
            _finish_windows(models, models.animator.loop, together)


def _step_windows(models: Models, windows: Sequence[WindowInProgress]) -> None:
    """One denoiser call for windows that each have their modulation."""
    modulations = [w.modulation[w.step] for w in windows if w.modulation is not None]
    schedules = [models.animator.schedule(w.request.steps) for w in windows]
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
    """What is left of windows of one cohort, in one call."""
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
    if len(trace.denoiser) > 1:
        models = replace(models, animator=replace(models.animator, loop=None))
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
    schedule = models.animator.schedule(steps)
    texts = [None] * len(noise) if text is None else list(text)
    if models.animator.loop is not None:
        return _run_loop(
            models,
            models.animator.loop,
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
        "timesteps": models.animator.schedule(steps).timesteps,
        **_text_input(models, texts),
    }
    return models.animator.condition(inputs)["modulation"]


def _text_input(models: Models, texts: Sequence[Array | None]) -> dict[str, Array]:
    """The input `text` of an animator that takes it; none of another.

    Raises InputError for a text vector that this animator does not take.
    """
    width = models.animator.text_width
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
    schedule = models.animator.schedule(steps)
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
    outputs = models.animator.step(inputs)
    return outputs["x_s"], outputs["x0"]

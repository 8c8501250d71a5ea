"""What one window is denoised from, and what comes of it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from engine.arrays import Array
from engine.errors import ConfigError
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.sampling.steering import KeepAway

WINDOW_SHAPE = (2, WINDOW_FRAMES, POSE_FEATURES)


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

    @property
    def steps_taken(self) -> int:
        """Of the schedule's steps, those that are not left out."""
        return self.steps - self.skip


Seat = tuple[int, int]
"""Of a row in a call of a graph: among how many rows, and which one it was."""


@dataclass(frozen=True, kw_only=True)
class WindowTrace:
    """How a window was computed: where its row stood in the call of the condition graph, and in
    each denoiser call. Its bits depend on that, and not on what the other rows held."""

    condition: Seat
    denoiser: tuple[Seat, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledWindow:
    """x0 (2, 30, 135) of a window that is done, and how it came about; None: not as it would come
    again."""

    x0: Array
    trace: WindowTrace | None = None

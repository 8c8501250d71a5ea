"""Steering: a window's clean estimate, with the partner kept at a distance from the player.

Knows features, and where they put a pelvis. Knows no network, no body and no zone: what it makes is
likely, `body/space.py` makes it certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.body.easing import away_from
from engine.body.rotations import wrapped
from engine.motion.motion import WINDOW_FRAMES

FLOOR_FEATURES = [-3, -1]
"""x and z of transl among a pose's features."""
TURN_STEP = 0.25
"""Radians a frame by which the direction turns in which the partner is moved."""
REACH = 5
"""Frames to either side over which a shift rises and falls."""
RAMP_FRAMES = 6
"""Frames from a known one until a shift counts in full."""
_HANN = np.hanning(2 * REACH + 3)[1:-1]
_AROUND = np.clip(
    np.arange(WINDOW_FRAMES)[:, None] + np.arange(-REACH, REACH + 1), 0, WINDOW_FRAMES - 1
)


@dataclass(frozen=True, kw_only=True, eq=False)
class KeepAway:
    """distance  metres over the floor between the two pelvises, in frames that are generated
    rest_pelvis  (2, 3) metres, in each person's rest pose: pelvis = rest_pelvis + transl"""

    distance: float
    rest_pelvis: Array


def steering(
    x0: Array, known: Array, known_mask: Array, anchor: Array, keep_away: KeepAway
) -> Array:
    """What to add to x0 (2, 30, 135) of a window so that the partner keeps away.

    known, known_mask, anchor  as in `WindowRequest`

    With a the way from the player's pelvis to the partner's over the floor, w a direction that
    follows a's, and d the distance, the partner moves by the least k >= 0 beyond which all of the
    line a + k w keeps away:  k = -a.w + sqrt((a.w)^2 - |a|^2 + d^2).
    A Hann mean of maxima over the same reach is nowhere below k and has no kink. It rises from 0 at
    known frames: fewer than RAMP_FRAMES from one, and nowhere else, the distance may be less.
    """
    shift = np.zeros_like(x0)
    is_known = known_mask[..., 0] > 0
    features = np.where(is_known[..., None], known, x0 + anchor[:, None])[..., FLOOR_FEATURES]
    pelvis = features.astype(np.float64) + keep_away.rest_pelvis[:, None, [0, 2]]
    away = pelvis[1] - pelvis[0]
    is_in = (away**2).sum(axis=-1) < keep_away.distance**2
    if not (is_in & ~is_known[1]).any():
        return shift
    bearing = _gradual(np.arctan2(away[:, 0], away[:, 1]), int(np.argmax(is_known.all(axis=0))))
    way = np.stack([np.sin(bearing), np.cos(bearing)], axis=-1)
    along = (away * way).sum(axis=-1)
    square = along**2 - (away**2).sum(axis=-1) + keep_away.distance**2
    needed = np.where(square > 0, np.maximum(np.sqrt(np.maximum(square, 0)) - along, 0), 0)
    most = needed[_AROUND].max(axis=-1)
    push = most[_AROUND] @ (_HANN / _HANN.sum()) * away_from(is_known[1], RAMP_FRAMES)
    shift[1][:, FLOOR_FEATURES] = push[:, None] * way
    return shift


def _gradual(bearing: Array, first: int) -> Array:
    """Bearings (30,), turning by TURN_STEP a frame at most, to both sides from frame `first`."""
    turned: list[float] = bearing.tolist()
    for step, frames in ((1, range(first + 1, len(turned))), (-1, range(first - 1, -1, -1))):
        for frame in frames:
            last = turned[frame - step]
            turn = min(max(wrapped(turned[frame] - last), -TURN_STEP), TURN_STEP)
            turned[frame] = last + turn
    return np.array(turned)

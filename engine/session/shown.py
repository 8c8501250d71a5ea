"""From what the network made to what is shown: the energy that is wanted, an arm bent for a touch.

Both go on from what was shown before, and windows go on without them. Knows tracks and the
timeline; knows no network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose
from engine.motion.energy import UPPER_JOINTS, enlivened
from engine.motion.seams import REST_DECAY, pinned
from engine.motion.track import Track, known_track
from engine.session.direction import Mode
from engine.session.plan import Timeline
from engine.session.targets import Targets

LEAST_TURN = 0.02
"""Change of an arm's rotation (Frobenius norm, about 1 cm of the hand) that is worth a revision."""
EASE_FRAMES = 4
"""Before and after a pose that is passed through, in which energy comes and goes."""


def lively(made: Track, shown: Track, given: BoolArray, energy: float) -> Track:
    """What was made, with the energy that is wanted, going on from what was shown."""
    known = np.flatnonzero(given[1])
    ahead = known[known > np.flatnonzero(~given[1])[0]]
    frozen = known[known < np.flatnonzero(~given[1])[0]]
    is_as_made = np.array_equal(
        shown.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
        made.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
    )
    if energy == 1 and is_as_made:
        return made
    distance = np.abs(np.arange(made.frames)[:, None] - ahead).min(axis=1, initial=EASE_FRAMES)
    gain = 1 + (energy - 1) * np.minimum(distance / EASE_FRAMES, 1.0)
    upper = enlivened(made.rotmats[1], gain)
    turned = _carried_on(upper, shown.rotmats[1], given[1])
    rotmats = made.rotmats.copy()
    rotmats[1][:, UPPER_JOINTS] = turned[:, UPPER_JOINTS]
    return replace(made, rotmats=rotmats)


def touch(
    timeline: Timeline,
    targets: Targets,
    shifts: Callable[[int, range], Array],
    changed_from: int | None,
) -> int | None:
    """Bend the partner's arm for a touch, to where the player is.

    shifts        metres (n, 3) from where a joint of the player is planned to where it will be
    changed_from  the first frame that is new in this tick, if any
    Returns the first frame that it changes, if any.
    """
    plan, edge = timeline.plan, timeline.frozen_until
    if changed_from is not None:
        edge = max(changed_from - 1, edge)
    frames = targets.touch_frames(edge + 1, timeline.plan_end)
    if not frames or targets.direction.mode is Mode.PAUSED:
        return None
    first, last = max(edge - 2, plan.first), frames[-1]
    span, shown = range(first, last + 1), plan.stretch(first, last + 1 - first, is_shown=True)
    untouched = Pose(plan.untouched(first, last), shown.transl[1])
    touched = targets.touched(span, untouched, shown[0], shifts)
    touched = _carried_on(touched, shown.rotmats[1], np.array(span) <= edge)
    turned = np.linalg.norm(touched - shown.rotmats[1], axis=(-2, -1)).max(axis=-1)
    if changed_from is None and turned.max() < LEAST_TURN:
        return None
    plan.touch(edge + 1, touched[edge + 1 - first :])
    return edge + 1


def _carried_on(rotmats: Array, shown: Array, given: BoolArray) -> Array:
    """Rotations (frame, 22, 3, 3) that go on from those that were shown, where given."""
    nowhere = np.zeros((1, len(rotmats), 3))
    known = Track(rotmats=shown[None], transl=nowhere, is_known=given[None])
    track = pinned(known_track(Pose(rotmats[None], nowhere)), known, REST_DECAY)
    return np.asarray(track.rotmats[0])

"""Frames that no network made: the partner stands, comes to rest, or the last motion dies away.

Each function goes on with the plan of a timeline, or with what the client holds beyond it. Knows
no window and no target.
"""

from __future__ import annotations

import numpy as np

from engine.body.pose import Pose, stacked
from engine.motion.cleanup import feet_locked
from engine.motion.seams import REST_DECAY, brought_to, coasted
from engine.motion.standing import settled, standing_partner
from engine.motion.track import Track, joined, known_track
from engine.session.plan import (
    LONGEST_CATCH_UP,
    SPARE_FRAMES,
    Frames,
    Quality,
    Timeline,
    label,
    stamp_of,
)
from engine.session.zone import SpaceKeeper


def stand(timeline: Timeline, partner_start: Pose | None) -> None:
    """The plan before any window: the partner stands before the player, or at the wanted start."""
    config, now = timeline.config, timeline.now
    first = max(min(timeline.player.last_frame, now), now - config.history_frames)
    player = timeline.player.at(first)
    partner = partner_start or standing_partner(
        player, timeline.rest_joints, config.start_distance, timeline.player_floor
    )
    standing = label(Quality.FALLBACK, timeline.player.stamp_at(first))
    pair = stacked([player, partner])
    timeline.plan.append(first, _lasting(pair, now + config.sent_frames + 1 - first), standing)
    timeline.sent_until = first - 1


def bridge_absence(timeline: Timeline) -> None:
    """Fill the time since a client had played all it held with what it has shown meanwhile: its
    last frame."""
    if timeline.now <= timeline.sent_until:
        return
    plan = timeline.plan
    plan.cut_after(timeline.sent_until)
    last = plan.last
    first = max(last + 1, timeline.now - LONGEST_CATCH_UP)
    held = label(Quality.HELD, stamp_of(plan.label(last)))
    plan.append(first, _lasting(plan.pair(last, is_shown=True), timeline.now + 1 - first), held)
    timeline.sent_until = max(timeline.sent_until, first - 1)


def come_to_rest(timeline: Timeline) -> int:
    """What is not frozen makes way for rest; returns the first frame that changed."""
    frozen, history = timeline.frozen_until, timeline.config.history_frames
    timeline.plan.cut_after(frozen)
    shown = timeline.track(frozen - history + 1, history, frozen, frozen, is_shown=True)
    floor = timeline.floor
    pair = [
        settled(shown.pose[person, -1], rest_joints, floor)
        for person, rest_joints in enumerate(timeline.rest_joints)
    ]
    result = brought_to(shown, stacked(pair), timeline.config.horizon_frames, REST_DECAY)
    _hold(timeline, _grounded(timeline, shown, result), frozen + 1)
    return frozen + 1


def coast(timeline: Timeline, *, is_paused: bool) -> None:
    """Let the plan reach through the frozen frames, paused to the horizon: dry, its motion dies
    away."""
    config, end = timeline.config, timeline.plan_end
    reach = config.sent_frames if is_paused else config.commit_frames
    missing = timeline.now + reach - end
    if missing <= 0:
        return
    missing += SPARE_FRAMES if is_paused else 0
    result = _dying_away(timeline, _shown(timeline), min(missing, LONGEST_CATCH_UP))
    skipped = max(missing - LONGEST_CATCH_UP, 0)
    if skipped:
        timeline.sent_until = max(timeline.sent_until, end + skipped)
    _hold(timeline, result, end + skipped + 1)


def take_up(timeline: Timeline) -> None:
    """What the client holds beyond the plan is the plan, as far as it is frozen by now."""
    end, tail = timeline.plan_end, timeline.tail
    count = min(timeline.now + timeline.config.commit_frames - end, len(tail))
    if count <= 0:
        return
    taken = tail.cut(tail.first, end + count)
    timeline.plan.append(taken.first, taken.pose, taken.labels)
    timeline.tail, timeline.sent_until = tail.cut(end + count + 1, tail.last), end + count


def lengthen_tail(timeline: Timeline, keeper: SpaceKeeper | None) -> None:
    """Where no window reaches as far as the client wants to hold, it holds the last motion as it
    dies away, too; out of the player's zone, if there is one."""
    held = timeline.tail
    missing = timeline.config.tail_frames - len(held)
    if missing <= 0:
        return
    shown, end = _shown(timeline), timeline.plan_end
    if len(held):
        shown = joined([shown, known_track(held.pose)]).cut(len(held), shown.frames)
    result = _dying_away(timeline, shown, missing)
    if keeper is not None:
        given = np.repeat([np.arange(shown.frames + missing) < shown.frames], 2, axis=0)
        result = keeper.spaced(joined([shown, result]), given).cut(shown.frames, missing)
    more = Frames(
        first=end + 1 + len(held),
        pose=result.pose,
        labels=np.full(missing, _held(timeline)),
    )
    timeline.tail = held.before(more) if len(held) else more


def _shown(timeline: Timeline) -> Track:
    """The last frames of the plan, as they are shown."""
    end, history = timeline.plan_end, timeline.config.history_frames
    return timeline.track(end - history + 1, history, end, end, is_shown=True)


def _dying_away(timeline: Timeline, shown: Track, frames: int) -> Track:
    result = coasted(shown, frames)
    if timeline.plan.quality(timeline.plan_end) is Quality.FALLBACK:
        return result
    return _grounded(timeline, shown, result)


def _grounded(timeline: Timeline, shown: Track, track: Track) -> Track:
    """What follows frames that were shown, with its feet on the floor."""
    if not timeline.config.has_cleanup:
        return track
    given = np.repeat([np.arange(shown.frames + track.frames) < shown.frames], 2, axis=0)
    both = joined([shown, track])
    result = feet_locked(both, given, timeline.rest_joints, timeline.cleanup)
    return result.cut(shown.frames, track.frames)


def _hold(timeline: Timeline, track: Track, first: int) -> None:
    """Go on with frames that no network made."""
    timeline.plan.append(first, track.pose, _held(timeline))


def _held(timeline: Timeline) -> np.void:
    """What frames after the plan's last say of themselves."""
    last = timeline.plan.label(timeline.plan_end)
    is_standing = last["quality"] == Quality.FALLBACK
    return label(Quality.FALLBACK if is_standing else Quality.HELD, stamp_of(last))


def _lasting(pair: Pose, frames: int) -> Pose:
    """A pair (2,) in that many frames, (2, frames)."""
    return Pose(*(np.repeat(part[:, None], frames, 1) for part in (pair.rotmats, pair.transl)))

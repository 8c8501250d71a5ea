"""The merge of an arrived window into the plan, and what is shown of it.

Frozen frames stay, the rest makes way. The window is joined to what was known when it was asked for
and to what was frozen meanwhile, cleaned up, and made as lively as is wanted; an arm is bent for a
touch. What is shown goes on from what was shown before; windows go on without energy and touches.
Knows no clock, and not why the window was wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.arrays import Array, BoolArray
from engine.body.pose import Pose
from engine.body.reach import ANKLES, BALLS, HIPS, KNEES
from engine.motion.cleanup import corrected, feet_locked
from engine.motion.energy import UPPER_JOINTS, enlivened
from engine.motion.motion import WINDOW_FRAMES
from engine.motion.seams import MARGIN, REST_DECAY, joined_to, pinned
from engine.motion.track import Track, known_track
from engine.session.asking import Expectation, UnderWay
from engine.session.direction import Direction, Mode
from engine.session.manners import Manners
from engine.session.plan import Quality, Timeline, label
from engine.session.situation import Situation
from engine.session.targets.targets import Targets
from engine.session.zone import SpaceKeeper

LEAST_TURN = 0.02
"""Change of an arm's rotation (Frobenius norm, about 1 cm of the hand) that is worth a revision."""
LEG_JOINTS = [*HIPS, *KNEES, *ANKLES, *BALLS]
EASE_FRAMES = 4
"""Before and after a pose that is passed through, in which energy comes and goes."""


def merge(
    asked: UnderWay,
    sampled: Track,
    *,
    timeline: Timeline,
    expectation: Expectation,
    keeper: SpaceKeeper | None,
    direction: Direction,
    manners: Manners,
) -> int | None:
    """Put a sampled window into the plan; returns the first frame that changed.

    keeper  of the player's space; None: there is no zone
    None for a window that came too late for any frame of its own.
    """
    plan, config = timeline.plan, timeline.config
    kept = timeline.frozen_until if asked.is_revision else timeline.plan_end
    first, player_until = asked.window.request.first_frame, asked.player_until
    if first + WINDOW_FRAMES - 1 <= kept:
        if plan.quality(kept) is Quality.GENERATED:
            return None
        # Too late for its own time, but the partner still waits where it starts.
        delay = kept - asked.partner_until
        first, player_until = first + delay, player_until + delay
    takes_lead = direction.mode is Mode.FOLLOW_PLAN and not timeline.is_led and asked.is_revision
    if takes_lead:
        player_until = max(player_until, timeline.player_known_until)
    elif timeline.is_led:
        player_until = kept
    exact = tuple(target for target in asked.ahead if target.is_exact)
    span = first - MARGIN, WINDOW_FRAMES + 2 * MARGIN, player_until, kept
    known = timeline.track(*span, ahead=exact)
    if len(exact) < len(asked.ahead):
        sampled = pinned(sampled, timeline.track(*span, ahead=asked.ahead))
    is_on_course = False
    given = known.is_known[:, MARGIN : MARGIN + WINDOW_FRAMES]
    situation = situation_of(timeline, direction)
    if config.guard and not situation.is_aimed:
        layers = manners.over(situation, known, first - MARGIN, has_company=config.company)
        is_on_course = layers.course is not None
        believed = layers.believable(sampled)
        result = layers.carried(layers.joined(believed), believed)
    else:
        result = joined_to(sampled, known)
    shown = timeline.track(first, WINDOW_FRAMES, player_until, kept, ahead=exact, is_shown=True)
    if config.has_cleanup:
        result = corrected(result, given, timeline.rest_joints, timeline.cleanup)
        result = result if keeper is None else keeper.spaced(result, given)
    final = lively(result, shown, given, direction.energy)
    if is_on_course:
        # Its feet stand and step by plan already; locks would hold them where they only pass.
        final = legs_carried_on(final, shown, given)
    elif config.has_cleanup:
        final = feet_locked(final, given, timeline.rest_joints, timeline.cleanup, shown)
    if asked.is_revision:
        expectation.clear()
    expectation.expect(result, first, player_until, timeline.rest_joints[0])
    plan.cut_after(kept)
    new = slice(kept + 1 - first, WINDOW_FRAMES)
    generated = label(
        Quality.GENERATED,
        asked.based_on,
        window=asked.ticket + 1,
        steps=asked.window.request.steps,
    )
    plan.append(kept + 1, final.pose[:, new], generated, made=result.pose[:, new])
    if not takes_lead:
        return kept + 1
    # Nobody was shown this player so far: only the partner's frozen frames must stay.
    timeline.leads_from = player_until + 1
    led = slice(player_until + 1 - first, kept + 1 - first)
    plan.move_player(player_until + 1, shown=final.pose[0, led], made=result.pose[0, led])
    return max(player_until, timeline.now) + 1


def situation_of(timeline: Timeline, direction: Direction) -> Situation:
    """What the layers are told of this session."""
    targets = direction.contact, direction.place, direction.poses or None
    is_aimed = direction.mode is not Mode.REACT or any(target is not None for target in targets)
    config = timeline.config
    has_acts = config.guard and config.company and config.responses and not is_aimed
    act = direction.act if has_acts else None
    return Situation(
        player=timeline.player,
        newest=timeline.player_known_until,
        posed_at=lambda frame: timeline.posed_player(frame)[:2],
        rest_joints=timeline.rest_joints,
        floor=timeline.floor,
        is_aimed=is_aimed,
        is_led=is_aimed or (direction.text is not None and act is None),
        lag=config.commit_frames + config.hurried_frames,
        act=act,
    )


def lively(made: Track, shown: Track, given: BoolArray, energy: float) -> Track:
    """What was made, with the energy that is wanted, going on from what was shown."""
    known, free = np.flatnonzero(given[1]), np.flatnonzero(~given[1])
    if not len(free):
        return made
    ahead, frozen = known[known > free[0]], known[known < free[0]]
    is_as_made = np.array_equal(
        shown.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
        made.rotmats[1, frozen[-3:]][:, UPPER_JOINTS],
    )
    if energy == 1 and is_as_made:
        return made
    distance = np.abs(np.arange(made.frames)[:, None] - ahead).min(axis=1, initial=EASE_FRAMES)
    gain = 1 + (energy - 1) * np.minimum(distance / EASE_FRAMES, 1.0)
    upper = enlivened(made.rotmats[1], gain)
    turned = _carried_on(Pose(upper, made.transl[1]), shown.pose[1], given[1]).rotmats
    rotmats = made.rotmats.copy()
    rotmats[1][:, UPPER_JOINTS] = turned[:, UPPER_JOINTS]
    return replace(made, pose=Pose(rotmats, made.transl))


def legs_carried_on(made: Track, shown: Track, given: BoolArray) -> Track:
    """What was made, legs and height going on from what was shown, with feet that were locked."""
    frozen = np.flatnonzero(given[1])[-3:]
    before, now = shown.pose[1, frozen], made.pose[1, frozen]
    if np.array_equal(before.rotmats[:, LEG_JOINTS], now.rotmats[:, LEG_JOINTS]):
        return made
    partner = _carried_on(made.pose[1], shown.pose[1], given[1])
    rotmats, transl = made.rotmats.copy(), made.transl.copy()
    rotmats[1][:, LEG_JOINTS], transl[1] = partner.rotmats[:, LEG_JOINTS], partner.transl
    return replace(made, pose=Pose(rotmats, transl))


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
    touched = _carried_on(Pose(touched, shown.transl[1]), shown[1], np.array(span) <= edge).rotmats
    turned = np.linalg.norm(touched - shown.rotmats[1], axis=(-2, -1)).max(axis=-1)
    if changed_from is None and turned.max() < LEAST_TURN:
        return None
    plan.touch(edge + 1, touched[edge + 1 - first :])
    return edge + 1


def _carried_on(made: Pose, shown: Pose, given: BoolArray) -> Pose:
    """Frames (frame,) of one person that go on from those that were shown, where given."""
    known = Track(shown[None], given[None])
    return pinned(known_track(made[None]), known, REST_DECAY).pose[0]

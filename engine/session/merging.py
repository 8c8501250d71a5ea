"""The merge of an arrived window into the plan: frozen frames stay, the rest makes way for it.

The window is joined to what was known when it was asked for and to what was frozen meanwhile, is
cleaned up, and made as lively as is wanted. Knows no clock, and not why the window was wanted.
"""

from __future__ import annotations

from engine.motion.cleanup import corrected, feet_locked
from engine.motion.motion import WINDOW_FRAMES
from engine.motion.seams import MARGIN, joined_to, pinned
from engine.motion.track import Track
from engine.session.direction import Direction, Mode
from engine.session.expectation import Expectation
from engine.session.plan import Quality, Timeline, label
from engine.session.shown import lively
from engine.session.wanted import UnderWay
from engine.session.zone import SpaceKeeper


def merge(
    asked: UnderWay,
    sampled: Track,
    *,
    timeline: Timeline,
    expectation: Expectation,
    keeper: SpaceKeeper | None,
    direction: Direction,
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
    result = joined_to(sampled, known)
    given = known.cut(MARGIN, WINDOW_FRAMES).is_known
    shown = timeline.track(first, WINDOW_FRAMES, player_until, kept, ahead=exact, is_shown=True)
    if config.has_cleanup:
        result = corrected(result, given, timeline.rest_joints, timeline.cleanup)
        result = result if keeper is None else keeper.spaced(result, given)
    final = lively(result, shown, given, direction.energy)
    if config.has_cleanup:
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

"""The state of a session between two calls: all of it, and what of it goes to another server.

Plain data. A recording writes all of it down, so that the session runs again to the bit; a resume
token what is left by `carried`, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.body.pose import Pose, chained, stacked
from engine.motion.contacts import ContactsState
from engine.motion.seams import MARGIN
from engine.session.asking import Expected, WindowsState
from engine.session.config import SessionConfig
from engine.session.direction import Mode
from engine.session.manners import UNSEEN, MannersState
from engine.session.plan import NO_FRAMES, Frames, PlanState, plan_of
from engine.session.player import NOBODY, PlayerState
from engine.session.targets.pursuit import Pursuit

LOST_REVISIONS = 100
"""By how much the numbers of a resumed session's revisions and offers are ahead: more than a client
can have had since."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionState:
    config: SessionConfig
    windows: WindowsState
    pursuit: Pursuit
    frame: int = -1
    """The frame that is due now."""
    sent_until: int = -1
    """The last frame of the plan that the client holds."""
    tail: Frames = NO_FRAMES
    """Frames beyond the plan that the client holds. It shows its last one when it hears no more."""
    leads_from: int | None = None
    """From this frame on the player is the plan's; None: the client sends the player."""
    floors: tuple[float, ...] = ()
    """Metres, of the player in the last frames."""
    partner_start: Pose | None = None
    player: PlayerState = field(default_factory=PlayerState)
    plan: PlanState = field(default_factory=lambda: plan_of(NO_FRAMES))
    expected: Expected = field(default_factory=Expected)
    manners: MannersState = field(default_factory=MannersState)
    contacts: ContactsState = field(default_factory=ContactsState)
    kept_until: int = -1
    """The last frame that keeps out of the zone, where there is one."""
    revision: int = 0
    departure: float = 0.0
    due: tuple[int, int, int] = (0, 0, 0)
    """Frames that became due, by `Quality`."""
    is_resting: bool = False
    is_resumed: bool = False
    """Whether the next tick bridges the time that the client was alone."""

    @property
    def has_plan(self) -> bool:
        return len(self.plan.frames) > 0


def carried(state: SessionState) -> SessionState:
    """The little that the client can notice, of a session with a plan; the rest is made again.

    A window under way is asked for anew; what the network made before feet were locked is taken to
    be what was shown; the player stays in place. What was carried once stays as it is.
    """
    config, frames, windows = state.config, state.plan.frames, state.windows
    if len(state.tail):
        frames = frames.before(state.tail)
    reach = config.history_frames + config.commit_frames + 2 * MARGIN
    first = max(state.frame - reach, frames.first)
    player = state.player.cut(max(state.player.last_frame + 1 - state.frame + reach, 1))
    is_led = state.pursuit.direction.mode is Mode.FOLLOW_PLAN
    return SessionState(
        config=config,
        windows=WindowsState(
            seed=windows.seed,
            tickets=windows.tickets,
            delays=windows.delays,
            accepted=windows.accepted,
            failed=windows.failed,
        ),
        pursuit=Pursuit(rest_joints=state.pursuit.rest_joints, direction=state.pursuit.direction),
        frame=state.frame,
        sent_until=min(state.sent_until + len(state.tail), frames.last),
        leads_from=first if is_led else None,
        floors=(min(state.floors),),
        player=player.of_nobody(),
        plan=plan_of(_met(frames.cut(first, frames.last), player, is_led=is_led)),
        manners=replace(state.manners, probabilities=UNSEEN, looked=-1, companions=()),
        contacts=ContactsState(contacts=state.contacts.contacts, ids=state.contacts.ids),
        revision=state.revision,
        due=state.due,
    )


def taken_up(state: SessionState) -> SessionState:
    """What a session goes on from elsewhere, at any later time, with a new revision.

    A client that has played all it had shows its last frame until it hears more, so the plan goes
    on from there, at rest.
    """
    state = carried(state)
    return replace(
        state,
        manners=replace(state.manners, offers=state.manners.offers + LOST_REVISIONS),
        revision=state.revision + LOST_REVISIONS,
        is_resumed=True,
    )


def _met(frames: Frames, player: PlayerState, *, is_led: bool) -> Frames:
    """Frames of nobody, in which the player is as recorded; as planned, where led."""
    labels = frames.labels.copy()
    labels["sequence"], labels["time_s"] = NOBODY.sequence, NOBODY.time_s
    known = 0 if is_led else min(max(player.last_frame + 1 - frames.first, 0), len(frames))
    rows = np.clip(frames.indices[:known] - player.last_frame - 1, -len(player.stamps), -1)
    people = chained([player.pose[rows], frames.pose[0, known:]]), frames.pose[1]
    return Frames(first=frames.first, pose=stacked(people), labels=labels)

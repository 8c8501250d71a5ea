"""The settings of a session, and the ranges they must lie in.

Plain data; knows no session.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import ConfigError
from engine.motion.answers import ANSWERED, CONTACTS
from engine.motion.motion import WINDOW_FRAMES


class Respond(StrEnum):
    """Whether the partner answers what the player is about."""

    ALWAYS = "always"
    NEVER = "never"
    ASK = "ask"
    """Only what the client confirms."""


@dataclass(frozen=True, kw_only=True)
class SessionConfig:
    horizon_frames: int = 20
    """How far ahead of its clock the client holds a plan. Jitter up to this is invisible."""
    transit_frames: int = 0
    """Frames sent beyond the horizon where they are planned: the client holds the horizon though
    the newest are still on their way."""
    commit_frames: int = 3
    """Frames from now on that no revision may change."""
    refill_frames: int = 12
    """With fewer planned frames than this ahead, the next window is asked for."""
    history_frames: int = 10
    """Known frames that a window starts from; 1 for networks trained on the anchor alone."""
    revision_frames: int = 4
    """Least distance between the starts of two revisions."""
    departure_threshold: float = 0.03
    """Mean joint error in metres, real player against expected, that calls for a revision: about
    what an arm makes that is raised to the waist."""
    steps: int = 10
    """Denoiser steps of a window; fewer are faster and coarser."""
    warm_steps: int = 0
    """Steps that a revision leaves out, because it starts from the plan it revises; below `steps`,
    or as many of them as there are but one."""
    start_distance: float = 1.4
    """Metres from the player at which the partner stands until the first window is there."""
    leash: float = 2.4
    """Metres; a player further off is shown to the network at this distance, in the same direction:
    it never saw people far apart, and this near it knows to follow."""
    has_cleanup: bool = True
    """Whether feet are kept out of the floor and speeds within reason, after the network."""
    foot_lock: bool = True
    """Whether the clean-up also holds planted feet at one spot; no effect without it."""
    guard: bool = False
    """Whether posture and gaze that drift are drawn back."""
    company: bool = False
    """Whether the partner stands and walks by footsteps of ours; no effect without the guard."""
    responses: bool = False
    """Whether the partner answers what the player offers; no effect without company."""
    respond: Respond = Respond.ALWAYS
    """Whether it does so unasked; no effect without responses."""
    kinds: tuple[str, ...] = ANSWERED
    """What it may answer."""
    allow_contact: bool = True
    """Whether the partner may touch the player; if not, no frame is sent with a touch."""
    zone_radius: float = 0.0
    """Metres around the player's body that no part of the partner's enters in any frame sent; over
    0 there is no contact either."""

    def __post_init__(self) -> None:
        self._require("horizon_frames", 4, 100)
        self._require("commit_frames", 1, self.horizon_frames - 1)
        self._require("transit_frames", 0, 30)
        self._require("refill_frames", 1, 100)
        self._require("history_frames", 1, 15)
        # A reaction window has to reach well beyond the frames that it may not change.
        self._require("commit_frames", 1, (WINDOW_FRAMES - self.history_frames) // 2)
        self._require("revision_frames", 1, 100)
        self._require("departure_threshold", 0.0, 10.0)
        self._require("steps", 1, 50)
        self._require("warm_steps", 0, 49)
        self._require("start_distance", 0.3, 10.0)
        self._require("leash", 0.5, 1000.0)
        self._require("zone_radius", 0.0, 5.0)
        for kind in self.kinds:
            if kind not in ANSWERED:
                raise ConfigError(
                    f"kinds has {kind!r:.40}, expected some of {', '.join(ANSWERED)}",
                    field="kinds",
                )

    @property
    def sent_frames(self) -> int:
        """How far ahead of the clock frames are sent."""
        return self.horizon_frames + self.transit_frames

    @property
    def tail_frames(self) -> int:
        """Frames that the client is sent beyond the plan: as many as hold the horizon whatever is
        left of the plan, and none where a window reaches as far."""
        reach = WINDOW_FRAMES - self.history_frames
        return self.horizon_frames - self.commit_frames if self.horizon_frames > reach else 0

    @property
    def hurried_frames(self) -> int:
        """Least distance between the starts of two revisions while much may happen in little
        time, as in a dance."""
        return max(self.revision_frames // 2, 1)

    @property
    def has_zone(self) -> bool:
        """Whether the partner has to keep out of a zone around the player."""
        return self.zone_radius > 0 or not self.allow_contact

    @property
    def answered(self) -> tuple[str, ...]:
        """The kinds of intent that the partner may answer, as all settings have it."""
        if not self.responses or self.respond is Respond.NEVER:
            return ()
        return tuple(kind for kind in self.kinds if not (self.has_zone and kind in CONTACTS))

    def _require(self, field: str, least: float, most: float) -> None:
        value = getattr(self, field)
        if not least <= value <= most:
            raise ConfigError(f"{field} is {value}, must lie in {least}..{most}", field=field)

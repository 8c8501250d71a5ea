"""The timeline of a session: both people, frame by frame, and the frame that is due.

The player as he was while that is known, then as planned; the partner as planned. Knows settings,
poses and frames; knows no network, and not which window is under way.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from engine.arrays import Array
from engine.body.skeleton import JOINT_COUNT
from engine.motion.cleanup import CleanupConfig
from engine.motion.floor import lowest_heights
from engine.motion.motion import WINDOW_FRAMES
from engine.motion.seams import MARGIN
from engine.motion.track import Track
from engine.session.config import SessionConfig
from engine.session.plan import Plan
from engine.session.player import PlayerTrack
from engine.session.targets import KnownAhead

KEPT_FRAMES = WINDOW_FRAMES + 2 * MARGIN
"""Of the player; no window looks further back."""
SPARE_FRAMES = 4
"""Sent beyond the horizon, so that a plan that stands needs a message every half second only."""
LONGEST_CATCH_UP = 100
"""Frames; a longer silence of the caller is skipped, not filled with frames nobody will play."""


class Timeline:
    """The frames of one session, of both people.

    rest_joints  (2, 22, 3) of player and partner
    leads_from   from this frame on the player is the plan's, who leads; None: he comes from outside
    sent_until   the last frame that the client holds
    floors       metres, of the player in the last frames
    """

    def __init__(self, config: SessionConfig, rest_joints: Array) -> None:
        self.config = config
        self.rest_joints = rest_joints
        self.now = -1
        self.player = PlayerTrack(KEPT_FRAMES)
        self.plan = Plan()
        self.leads_from: int | None = None
        self.sent_until = -1
        self.floors: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._posed_player: tuple[int, Array, float] = (-1, np.zeros((JOINT_COUNT, 3)), 0.0)

    @property
    def plan_end(self) -> int:
        return self.plan.last if self.plan else self.now - 1

    @property
    def frozen_until(self) -> int:
        """The last planned frame that no revision may change."""
        return min(self.now + self.config.commit_frames, self.plan_end)

    @property
    def player_known_until(self) -> int:
        """The last frame whose player is known; one that has gone quiet is taken to stand still."""
        return max(min(self.player.last_frame, self.now), self.now - self.config.commit_frames)

    @property
    def is_led(self) -> bool:
        """Whether the player is the plan's."""
        return self.leads_from is not None

    @property
    def floor(self) -> float:
        return min(self.floors)

    @property
    def cleanup(self) -> CleanupConfig:
        """What frames are corrected by, where there is a clean-up."""
        return CleanupConfig(floor=self.floor, foot_lock=self.config.foot_lock)

    def posed_player(self, frame: int) -> tuple[Array, float]:
        """World joints (22, 3) of the player at a known frame, and the height of his lowest point;
        asked for several times in a frame."""
        if self._posed_player[0] != frame:
            joints, world = self.player.at(frame).in_world(self.rest_joints[0])
            lowest = lowest_heights(joints, world, self.rest_joints[0])
            self._posed_player = frame, joints, float(lowest.min())
        return self._posed_player[1:]

    @property
    def player_floor(self) -> float:
        """Metres, under the newest frame of the player."""
        return self.posed_player(self.player.last_frame)[1]

    def track(
        self,
        first: int,
        frames: int,
        player_until: int,
        partner_until: int,
        *,
        ahead: tuple[KnownAhead, ...] = (),
        is_shown: bool = False,
    ) -> Track:
        """Frames of the session: the player as he was while that is known, then as planned.

        ahead     known frames after those
        is_shown  as the client has them; else as the network made them
        """
        poses = self.plan.stretch(first, frames, is_shown=is_shown)
        real_until = self.player_known_until
        if self.leads_from is not None:
            real_until = min(real_until, self.leads_from - 1)
        for index in range(first, min(first + frames, real_until + 1)):
            at, player = index - first, self.player.at(index)
            poses.rotmats[0, at], poses.transl[0, at] = player.rotmats, player.transl
        indices = np.arange(first, first + frames)
        track = Track(
            rotmats=poses.rotmats,
            transl=poses.transl,
            is_known=np.stack([indices <= player_until, indices <= partner_until]),
        )
        for target in ahead:
            for person, pose in enumerate((target.player, target.partner)):
                at = target.frame - first
                if pose is None or not 0 <= at < frames or track.is_known[person, at]:
                    continue
                track.rotmats[person, at], track.transl[person, at] = pose.rotmats, pose.transl
                track.is_known[person, at] = True
        return track

    @property
    def oldest(self) -> int:
        """The first frame that any later window asks for."""
        return self.now - WINDOW_FRAMES - 2 * MARGIN

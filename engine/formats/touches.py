"""Touches of a motion: which parts of its two people meet, when and where, in seconds.

Knows motions and bodies; what a file makes of touches is that file's business.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT_NAMES
from engine.formats.resample import resampled
from engine.motion.contacts import Contact, ContactTracker
from engine.motion.motion import FRAME_RATE, Motion

CHUNK_FRAMES = 600
"""Frames looked at together; what a minute takes in memory is then the most."""


def contacts_of(motion: Motion, body: Body) -> tuple[Contact, ...]:
    """The contacts of two people in the order they begin; their frames are at 10 a second.

    Nobody touches in a motion of one person, or of more than two.
    """
    if motion.people != 2:
        return ()
    motion = resampled(motion, FRAME_RATE)
    player, partner = (fitted_capsules(body, betas) for betas in motion.betas)
    rest = body.rest_joints(motion.betas).astype(np.float64)
    tracker = ContactTracker((player, partner))
    pose = Pose(motion.rotmats.astype(np.float64), motion.transl.astype(np.float64))
    contacts: tuple[Contact, ...] = ()
    for first in range(0, motion.frames, CHUNK_FRAMES):
        frames = np.arange(first, min(first + CHUNK_FRAMES, motion.frames))
        contacts = tracker.update(0, first, *pose[:, frames].in_world(rest[:, None]), frames)
    return contacts


def touches_of(motion: Motion, body: Body) -> list[dict[str, Any]]:
    """The same for files, in seconds from the first frame: player_joint, partner_joint (names),
    start, end, closing_speed (m/s), point (metres, where the touch begins)."""
    return [
        {
            "player_joint": JOINT_NAMES[contact.player_joint],
            "partner_joint": JOINT_NAMES[contact.partner_joint],
            "start": contact.start / FRAME_RATE,
            "end": contact.end / FRAME_RATE,
            "closing_speed": round(contact.closing_speed, 4),
            "point": np.round(contact.point, 4).tolist(),
        }
        for contact in contacts_of(motion, body)
    ]

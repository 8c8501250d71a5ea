"""Chunks of frames to the wire: those of a plan, those of a motion, and contacts.

Knows frames and messages; no session and no socket.
"""

from __future__ import annotations

from collections.abc import Sequence

from contrapose.v1 import types_pb2

from engine.body.pose import Pose, stacked
from engine.motion.contacts import Contact
from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.serving import wire
from engine.session.plan import PlanFrame, Quality

QUALITY = {
    Quality.GENERATED: types_pb2.FRAME_QUALITY_GENERATED,
    Quality.HELD: types_pb2.FRAME_QUALITY_HELD,
    Quality.FALLBACK: types_pb2.FRAME_QUALITY_FALLBACK,
}


def frames_to_wire(frames: Sequence[PlanFrame]) -> list[types_pb2.Frame]:
    people = wire.poses_to_wire(stacked([frame.pose for frame in frames]))
    return [
        types_pb2.Frame(
            time_code=frame.index / FRAME_RATE,
            player=player,
            partner=partner,
            quality=QUALITY[frame.quality],
            window=frame.window,
        )
        for frame, player, partner in zip(frames, people[::2], people[1::2], strict=True)
    ]


def contact_to_wire(contact: Contact) -> types_pb2.ContactEvent:
    return types_pb2.ContactEvent(
        contact_id=contact.id,
        player_joint=contact.player_joint,
        partner_joint=contact.partner_joint,
        start_frame_index=contact.start,
        end_frame_index=contact.end,
        closing_speed=contact.closing_speed,
        point=contact.point.tolist(),
        is_open=contact.is_open,
    )


def motion_chunk(motion: Pose, first: int, steps: int) -> types_pb2.FrameChunk:
    """Up to a window's length of a motion (2, frames) from frame `first` on."""
    last = min(first + WINDOW_FRAMES, motion.transl.shape[1])
    players, partners = (wire.poses_to_wire(motion[person, first:last]) for person in (0, 1))
    return types_pb2.FrameChunk(
        first_frame_index=first,
        steps=steps,
        frames=[
            types_pb2.Frame(
                time_code=index / FRAME_RATE,
                player=player,
                partner=partner,
                quality=types_pb2.FRAME_QUALITY_GENERATED,
            )
            for index, player, partner in zip(range(first, last), players, partners, strict=True)
        ],
    )

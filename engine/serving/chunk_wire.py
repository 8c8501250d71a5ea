"""Chunks of frames to the wire: those of a plan, those of a motion, and contacts.

Knows frames and messages; no session and no socket.
"""

from __future__ import annotations

from collections.abc import Sequence

from contrapose.v1 import types_pb2

from engine.arrays import Array
from engine.body.pose import Pose
from engine.motion.contacts import Contact
from engine.motion.motion import FRAME_RATE, WINDOW_FRAMES
from engine.serving import wire
from engine.session.plan import Frames, Quality

QUALITY = {
    int(Quality.GENERATED): types_pb2.FRAME_QUALITY_GENERATED,
    int(Quality.HELD): types_pb2.FRAME_QUALITY_HELD,
    int(Quality.FALLBACK): types_pb2.FRAME_QUALITY_FALLBACK,
}


def frames_to_wire(frames: Frames, curls: Array | None = None) -> list[types_pb2.Frame]:
    """Messages of frames of a plan; curls (2, n, 10) in them, if they are to be told."""
    labels = frames.labels
    qualities = [QUALITY[quality] for quality in labels["quality"].tolist()]
    return _frames(frames.first, frames.pose, curls, qualities, labels["window"].tolist())


def _frames(
    first: int,
    pose: Pose,
    curls: Array | None,
    qualities: Sequence[types_pb2.FrameQuality],
    windows: Sequence[int],
) -> list[types_pb2.Frame]:
    """Messages of frames (2, n)."""
    people = wire.poses_to_wire(pose, curls)
    players, partners = people[: len(qualities)], people[len(qualities) :]
    return [
        types_pb2.Frame(
            time_code=index / FRAME_RATE,
            player=player,
            partner=partner,
            quality=quality,
            window=window,
        )
        for index, (player, partner, quality, window) in enumerate(
            zip(players, partners, qualities, windows, strict=True), start=first
        )
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


def motion_chunk(motion: Pose, curls: Array, first: int, steps: int) -> types_pb2.FrameChunk:
    """Up to a window's length of a motion (2, frames), curls (2, frames, 10), from `first` on."""
    span = slice(first, first + WINDOW_FRAMES)
    frames = motion[:, span]
    count = frames.transl.shape[1]
    quality = types_pb2.FRAME_QUALITY_GENERATED
    return types_pb2.FrameChunk(
        first_frame_index=first,
        steps=steps,
        frames=_frames(first, frames, curls[:, span], [quality] * count, [0] * count),
    )

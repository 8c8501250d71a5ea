"""A player who holds out a hand to a real server, and a client that is asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
from contrapose_client import Offer, sync

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat, rotmat_from_quat
from engine.body.skeleton import JOINT
from engine.bundle import STARTER
from tests.e2e.conftest import started_server
from trainer.evaluation.live import players

WRIST = JOINT["right_wrist"]
MOST_FRAMES = 600
HELD = 0.3
"""Metres between two right wrists that hold each other."""


def test_a_hand_is_taken_that_the_client_agrees_to() -> None:
    """However slow the machine: the hand is held out again until the client was in time."""
    episode = players.patient("right_hand", 7)
    assert episode.begins is not None
    frames = [*range(episode.begins + 35), *[0] * 10]
    quats = quat_from_rotmat(episode.pose.rotmats)
    theirs = episode.pose.in_world(episode.rest_joints[0])[0][:, WRIST]
    offers: list[Offer] = []

    def player() -> Iterator[tuple[Array, Array]]:
        for frame in count():
            at = frames[frame % len(frames)]
            yield quats[at], episode.pose.transl[at]

    def agrees(offer: Offer) -> bool:
        offers.append(offer)
        return True

    start = quat_from_rotmat(episode.start.rotmats), episode.start.transl
    nearest = np.inf
    with started_server(STARTER) as running, sync.connect(running.address) as client:
        shown = client.live(
            player(), agrees=agrees, respond="ask", kinds=["right_hand"], partner_start=start
        )
        for frame in shown:
            rotmats = rotmat_from_quat(frame.quats_xyzw)
            wrist = Pose(rotmats, frame.transl).in_world(episode.rest_joints[1])[0][WRIST]
            at = frames[frame.index % len(frames)]
            nearest = min(nearest, float(np.linalg.norm(wrist - theirs[at])))
            if nearest < HELD or frame.index > MOST_FRAMES:
                shown.close()
                break
    assert nearest < HELD
    assert {offer.kind for offer in offers} == {"right_hand"}
    assert [offer.id for offer in offers] == list(range(1, len(offers) + 1))

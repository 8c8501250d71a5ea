"""Contacts of small hand-made plans, and against the mesh."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.arrays import Array
from engine.body.capsules import fitted_capsules
from engine.body.pose import Pose, stacked
from engine.body.rotations import rotmat_about
from engine.body.shape import load_body
from engine.body.skeleton import JOINT
from engine.motion.contacts import RELEASE, Contact, ContactTracker
from engine.motion.standing import standing_partner, standing_pose

BODY = load_body()
BETAS = np.stack([np.zeros(10), 0.5 * np.ones(10)]).astype(np.float32)
REST = BODY.rest_joints(BETAS)
Frames = list[tuple[int, Pose]]


def new_tracker() -> ContactTracker:
    player, partner = (fitted_capsules(BODY, betas) for betas in BETAS)
    return ContactTracker((player, partner))


def told(tracker: ContactTracker, now: int, frames: Frames) -> tuple[Contact, ...]:
    """As of a plan whose frames have editions that follow from what they show."""
    pairs = [pair for _, pair in frames]
    editions = [hash(pair.rotmats.tobytes() + pair.transl.tobytes()) for pair in pairs]
    posed = stacked(pairs, axis=1).in_world(REST[:, None].astype(np.float64))
    return tracker.update(now, frames[0][0], *posed, np.array(editions))


def facing(distances: Array, first: int = 0) -> Frames:
    """The player stands at ease; the partner stands before him, so many metres away."""
    player = Pose(standing_pose(), np.zeros(3))
    frames = []
    for index, distance in enumerate(distances):
        partner = standing_partner(player, REST, float(distance), -1.3)
        frames.append((first + index, stacked([player, partner])))
    return frames


def there_and_back(speed: float, nearest: float = 0.22, hold: int = 5) -> Array:
    steps = speed / 10 * np.arange(1, 9)
    return nearest + np.concatenate([steps[::-1], np.zeros(hold), steps])


def skins_of(pair: Pose) -> list[Array]:
    return [BODY.vertices(pair[person], BETAS[person]) for person in range(2)]


def mesh_gap(pair: Pose) -> float:
    """Metres between the nearest vertices of two people."""
    skins = skins_of(pair)
    return float(cKDTree(skins[0]).query(skins[1])[0].min())


def test_people_who_stay_apart_do_not_touch() -> None:
    assert told(new_tracker(), 0, facing(np.full(20, 0.8))) == ()


@pytest.mark.parametrize("speed", [0.3, 1.0, 2.0])
def test_a_touch_is_announced_with_its_frames_its_speed_and_its_place(speed: float) -> None:
    frames = facing(there_and_back(speed))
    contacts = told(new_tracker(), 0, frames)
    assert contacts
    first = min(contacts, key=lambda contact: contact.start)
    assert first.closing_speed == pytest.approx(speed, rel=0.15)
    assert not first.is_open
    touching = [index for index, pair in frames if mesh_gap(pair) < 0.02]
    assert abs(first.start - touching[0]) <= 1
    assert abs(max(contact.end for contact in contacts) - touching[-1]) <= 1
    for contact in contacts:
        for skin in skins_of(frames[contact.start][1]):
            assert np.linalg.norm(skin - contact.point, axis=1).min() < 0.05


def test_a_touch_of_one_hand_names_the_hand_and_the_part_it_touches() -> None:
    frames = []
    for index, raised in enumerate(np.linspace(0.0, 1.45, 12)):
        rotmats = standing_pose()
        rotmats[JOINT["right_shoulder"]] = rotmat_about("y", raised) @ rotmat_about(
            "z", 1.2 * (1 - raised / 1.45)
        )
        partner = standing_partner(Pose(standing_pose(), np.zeros(3)), REST, 0.62, -1.3)
        frames.append((index, stacked([Pose(rotmats, np.zeros(3)), partner])))
    contacts = told(new_tracker(), 0, frames)
    assert contacts
    assert {contact.player_joint for contact in contacts} <= {
        JOINT["right_wrist"],
        JOINT["right_elbow"],
    }
    assert contacts[0].player_joint == JOINT["right_wrist"]


def test_skins_that_tremble_about_the_threshold_touch_once() -> None:
    frames = facing(there_and_back(0.5))
    tracker = new_tracker()
    (first, *_) = told(tracker, 0, frames)
    touching = frames[first.start]
    distance = there_and_back(0.5)[first.start]
    trembling = facing(distance + 0.4 * RELEASE * (-1.0) ** np.arange(1, 13))
    again = [c for c in told(new_tracker(), 0, trembling) if c.parts == first.parts]
    assert touching[0] == first.start
    assert len(again) == 1
    assert again[0].is_open


def test_a_revision_keeps_the_ids_of_touches_that_only_move() -> None:
    tracker = new_tracker()
    before = {c.parts: c for c in told(tracker, 0, facing(there_and_back(0.5)))}
    delayed = np.concatenate([np.full(2, there_and_back(0.5)[0]), there_and_back(0.5)])
    after = {c.parts: c for c in told(tracker, 1, facing(delayed))}
    assert before.keys() == after.keys()
    for parts in before:
        assert after[parts].id == before[parts].id
        assert after[parts].start == before[parts].start + 2


def test_a_touch_that_a_revision_cuts_in_two_is_two() -> None:
    tracker, nearest = new_tracker(), there_and_back(0.5, hold=20)
    (before, *_) = told(tracker, 0, facing(nearest))
    parted = nearest.copy()
    parted[14:18] = 0.9
    after = [c for c in told(tracker, 1, facing(parted)) if c.parts == before.parts]
    assert len(after) == 2
    assert after[0].id == before.id
    assert after[1].id != before.id
    assert after[0].end < 14
    assert after[1].start >= 18


def test_a_touch_under_way_keeps_its_beginning_while_the_clock_runs_on() -> None:
    frames = facing(there_and_back(0.5, hold=30))
    tracker = new_tracker()
    seen: list[Contact] = []
    for now in range(30):
        ours = [c for c in told(tracker, now, frames[now : now + 20]) if c.start < 12]
        seen += ours[:1]
    assert len({contact.id for contact in seen}) == 1
    assert len({contact.start for contact in seen}) == 1
    assert len({contact.closing_speed for contact in seen}) == 1


def test_what_is_over_is_not_told_again() -> None:
    frames = facing(np.concatenate([there_and_back(0.5), np.full(30, 0.9)]))
    tracker = new_tracker()
    contacts = told(tracker, 0, frames)
    over = max(contact.end for contact in contacts)
    assert told(tracker, over + 1, frames[over + 1 :]) == ()


def test_frames_are_measured_in_any_portions_with_the_same_result() -> None:
    frames = facing(there_and_back(0.7))
    whole = told(new_tracker(), 0, frames)
    tracker = new_tracker()
    for last in range(1, len(frames) + 1):
        parts = told(tracker, 0, frames[:last])
    assert [(c.parts, c.start, c.end) for c in parts] == [(c.parts, c.start, c.end) for c in whole]

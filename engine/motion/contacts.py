"""Contacts ahead of time: which parts of player and partner will touch, when, where and how fast.

For haptics and sound, from the capsules of both bodies over the frames of a plan. Knows frames and
capsules; knows no window, no session and no socket. The player is where the plan expects it.
How often capsules and mesh agree: docs/contacts.md, as `trainer/evaluation/contact_accuracy.py`
measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.capsules import Capsules, NearPairs, Segments, gaps, near_pairs
from engine.body.vectors import lengths
from engine.motion.motion import FRAME_RATE

TOUCH, RELEASE = 0.006, 0.015
"""Metres between the skins below which two parts begin to touch, and over which they part."""
SAME_CONTACT_FRAMES = 5
"""A contact that a revision moves by up to so many frames keeps its id."""

Parts = tuple[int, int]
"""Joints that the touching parts of player and partner follow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contact:
    """One touch of a part of the player and a part of the partner.

    id              the same over revisions, as long as it is the same touch
    player_joint, partner_joint  joints (0..21) that the parts follow: a wrist stands for the hand
    start, end      first and last frame, inclusive
    closing_speed   metres a second at which the skins came together just before; 0 if they touched
                    before anything was known
    point           (3,) between the skins at the first frame, world, metres
    is_open         it reaches the last frame that is planned, and may last longer
    """

    id: int
    player_joint: int
    partner_joint: int
    start: int
    end: int
    closing_speed: float
    point: Array
    is_open: bool

    @property
    def parts(self) -> Parts:
        return self.player_joint, self.partner_joint


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What is remembered of a frame.

    edition   by which it is known again
    segments  both people's axes
    near      the gap and the place of all parts that are near
    far       gaps of parts that are not, as far as they were asked for
    """

    edition: int
    segments: tuple[Segments, Segments]
    near: dict[Parts, tuple[float, Array]]
    far: dict[Parts, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactsState:
    """All that is remembered of a plan's contacts: the last id that any was given, and how frames
    were seen."""

    contacts: tuple[Contact, ...] = ()
    ids: int = 0
    looks: tuple[tuple[int, Look], ...] = ()


class ContactTracker:
    """Contacts of one session's plan; each frame is measured once.

    capsules  of player and partner
    """

    def __init__(
        self, capsules: tuple[Capsules, Capsules], state: ContactsState | None = None
    ) -> None:
        state = state or ContactsState()
        self._capsules = capsules
        self._looks = dict(state.looks)
        self._contacts = state.contacts
        self._ids = state.ids

    def state(self) -> ContactsState:
        return ContactsState(
            contacts=self._contacts, ids=self._ids, looks=tuple(self._looks.items())
        )

    def update(
        self, now: int, first: int, joints: Array, world: Array, editions: IntArray
    ) -> tuple[Contact, ...]:
        """The contacts of a plan that are not over at frame `now`, in the order they begin.

        joints, world  (2, n, 22, 3) and (2, n, 22, 3, 3) of both people in the frames from `first`
                       on; they replace what was known from there on
        editions       (n,) a frame whose edition is as before is as before
        """
        kept = {i: look for i, look in self._looks.items() if now - 3 <= i < first}
        known = [self._looks.get(first + row) for row in range(len(editions))]
        is_new = [
            look is None or look.edition != edition
            for look, edition in zip(known, editions.tolist(), strict=True)
        ]
        rows = np.flatnonzero(is_new)
        kept |= {first + row: look for row, look in enumerate(known) if look is not None}
        kept |= zip(
            (first + rows).tolist(),
            self._looked_at(joints[:, rows], world[:, rows], editions[rows].tolist()),
            strict=True,
        )
        self._looks = dict(sorted(kept.items()))
        found: list[Contact] = []
        for contact in self._found():
            if contact.end >= now:
                found.append(self._identified(contact, {each.id for each in found}))
        self._contacts = tuple(sorted(found, key=lambda contact: (contact.start, contact.parts)))
        return self._contacts

    def _looked_at(self, joints: Array, world: Array, editions: list[int]) -> list[Look]:
        """How the bodies lie in some frames (2, n)."""
        if not editions:
            return []
        player, partner = (
            capsules.posed(joints[person], world[person])
            for person, capsules in enumerate(self._capsules)
        )
        near = near_parts(self._capsules, (player, partner), RELEASE)
        return [
            Look(
                edition=edition,
                segments=(
                    Segments(starts=player.starts[row], axes=player.axes[row]),
                    Segments(starts=partner.starts[row], axes=partner.axes[row]),
                ),
                near=near.get(row, {}),
            )
            for row, edition in enumerate(editions)
        ]

    def _found(self) -> list[Contact]:
        """All contacts of the frames that are known, without ids."""
        first, last = next(iter(self._looks)), next(reversed(self._looks))
        before = {old.parts for old in self._contacts if old.start < first <= old.end}
        begun: dict[Parts, tuple[int, Array]] = {}
        found: list[Contact] = []
        for index, look in self._looks.items():
            for parts in [parts for parts in begun if parts not in look.near]:
                found.append(self._contact(parts, *begun.pop(parts), end=index - 1))
            for parts, (gap, point) in look.near.items():
                is_touch = gap < TOUCH or (index == first and parts in before)
                if is_touch and parts not in begun:
                    begun[parts] = index, point
        return found + [
            self._contact(parts, start, point, end=last, is_open=True)
            for parts, (start, point) in begun.items()
        ]

    def _contact(
        self, parts: Parts, start: int, point: Array, *, end: int, is_open: bool = False
    ) -> Contact:
        return Contact(
            id=0,
            player_joint=parts[0],
            partner_joint=parts[1],
            start=start,
            end=end,
            closing_speed=self._closing_speed(parts, start),
            point=point,
            is_open=is_open,
        )

    def _closing_speed(self, parts: Parts, start: int) -> float:
        """The faster of the last two steps before the first frame of a contact."""
        looks = [self._looks[i] for i in range(start - 2, start + 1) if i in self._looks]
        if unknown := [look for look in looks if parts not in look.near and parts not in look.far]:
            self._measure_far(parts, unknown)
        apart = [look.near[parts][0] if parts in look.near else look.far[parts] for look in looks]
        return FRAME_RATE * max([0.0, *(a - b for a, b in pairwise(apart))])

    def _measure_far(self, parts: Parts, looks: Sequence[Look]) -> None:
        """Note the gap between two parts in some frames, however far they are from each other."""
        bodies: list[Segments] = []
        radii: list[Array] = []
        for person, (capsules, joint) in enumerate(zip(self._capsules, parts, strict=True)):
            rows = np.flatnonzero(capsules.joints == joint)
            seen = [look.segments[person] for look in looks]
            bodies.append(
                Segments(
                    starts=np.stack([segments.starts[rows] for segments in seen]),
                    axes=np.stack([segments.axes[rows] for segments in seen]),
                )
            )
            radii.append(capsules.radii[rows])
        apart = gaps(bodies[0], radii[0], bodies[1], radii[1]).min(axis=(-2, -1))
        for look, gap in zip(looks, apart.tolist(), strict=True):
            look.far[parts] = gap

    def _identified(self, contact: Contact, taken: set[int]) -> Contact:
        """The contact under its old id, and with its old beginning where that is forgotten.

        taken  ids of others: of a contact that has become two, the first keeps it
        """
        for old in self._contacts:
            if old.parts != contact.parts or old.id in taken:
                continue
            is_old = contact.start <= next(iter(self._looks)) + 1
            if is_old and old.start <= contact.start <= old.end:
                return replace(old, end=contact.end, is_open=contact.is_open)
            overlaps = old.start <= contact.end and contact.start <= old.end
            if overlaps or abs(old.start - contact.start) <= SAME_CONTACT_FRAMES:
                return replace(contact, id=old.id)
        self._ids += 1
        return replace(contact, id=self._ids)


def near_parts(
    capsules: tuple[Capsules, Capsules], segments: tuple[Segments, Segments], reach: float
) -> dict[int, dict[Parts, tuple[float, Array]]]:
    """For each frame with any, the parts whose skins are nearer than `reach`: gap, and the place
    (3,) half-way between the skins.

    segments  of both people (frame, C, 3)
    """
    player, partner = capsules
    pairs = near_pairs(segments[0], player.radii, segments[1], partner.radii, reach)
    if not len(pairs.gaps):
        return {}
    keys = np.stack([pairs.frames, player.joints[pairs.first], partner.joints[pairs.second]])
    # The least gap of two parts counts: order by frame and parts, and there by gap.
    order = np.lexsort((pairs.gaps, *keys[::-1]))
    keys = keys[:, order]
    is_least = np.ones(len(order), np.bool_)
    is_least[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    least = order[is_least]
    between = _between_skins(pairs, least, player.radii, partner.radii)
    result: dict[int, dict[Parts, tuple[float, Array]]] = {}
    rows = zip(*keys[:, is_least].tolist(), pairs.gaps[least].tolist(), between, strict=True)
    for frame, player_joint, partner_joint, gap, place in rows:
        result.setdefault(frame, {})[player_joint, partner_joint] = gap, place
    return result


def _between_skins(pairs: NearPairs, rows: IntArray, radii: Array, radii_second: Array) -> Array:
    """Half-way (n, 3) between the skins of some pairs, on the line between the axes."""
    start, end = pairs.points[rows, 0], pairs.points[rows, 1]
    distance = lengths(end - start)
    along = (distance + radii[pairs.first[rows]] - radii_second[pairs.second[rows]]) / 2
    part = np.clip(along / np.maximum(distance, 1e-9), 0.0, 1.0)
    return np.asarray(start + part[:, None] * (end - start))

"""Answers: what arms and trunk do when something is offered: a hand taken, palms that clap, arms
laid round a back, a wave, a bow; and when the body is pushed.

Where feet stand for it comes first (`stand_for`), then the hands go to where the other's are, or
will be, with the speed of a person's reach (minimum jerk, Flash and Hogan 1985). Knows both
people's poses over frames, and how far on the answer is; knows no window, session or network.
Numbers: how people greet (distances, heights, durations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.arms import ARMS, CHEST, PALM_AHEAD, SIGN, SPINE, Reach, palms_of
from engine.body.easing import min_jerk, smoothstep
from engine.body.kinematics import along_chain
from engine.body.rotations import rotmat_about, wrapped
from engine.body.skeleton import JOINT
from engine.body.vectors import lengths, rotated, unit
from engine.motion.company import FARTHEST, GAP, NOT_THERE, SLACK
from engine.motion.dance import led_hips, led_palm
from engine.motion.motion import FRAME_RATE

CONTACTS = (
    "right_hand",
    "left_hand",
    "both_hands",
    "high_five_right",
    "high_five_left",
    "high_five_both",
    "open_arms",
)
"""Kinds of intent whose answer touches the player."""
GESTURES = ("wave", "bow")
PUSH, DANCE = "push", "dance"
ANSWERED = (*CONTACTS, *GESTURES, PUSH, DANCE)
ENDING = ("bow", PUSH)
"""Kinds whose answer ends by itself, whatever the player does."""
LEAD = "lead_dance"
ACTS = ("wave", "bow", "offer_hand", "offer_arms", "come_closer", "step_back", LEAD)
"""What the partner does when words ask for it."""
INVITING: dict[str, tuple[str, ...]] = {
    "offer_hand": CONTACTS,
    "offer_arms": CONTACTS,
    LEAD: (DANCE,),
}
"""Acts that end when the player takes what is offered, and what does."""
PLACES = ("come_closer", "step_back")
"""Acts that are done by standing somewhere; hands have nothing to do with them."""
LEFT, RIGHT = 0, 1
OFFERED = {
    "right_hand": ((RIGHT, RIGHT),),
    "left_hand": ((LEFT, LEFT),),
    "both_hands": ((LEFT, RIGHT), (RIGHT, LEFT)),
    "high_five_right": ((RIGHT, RIGHT),),
    "high_five_left": ((LEFT, LEFT),),
    "high_five_both": ((LEFT, RIGHT), (RIGHT, LEFT)),
}
"""For each kind the player's hand, and the partner's that goes to it."""
REACH_FRAMES, CLAP_FRAMES = 6, 5
"""In which a hand arrives that need not walk, and one that claps another."""
RELEASE_FRAMES, RETURN_FRAMES = 7, 18
"""In which a hand lets go; in which the partner is back where it stood."""
WALK_SPEED = 1.4
"""Metres a second on the way to where the answer is given."""
ARM_USED = 0.84
"""Part of the arm's length that is used in a contact."""
ACROSS = 0.35
"""Part of the way from the middle of the trunk to the shoulder at which a hand gives itself."""
MOST_BESIDE = math.radians(30.0)
"""Radians off where the player faces at which a contact is made."""
APART = {"open_arms": 0.42, "come_closer": 0.85, "step_back": 2.05}
"""Metres between two pelvises where an answer says how near it is given: a hug, and two acts."""
MOST_ASIDE = 0.17
"""Metres to the side at which one is hugged: in the middle of the other's arms, of which one lies
over a shoulder and one round the waist."""
AT_EASE = GAP - SLACK, FARTHEST - SLACK
"""The least and the most at which one stands who was asked to stand nowhere."""
HUG_LEAN, REACH_LEAN = 0.10, 0.05
"""Radians of the trunk."""
WAVE_HERTZ, WAVE_RADIANS = 1.7, 0.35
BOW_DEPTH = 0.75
"""Radians, hips and spine together."""
BOW_FRAMES = (9, 13, 24)
"""Down, up again from, and upright."""
PUSHED_FRAMES = (3, 4, 12)
"""The trunk of one who is pushed is thrown back, swings up again from, and is upright."""
PUSHED_BACK = 0.35
"""Radians, hips and spine together, by which it is."""
HARD, SHOVED_S = 1.5, 0.3
"""Metres a second of hands that push as hard as they can; seconds in which who is pushed comes to
stand."""
BOW_BACK = 0.10
"""Metres that the hips go back in a bow."""
ROUND_FROM, ROUND_BY = 0.5, np.array([0.28, 0.0, 0.22])
"""Part of the way to a back up to which a hand stays so many metres to the side of where it is
laid, and ahead: it goes round the other, not through."""
ON_THE_BACK, HIGHER_BY = np.array([0.08, 0.01, -0.085]), 0.13
"""Metres from the chest to the middle of a palm that lies on the back, to the side of its arm, up
and ahead; and by which that of the arm which goes over is higher, and the other's lower."""
EMBRACED, IN_REACH = 0.46, 0.66
"""Metres between two chests at which a hand lies on the back, and from which it is no nearer than
the side."""
LEADS = 0.06
"""Metres by which an elbow is higher of an arm that goes over in a hug."""
ON_SKIN = 0.02
"""Metres off the middle of a palm, the way that it looks, at which another lies on it."""
OVERLAP = 0.03
"""Metres that palms are laid past each other in a shake, so that thumbs meet."""
UP = np.array([0.0, 1.0, 0.0])
PELVIS = JOINT["pelvis"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """kind of ANSWERED; begins: frame of the first move; arrives: frame at which hands are there;
    apart: metres between both pelvises before it; bearing: radians, yaw from the player to where
    it is given, or of the push; speed: metres a second of hands that push; until: frame from which
    hands let go, None: not yet known"""

    kind: str
    begins: int
    arrives: int
    apart: float
    bearing: float
    speed: float = 0.0
    until: int | None = None

    @property
    def last(self) -> int | None:
        if self.kind == "bow":
            return self.begins + BOW_FRAMES[2]
        if self.kind == PUSH:
            return self.arrives + PUSHED_FRAMES[2]
        if self.until is None:
            return None
        return self.until + (RETURN_FRAMES if self.kind in PLACES else RELEASE_FRAMES + 2)

    def weights(self, frames: IntArray) -> Array:
        """(frame,) of the answer: 0 to 1, and back."""
        up = min_jerk((frames - self.begins + 1) / max(self.arrives - self.begins, 1))
        if self.kind in ENDING:
            down, hold, last = BOW_FRAMES if self.kind == "bow" else PUSHED_FRAMES
            there = frames - (self.begins if self.kind == "bow" else self.arrives)
            return min_jerk(there / down) - min_jerk((there - hold) / (last - hold))
        if self.until is None:
            return up
        return np.asarray(np.minimum(up, 1 - min_jerk((frames - self.until) / RELEASE_FRAMES)))


# ----------------------------------------------------------------------------------- where to stand
def bearing_for(
    kind: str, joints: Array, world: Array, partner_hips: tuple[float, float, float]
) -> float:
    """Yaw from the player to where an answer is given: to where the partner is, but for a contact
    no farther beside the player than it is made at.

    joints, world  (22, 3), (22, 3, 3) of the player
    """
    x, z = np.array(partner_hips[:2]) - joints[PELVIS, [0, 2]]
    bearing = math.atan2(x, z)
    if kind not in CONTACTS:
        return bearing
    faces = math.atan2(world[CHEST, 0, 2], world[CHEST, 2, 2])
    return faces + float(np.clip(wrapped(bearing - faces), -MOST_BESIDE, MOST_BESIDE))


def stand_for(
    kind: str, player: tuple[Array, Array, Array], bearing: float, partner_rest: Array
) -> tuple[float, float] | None:
    """x, z of the partner's hips from which the answer is given; None: from where they are.

    player   joints (22, 3), world (22, 3, 3) when it is to be given, rest (22, 3)
    bearing  as `bearing_for` has it
    """
    if kind not in (*CONTACTS, *APART):
        return None
    joints, world, rest = player
    middle = joints[PELVIS, [0, 2]]
    away = np.array([math.sin(bearing), math.cos(bearing)])
    palms, _, _ = palms_of(joints, world, rest)
    if kind in APART:
        left = np.array([away[1], -away[0]])
        aside = float((palms[:, [0, 2]].mean(axis=0) - middle) @ left) if kind in CONTACTS else 0.0
        x, z = middle + APART[kind] * away + min(max(aside, -MOST_ASIDE), MOST_ASIDE) * left
        return float(x), float(z)
    spots = []
    for theirs, ours in OFFERED[kind]:
        _, shoulder, elbow, wrist = ARMS[ours]
        length = float(lengths(partner_rest[elbow] - partner_rest[shoulder]))
        length += float(lengths(partner_rest[wrist] - partner_rest[elbow]))
        level = partner_rest[shoulder, 1] - partner_rest[JOINT["left_foot"], 1]
        up = float(palms[theirs, 1] - joints[JOINT["left_foot"], 1] - level)
        ahead = math.sqrt(max((ARM_USED * length) ** 2 - up * up, 0.04)) + 0.5 * PALM_AHEAD
        out = partner_rest[shoulder] - partner_rest[PELVIS]
        aside = ACROSS * out[0] * np.array([-away[1], away[0]])
        spots.append(palms[theirs, [0, 2]] + ahead * away - aside)
    x, z = np.mean(spots, axis=0)
    return float(x), float(z)


def stand_after(
    answer: Answer, player_hips: Array, partner_hips: tuple[float, float, float]
) -> tuple[float, float] | None:
    """x, z of the partner's hips when PLACES are asked for no more: as far off as before, at ease.
    None: where they are, because the player has moved on.

    player_hips  (2,) x, z
    """
    bearing = np.array(partner_hips[:2]) - player_hips
    distance = max(float(np.hypot(*bearing)), 1e-6)
    wanted = float(np.clip(answer.apart, *AT_EASE))
    nearer = wanted - distance
    if (nearer if answer.kind == "come_closer" else -nearer) < -NOT_THERE:
        return None
    x, z = player_hips + wanted / distance * bearing
    return float(x), float(z)


def arrives_after(kind: str, distance: float) -> int:
    """Frames until hands can be there, with so many metres to go."""
    reach = CLAP_FRAMES if kind.startswith("high_five") else REACH_FRAMES
    return reach + round(FRAME_RATE * max(distance - 0.15, 0.0) / WALK_SPEED)


# ------------------------------------------------------------------------------------------- trunk
def bent(rotmats: Array, answer: Answer, weights: Array) -> Array:
    """The partner's frames (frame, 22, 3, 3) with the trunk as the answer wants it."""
    pitch = {"bow": BOW_DEPTH, "open_arms": HUG_LEAN, PUSH: PUSHED_BACK * hardness(answer)}
    angle = pitch.get(answer.kind, REACH_LEAN if answer.kind in OFFERED else 0.0) * weights
    if not angle.any():
        return rotmats
    result, forward = rotmats.copy(), rotmats[:, 0, :, 2]
    faces = np.arctan2(forward[:, 0], forward[:, 2])
    way = np.full_like(faces, answer.bearing) if answer.kind == PUSH else faces
    yaw, beside = rotmat_about("y", way), rotmat_about("y", way - faces)
    hip_share = 0.6 if answer.kind == "bow" else 0.4
    turn = yaw @ rotmat_about("x", hip_share * angle) @ np.swapaxes(yaw, -1, -2)
    result[:, 0] = turn @ rotmats[:, 0]
    share = rotmat_about("x", (1 - hip_share) / len(SPINE) * angle)
    share = beside @ share @ np.swapaxes(beside, -1, -2)
    result[:, SPINE] = rotmats[:, SPINE] @ share[:, None]
    return result


def hardness(answer: Answer) -> float:
    """0 to 1 of a push."""
    return min(answer.speed / HARD, 1.0)


def shove_of(answer: Answer | None, frames: IntArray) -> Array | None:
    """(frame, 2) metres a second over the ground at which who is pushed cannot but go; None: nobody
    is."""
    if answer is None or answer.kind != PUSH:
        return None
    since = (frames - answer.arrives) / FRAME_RATE
    speed = np.where(since >= 0, answer.speed * np.exp(-np.maximum(since, 0.0) / SHOVED_S), 0.0)
    way = np.array([math.sin(answer.bearing), math.cos(answer.bearing)])
    return np.asarray(speed[:, None] * way)


def hips_off(answer: Answer, frames: IntArray, weights: Array) -> Array:
    """(frame, 3) metres left, up and ahead that the hips go for it, over the same feet.

    frames  (frame,) their numbers; weights (frame,) of the answer in them
    """
    if answer.kind == LEAD:
        return np.asarray(weights[:, None] * led_hips(frames - answer.begins))
    back = BOW_BACK if answer.kind == "bow" else 0.0
    return weights[:, None] * [0.0, 0.0, -back]


# --------------------------------------------------------------------------------------------- arms
def reaches_of(
    answer: Answer,
    frames: IntArray,
    weights: Array,
    partner: tuple[Array, tuple[Array, Array], Array],
    player: tuple[Array, Array, Array],
) -> tuple[Reach, ...]:
    """The ways of the hands that answer.

    frames   (frame,) their numbers; weights (frame,) of the answer in them
    partner  rotmats (frame, 22, 3, 3), chest as `chest_of` has it, rest (22, 3)
    player   joints (frame, 22, 3), world (frame, 22, 3, 3), rest (22, 3)
    """
    if answer.kind in ("bow", DANCE, *PLACES) or not weights.any():
        return ()
    rotmats, chest, rest = partner
    ahead = unit(chest[1][..., 2] * [1.0, 0.0, 1.0])
    if answer.kind == "wave":
        places, _ = along_chain(rest, rotmats, ARMS[RIGHT][:2], (CHEST, *chest))
        return (_waving(weights, frames - answer.begins, places[1], ahead),)
    if answer.kind == LEAD:
        since = frames - answer.begins
        return tuple(_leading(side, weights, since, chest, ahead, rest) for side in (LEFT, RIGHT))
    if answer.kind in INVITING:
        sides = (RIGHT,) if answer.kind == "offer_hand" else (LEFT, RIGHT)
        return tuple(_offering(answer.kind, side, weights, chest, ahead, rest) for side in sides)
    if answer.kind == PUSH:
        weights = (0.5 + 0.5 * hardness(answer)) * weights
        return tuple(_flung(side, weights, chest, ahead, rest) for side in (LEFT, RIGHT))
    if answer.kind == "open_arms":
        return tuple(_embracing(side, weights, chest[0], ahead, player) for side in (LEFT, RIGHT))
    return tuple(
        _taking(answer.kind, theirs, ours, weights, ahead, player)
        for theirs, ours in OFFERED[answer.kind]
    )


def touched(kind: str, player: tuple[Array, Array, Array]) -> dict[int, Array]:
    """Where one of CONTACTS lays the partner's palms, (..., 3) by hand.

    player  joints (..., 22, 3), world (..., 22, 3, 3), rest (22, 3)
    """
    if kind == "open_arms":
        return {side: _on_the_back(side, player) for side in (LEFT, RIGHT)}
    palms, fingers, faces = palms_of(*player)
    on_them = palms + ON_SKIN * faces
    places = {ours: on_them[..., theirs, :] for theirs, ours in OFFERED[kind]}
    if kind in ("left_hand", "right_hand"):
        for theirs, ours in OFFERED[kind]:
            places[ours] = places[ours] - OVERLAP * unit(fingers[..., theirs, :] * [1.0, 0.2, 1.0])
    return places


def _on_the_back(side: int, player: tuple[Array, Array, Array]) -> Array:
    joints, world, _ = player
    spot = [-SIGN[side], 1.0, 1.0] * ON_THE_BACK + HIGHER_BY * _over(side, joints)[..., None] * UP
    return np.asarray(joints[..., CHEST, :] + rotated(world[..., CHEST, :, :], spot))


def _over(side: int, joints: Array) -> Array:
    """1: this arm of the partner goes over in a hug; -1: under. The right one over, or that of the
    player's higher elbow."""
    left, right = (joints[..., JOINT[f"{name}_elbow"], 1] for name in ("left", "right"))
    lead = np.clip((right - left + LEADS) / LEADS, -1.0, 1.0)
    return np.asarray(lead if side == RIGHT else -lead)


def _offering(
    kind: str,
    side: int,
    weights: Array,
    chest: tuple[Array, Array],
    ahead: Array,
    rest: Array,
) -> Reach:
    """A hand that is held out to be taken, or one of two arms that are opened."""
    _, shoulder, elbow, wrist = ARMS[side]
    arm = float(lengths(rest[elbow] - rest[shoulder]) + lengths(rest[wrist] - rest[elbow]))
    at, out = _shoulder(side, chest, ahead, rest)
    if kind == "offer_hand":
        palm = at + arm * (0.78 * ahead - 0.42 * UP - 0.12 * out)
        fingers, faces = unit(ahead - 0.1 * UP), -out
    else:
        palm = at + arm * (0.66 * ahead - 0.12 * UP + 0.52 * out)
        fingers, faces = unit(ahead + 0.3 * out), unit(0.5 * UP - out)
    return Reach(side=side, weight=weights, palm=palm, fingers=fingers, faces=faces)


def _leading(
    side: int,
    weights: Array,
    since: IntArray,
    chest: tuple[Array, Array],
    ahead: Array,
    rest: Array,
) -> Reach:
    """A hand of one who dances first."""
    at, out = _shoulder(side, chest, ahead, rest)
    place = led_palm(side, since)[..., None] * np.stack(
        [out, np.broadcast_to(UP, out.shape), ahead], 1
    )
    fingers, faces = unit(ahead + 0.4 * UP - 0.2 * out), unit(-out - 0.4 * UP)
    elbow = unit(0.9 * out - 0.6 * UP - 0.2 * ahead)
    palm = at + place.sum(axis=1)
    return Reach(side=side, weight=weights, palm=palm, fingers=fingers, faces=faces, elbow=elbow)


def _flung(
    side: int, weights: Array, chest: tuple[Array, Array], ahead: Array, rest: Array
) -> Reach:
    """A hand that flies up and forward as the chest is thrown back."""
    at, out = _shoulder(side, chest, ahead, rest)
    palm = at + 0.32 * ahead - 0.10 * UP + 0.20 * out
    fingers, faces = unit(ahead + UP + 0.3 * out), unit(ahead - UP)
    return Reach(side=side, weight=weights, palm=palm, fingers=fingers, faces=faces)


def _shoulder(
    side: int, chest: tuple[Array, Array], ahead: Array, rest: Array
) -> tuple[Array, Array]:
    """(frame, 3) where it is, and the way out to its side."""
    at = chest[0] + rotated(chest[1], rest[ARMS[side][1]] - rest[CHEST])
    return at, SIGN[side] * _left(ahead)


def _left(ahead: Array) -> Array:
    return np.stack([ahead[:, 2], np.zeros(len(ahead)), -ahead[:, 0]], axis=-1)


def _taking(
    kind: str,
    theirs: int,
    ours: int,
    weights: Array,
    ahead: Array,
    player: tuple[Array, Array, Array],
) -> Reach:
    """A hand in, on or against one that is held out: palm on palm."""
    _, fingers, faces = palms_of(*player)
    palm, their_fingers, their_face = (
        touched(kind, player)[ours],
        fingers[:, theirs],
        faces[:, theirs],
    )
    if kind.startswith("high_five"):
        point = unit(UP + 0.5 * ahead - 0.3 * their_fingers * [1.0, 0.0, 1.0])
        elbow = unit(np.array([0.0, -1.0, 0.0]) + 0.6 * SIGN[ours] * _left(ahead))
        return Reach(
            side=ours, weight=weights, palm=palm, fingers=point, faces=-their_face, elbow=elbow
        )
    point = unit(ahead - 0.1 * UP) if kind == "both_hands" else unit(ahead - 2.0 * their_fingers)
    return Reach(side=ours, weight=weights, palm=palm, fingers=point, faces=-their_face)


def _embracing(
    side: int, weights: Array, at: Array, ahead: Array, player: tuple[Array, Array, Array]
) -> Reach:
    """One arm over, one under, the hands laid on the other's back."""
    chest, palm = player[1][:, CHEST], _on_the_back(side, player)
    apart = lengths((player[0][:, CHEST] - at)[:, [0, 2]])
    begun = (1 - weights) / (1 - ROUND_FROM)
    far = (apart - EMBRACED) / (IN_REACH - EMBRACED)
    still_round = smoothstep(np.clip(np.maximum(begun, far), 0.0, 1.0))
    past = np.array([-SIGN[side], 0.0, 1.0]) * ROUND_BY
    palm = palm + still_round[:, None] * rotated(chest, past)
    over = _over(side, player[0])[:, None]
    faces = rotated(chest, np.array([0.0, 0.0, 1.0]))
    fingers = rotated(chest, SIGN[side] * np.eye(3)[0] - (0.4 + 0.6 * over) * UP)
    out = SIGN[side] * _left(ahead)
    elbow = unit(out + (0.4 + over) * UP + 0.2 * ahead)
    return Reach(side=side, weight=weights, palm=palm, fingers=fingers, faces=faces, elbow=elbow)


def _waving(weights: Array, since: IntArray, shoulder: Array, ahead: Array) -> Reach:
    out = -_left(ahead)
    swing = WAVE_RADIANS * np.sin(2 * np.pi * WAVE_HERTZ / FRAME_RATE * since)
    fingers = unit(UP + np.sin(swing)[:, None] * out)
    palm = shoulder + 0.17 * out + 0.28 * UP + 0.24 * ahead + 0.20 * np.sin(swing)[:, None] * out
    elbow = unit(0.7 * out - UP)
    return Reach(side=RIGHT, weight=weights, palm=palm, fingers=fingers, faces=ahead, elbow=elbow)

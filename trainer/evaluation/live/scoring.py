"""What a partner's motion is worth beside a player's: one number for each measure of an episode.

Knows joints at 10 frames a second, in metres, the floor at y = 0; knows no session and no network.
A measure that an episode says nothing about is missing from its scores. The same functions score
the truth. Booleans count as shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.body.capsules import fitted_capsules, near_pairs
from engine.body.kinematics import forward_kinematics
from engine.body.pose import Pose
from engine.body.reach import ANKLES, ELBOWS, SHOULDERS, WRISTS
from engine.body.shape import load_body
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.body.vectors import lengths, unit
from engine.motion.motion import FRAME_RATE
from engine.motion.standing import standing_pose
from trainer.evaluation.live.episode import Episode, frame_of
from trainer.evaluation.live.playing import Played
from trainer.evaluation.metrics.joints import foot_skating, jerk

PALM = 0.085
"""Metres from wrist to palm, along the hand."""
PALMS = [JOINT_COUNT, JOINT_COUNT + 1]
"""Behind the joints, in `Person.points`."""
HEAD, NECK, PELVIS, CHEST = (JOINT[name] for name in ("head", "neck", "pelvis", "spine3"))
SKILL_POINTS = [*PALMS, *ELBOWS, HEAD, PELVIS]
MET_SLACK, MET_PALMS, MET_CHESTS = 0.06, 0.13, 0.56
"""Metres: of agreed points beyond the truth's least distance; of palms; of chests in a hug."""
RAISED, DOWN = 0.25, 0.20
"""Metres that a palm is from where it hangs."""
STILL_SPEED = 0.25
"""Metres a second of the pelvis, under which a person stands."""
BOWED = np.radians(18.0)
TILTED, BENT = np.radians(12.0), np.radians(10.0)
TILT_FRAMES = 10
"""To both sides of a frame in which the truth is tilted too."""
LOOKS = np.radians(35.0)
GIVES_WAY = 0.10
"""Metres that one who is pushed has gone at least."""
LONGEST_DELAY = 8
"""Frames by which a partner may answer later than the choreographed one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """One person's motion, posed.

    points (frame, 24, 3) joints and palms; world (frame, 22, 3, 3); rest (22, 3)
    """

    pose: Pose
    rest: Array
    betas: Array

    @cached_property
    def _posed(self) -> tuple[Array, Array]:
        rotmats = np.asarray(self.pose.rotmats, np.float64)
        return forward_kinematics(self.rest, rotmats, np.asarray(self.pose.transl, np.float64))

    @property
    def world(self) -> Array:
        return self._posed[1]

    @cached_property
    def points(self) -> Array:
        joints, world = self._posed
        hand = unit(self.rest[WRISTS] - self.rest[ELBOWS])
        palms = joints[:, WRISTS] + PALM * (world[:, WRISTS] @ hand[..., None])[..., 0]
        return np.concatenate([joints, palms], axis=1)

    @cached_property
    def yaw(self) -> Array:
        """(frame, 3, 3) upright frame of the trunk: left, up, forward."""
        across = self.points[:, SHOULDERS[0]] - self.points[:, SHOULDERS[1]]
        left = unit(across * [1.0, 0.0, 1.0])
        up = np.broadcast_to([0.0, 1.0, 0.0], left.shape)
        return np.stack([left, up, np.cross(left, up)], axis=-1)

    def seen(self, point: int, origin: int = CHEST) -> Array:
        """(frame, 3) a point in the trunk's upright frame, from `origin`."""
        away = self.points[:, point] - self.points[:, origin]
        return np.asarray((np.swapaxes(self.yaw, -1, -2) @ away[..., None])[..., 0])

    @cached_property
    def off_hanging(self) -> Array:
        """(frame, 2) metres of each palm from where it hangs."""
        hanging = Person(
            pose=Pose(standing_pose()[None], np.zeros((1, 3))),
            rest=self.rest,
            betas=self.betas,
        )
        return np.stack([lengths(self.seen(palm) - hanging.seen(palm)) for palm in PALMS], axis=-1)

    @cached_property
    def speed(self) -> Array:
        """(frame,) metres a second of the pelvis over the ground, over three frames."""
        ground = self.points[:, PELVIS, [0, 2]]
        return np.asarray(lengths(np.gradient(ground, axis=0)) * FRAME_RATE)

    @cached_property
    def lean(self) -> Array:
        """(frame,) radians from upright, from between the feet to the head."""
        up = self.points[:, HEAD] - self.points[:, ANKLES].mean(axis=1)
        return np.asarray(np.arctan2(lengths(up[:, [0, 2]]), up[:, 1]))

    @cached_property
    def trunk(self) -> Array:
        """(frame,) radians that the trunk, pelvis to neck, is bent forwards."""
        along = self.seen(NECK, PELVIS)
        return np.asarray(np.arctan2(along[:, 2], along[:, 1]))

    def looks_past(self, other: Person) -> Array:
        """(frame,) radians between where the face points and the other's head."""
        forward = self.world[:, HEAD, :, 2]
        away = unit(other.points[:, HEAD] - self.points[:, HEAD])
        return np.asarray(np.arccos(np.clip((forward * away).sum(axis=-1), -1, 1)))

    @property
    def life(self) -> float:
        """Median speed of head, palms and chest in the body's frame, centimetres a second."""
        seen = np.stack([self.seen(p, PELVIS) for p in (HEAD, *PALMS, CHEST)], axis=1)
        return float(100 * FRAME_RATE * np.median(lengths(np.diff(seen, axis=0))))


def people_of(played: Played) -> tuple[Person, Person]:
    episode = played.episode
    poses = episode.pose, played.pose
    player, partner = (
        Person(pose=pose, rest=rest, betas=betas)
        for pose, rest, betas in zip(poses, episode.rest_joints, episode.betas, strict=True)
    )
    return player, partner


# ------------------------------------------------------------------------------------------ scores
Scores = dict[str, float]


def scored(played: Played, truth: Person | None = None) -> Scores:
    """All measures of one episode.

    truth  the choreographed partner of the same episode, if there is one
    """
    player, partner = people_of(played)
    episode = played.episode
    scores = posture(player, partner, truth)
    scores |= GROUP_SCORES.get(episode.group, _nothing)(episode, player, partner, truth)
    if truth is not None:
        scores["jerk_over_truth"] = _ratio(_jerk(partner), _jerk(truth))
        scores["fast_power_over_truth"] = _ratio(_fast_power(partner), _fast_power(truth))
    if (seam := seam_ratio(partner, played.window)) is not None:
        scores["seam_jerk_ratio"] = seam
        if truth is not None and (true_seam := seam_ratio(truth, played.window)) is not None:
            scores["seam_over_truth"] = _ratio(seam, true_seam)
    if played.late_frames is not None:
        scores["late_frames"] = float(played.late_frames)
    return scores


def _nothing(*_: object) -> Scores:
    return {}


def posture(player: Person, partner: Person, truth: Person | None) -> Scores:
    """How upright a partner is; a tilt that the truth has in the same second (a bow) is none."""
    stands = partner.speed < STILL_SPEED
    walks = ~stands
    tilted, bent = partner.lean > TILTED, partner.trunk < -BENT
    if truth is not None:
        around = np.ones(2 * TILT_FRAMES + 1)
        tilted &= np.convolve(truth.lean > TILTED, around, mode="same") < 1
        bent &= np.convolve(truth.trunk < -BENT, around, mode="same") < 1
    scores = {
        "tilted": _share(tilted, stands),
        "bent": _share(bent, stands),
        "looks": float((partner.looks_past(player) < LOOKS).mean()),
        "overlap_cm": overlap(player, partner),
    }
    if walks.sum() > 5:
        scores["skating_walking_cm_s"] = _skating(partner, walks)
    return scores


def patient(episode: Episode, player: Person, partner: Person, _: Person | None) -> Scores:
    """What comes of an offer: met or not, when, for how long, and how the hands were before."""
    assert episode.begins is not None
    assert episode.ends is not None
    begins, ends, last = episode.begins, episode.ends, episode.frames
    met = _met(episode, player, partner)
    met[:begins] = False
    scores: Scores = {}
    is_hand = bool(episode.hands) and episode.kind != "wave"
    if episode.group == "patient":
        least = {"open_arms": 3, "wave": 5}.get(episode.kind, 1)
        scores["meets"] = float(_longest(met[: ends + 1]) >= least)
        if is_hand or episode.kind == "open_arms":
            scores["held_s"] = float(met.sum() / FRAME_RATE)
        if met.any():
            scores["contact_after_s"] = float((np.argmax(met) - begins) / FRAME_RATE)
        if is_hand and episode.kind != "high_five":
            scores["past_cm"] = 100 * _past(episode, player, partner, met)
    raised = partner.off_hanging.max(axis=-1) > RAISED
    scores["raised_before"] = float(raised[:begins].any())
    if is_hand or episode.kind == "open_arms":
        lowered = _first(player.off_hanging[ends:].max(axis=-1) < DOWN, last - ends) + ends
        down = partner.off_hanging.max(axis=-1) < DOWN
        since = int(np.flatnonzero(~down)[-1]) + 1 if (~down).any() else 0
        scores["down_after_s"] = max(since - lowered, 0) / FRAME_RATE
    return scores


def _met(episode: Episode, player: Person, partner: Person) -> BoolArray:
    """(frame,) where what was offered is taken."""
    if episode.kind == "wave":
        return _waves(player, partner, 0)
    if episode.kind == "bow":
        return _bows(player, partner, 0)
    if episode.kind == "open_arms":
        near = lengths(player.points[:, CHEST] - partner.points[:, CHEST]) < MET_CHESTS
        behind = np.stack([_on_the_back(player, partner.points[:, palm]) for palm in PALMS])
        return np.asarray(near & behind.any(axis=0))
    palms = [_distance(player, partner, a, b) < MET_PALMS for a, b in episode.meets]
    return np.asarray(np.all(palms, axis=0))


def _on_the_back(player: Person, palm: Array) -> BoolArray:
    """(frame,) whether a palm (frame, 3) is behind the middle of the player's trunk."""
    away = palm - player.points[:, CHEST]
    seen = (np.swapaxes(player.yaw, -1, -2) @ away[..., None])[..., 0]
    return np.asarray((seen[:, 2] < 0.0) & (np.abs(seen[:, 1]) < 0.35))


def _distance(player: Person, partner: Person, a: int, b: int) -> Array:
    """(frame,) metres between two joints that touch; wrists stand for their palms."""
    at = [PALMS[WRISTS.index(joint)] if joint in WRISTS else joint for joint in (a, b)]
    return np.asarray(lengths(player.points[:, at[0]] - partner.points[:, at[1]]))


def _past(episode: Episode, player: Person, partner: Person, met: BoolArray) -> float:
    """Metres that the partner's palm lies beyond the player's, up the forearm, when nearest."""
    values = []
    for a, b in episode.meets:
        mine, other = WRISTS.index(a), WRISTS.index(b)
        at = int(
            np.argmin(
                np.where(
                    np.arange(len(met)) >= (episode.begins or 0),
                    _distance(player, partner, a, b),
                    np.inf,
                )
            )
        )
        along = unit(player.points[at, ELBOWS[mine]] - player.points[at, PALMS[mine]])
        values.append((partner.points[at, PALMS[other]] - player.points[at, PALMS[mine]]) @ along)
    return float(np.mean(values))


def choreo(episode: Episode, player: Person, partner: Person, truth: Person | None) -> Scores:
    """Contact made and held as the choreography has it, and how near the motion is to it."""
    assert truth is not None
    scores: Scores = {}
    if episode.meets:
        made, held = [], []
        for a, b in episode.meets:
            least = _distance(player, truth, a, b).min() + MET_SLACK
            is_met = _distance(player, partner, a, b) < least
            made.append(is_met.any())
            held.append(is_met.sum() / FRAME_RATE)
        scores["made"] = float(np.mean(made))
        scores["held_s"] = float(np.mean(held))
    still = lengths(partner_start(episode)[:, SKILL_POINTS] - truth.points[:, SKILL_POINTS]).mean()
    if still > 0.03:
        errors = [
            lengths(
                partner.points[late:, SKILL_POINTS]
                - truth.points[: episode.frames - late, SKILL_POINTS]
            ).mean()
            for late in range(min(LONGEST_DELAY, episode.frames - 1) + 1)
        ]
        scores["skill"] = float(1 - min(errors) / still)
    return scores


def partner_start(episode: Episode) -> Array:
    """(1, 24, 3) points of the partner at the first frame."""
    start = episode.start[None]
    return Person(pose=start, rest=episode.rest_joints[1], betas=episode.betas[1]).points


def walk(episode: Episode, player: Person, partner: Person, _: Person | None) -> Scores:
    apart = lengths((player.points - partner.points)[:, PELVIS, [0, 2]])
    begins, last = episode.begins or 0, apart[-frame_of(1.0) :]
    if episode.kind == "come":
        follows = 0.7 <= last.mean() <= 1.8 and apart.min() >= 0.5
    else:
        follows = apart[begins:].max() <= 3.0 and last.max() < 2.5
    return {
        "follows": float(follows),
        "looks_walking": float((partner.looks_past(player)[begins:] < LOOKS).mean()),
    }


def idle(episode: Episode, player: Person, partner: Person, truth: Person | None) -> Scores:
    """Before somebody who stands there, minute by minute."""
    minutes = max(episode.frames // frame_of(60.0), 1)
    hands = partner.off_hanging.max(axis=-1) > RAISED
    scores: Scores = {
        "lean_deg": float(
            np.degrees(max(part.mean() for part in np.array_split(partner.lean, minutes)))
        ),
        "hands_up": float(hands.mean()),
        "raises_a_minute": float(
            (np.diff(hands.astype(int)) > 0).sum() / (episode.frames / frame_of(60.0))
        ),
        "life_cm_s": partner.life,
    }
    if truth is not None:
        scores["life_over_truth"] = _ratio(partner.life, truth.life)
    return scores


def stop(episode: Episode, player: Person, partner: Person, _: Person | None) -> Scores:
    """How deep the two are in each other once the player has frozen for two seconds."""
    late = (episode.begins or 0) + frame_of(2.0)
    return {"overlap_frozen_cm": overlap(player, partner, late)}


def push(episode: Episode, player: Person, partner: Person, _: Person | None) -> Scores:
    """How far hips have gone, away from the player, 0.8 s after hands are there."""
    assert episode.begins is not None
    hips = partner.points[:, PELVIS, [0, 2]]
    away = unit(hips[episode.begins] - player.points[episode.begins, PELVIS, [0, 2]])
    gone = (hips[episode.begins + frame_of(0.8)] - hips[max(episode.begins - 3, 0)]) @ away
    return {"gone_m": float(gone), "gives_way": float(gone > GIVES_WAY)}


def real(episode: Episode, player: Person, partner: Person, truth: Person | None) -> Scores:
    """A walker is one who gets about, below 1.8 m/s; everybody else stands."""
    speed = float(np.quantile(player.speed, 0.8))
    if speed < STILL_SPEED:
        return idle(episode, player, partner, truth)
    apart = lengths((player.points - partner.points)[:, PELVIS, [0, 2]])
    scores: Scores = {"looks_walking": float((partner.looks_past(player) < LOOKS).mean())}
    if speed < 1.8:
        scores["within_2.5_m"] = float((apart < 2.5).mean())
    return scores


def words(episode: Episode, player: Person, partner: Person, _: Person | None) -> Scores:
    """Whether what was asked for is plainly under way 1.5 s after, and over 1.5 s after its end."""
    assert episode.begins is not None
    assert episode.ends is not None
    does = _DOES[episode.kind](player, partner, episode.begins)
    start, end = episode.begins + frame_of(1.5), episode.ends + frame_of(1.5)
    if episode.kind == "bow":
        begun = does[episode.begins : episode.ends].any()
    else:
        begun = does[start : episode.ends].mean() > 0.5
    return {
        "begun": float(begun),
        "ended": float(not does[end : end + frame_of(1.5)].any()),
    }


def _offers_hand(_: Person, partner: Person, __: int) -> BoolArray:
    ahead = np.stack([partner.seen(palm) for palm in PALMS])
    return np.asarray(((ahead[..., 2] > 0.28) & (np.abs(ahead[..., 1]) < 0.35)).any(axis=0))


def _opens_arms(_: Person, partner: Person, __: int) -> BoolArray:
    left, right = (partner.seen(palm) for palm in PALMS)
    wide = left[:, 0] - right[:, 0] > 0.55
    return np.asarray(wide & (left[:, 2] > 0.15) & (right[:, 2] > 0.15))


def _waves(_: Person, partner: Person, __: int) -> BoolArray:
    level = partner.points[:, SHOULDERS, 1].mean(axis=-1)
    return np.asarray(partner.points[:, PALMS, 1].max(axis=-1) > level)


def _bows(_: Person, partner: Person, begins: int) -> BoolArray:
    """A bow once made is made: one frame since the words is enough."""
    return np.asarray(partner.trunk > BOWED)


def _dances(_: Person, partner: Person, __: int) -> BoolArray:
    moved = np.stack([partner.seen(p, PELVIS) for p in (*PALMS, HEAD)], axis=1)
    fast = lengths(np.gradient(moved, axis=0)).mean(axis=-1) * FRAME_RATE > 0.10
    return np.asarray(np.convolve(fast, np.ones(11) / 11, mode="same") > 0.5)


def _comes(sign: float) -> Callable[[Person, Person, int], BoolArray]:
    def does(player: Person, partner: Person, begins: int) -> BoolArray:
        apart = lengths((player.points - partner.points)[:, PELVIS, [0, 2]])
        return np.asarray(sign * (apart - apart[begins]) > 0.2)

    return does


_DOES: dict[str, Callable[[Person, Person, int], BoolArray]] = {
    "dance": _dances,
    "wave": _waves,
    "bow": _bows,
    "offer_hand": _offers_hand,
    "open_arms": _opens_arms,
    "come_closer": _comes(-1.0),
    "step_back": _comes(1.0),
}
GROUP_SCORES: dict[str, Callable[[Episode, Person, Person, Person | None], Scores]] = {
    "choreo": choreo,
    "patient": patient,
    "withdraw": patient,
    "walk": walk,
    "idle": idle,
    "stop": stop,
    "push": push,
    "real": real,
    "words": words,
}


# ---------------------------------------------------------------------------------------- numbers
def overlap(player: Person, partner: Person, first: int = 0) -> float:
    """Deepest overlap of the two bodies' capsules from frame `first` on, centimetres (95 %)."""
    body = load_body()
    posed = []
    for person in (player, partner):
        capsules = fitted_capsules(body, person.betas)
        posed.append(
            (capsules.posed(person.points[first:, :JOINT_COUNT], person.world[first:]), capsules)
        )
    (one, a), (two, b) = posed
    pairs = near_pairs(one, a.radii, two, b.radii, 0.0)
    depth = np.zeros(len(player.points) - first)
    np.maximum.at(depth, pairs.frames, -pairs.gaps)
    return float(100 * np.quantile(depth, 0.95))


def seam_ratio(partner: Person, window: IntArray) -> float | None:
    """Jerk of four frames across two windows over that inside one."""
    values = jerk(partner.points)
    is_across = np.array([len(set(window[i : i + 4])) > 1 for i in range(len(values))])
    is_made = np.array([window[i : i + 4].min() > 0 for i in range(len(values))])
    across, inside = is_across & is_made, ~is_across & is_made
    if across.sum() < 3 or inside.sum() < 3:
        return None
    return float(values[across].mean() / max(values[inside].mean(), 1e-9))


def _jerk(person: Person) -> float:
    return float(jerk(person.points).mean())


def _fast_power(person: Person) -> float:
    """Share of the joints' power of acceleration above 3 Hz."""
    acceleration = np.diff(person.points, n=2, axis=0)
    power = np.abs(np.fft.rfft(acceleration - acceleration.mean(axis=0), axis=0)) ** 2
    hertz = np.fft.rfftfreq(len(acceleration), 1 / FRAME_RATE)
    return float(power[hertz > 3].sum() / max(power.sum(), 1e-12))


def _skating(partner: Person, walks: BoolArray) -> float:
    runs = np.flatnonzero(np.diff(np.concatenate([[0], walks.astype(int), [0]])))
    parts = [(a, b) for a, b in zip(runs[::2], runs[1::2], strict=True) if b - a > 3]
    if not parts:
        return 0.0
    values = [foot_skating(partner.points[a:b, :JOINT_COUNT]) for a, b in parts]
    return float(np.average(values, weights=[b - a for a, b in parts]))


def _ratio(value: float, of: float) -> float:
    return value / max(of, 1e-9)


def _share(is_so: BoolArray, where: BoolArray) -> float:
    return float(is_so[where].mean()) if where.any() else 0.0


def _first(is_so: BoolArray, otherwise: int) -> int:
    return int(np.argmax(is_so)) if is_so.any() else otherwise


def _longest(is_so: BoolArray) -> int:
    """Frames of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_so.astype(int), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))

"""Manners: how the partner behaves around what the network makes of it.

It keeps company, answers what the player offers (by `motion/intent.py`) or what words ask, and
gives way to who pushes: decided here, at each look at the player, and put into a window by
`layers.py`. All of it enters the window before it is joined to the frames that were shown,
so the network goes on from it. Each layer has its switch in the settings. Layers change frames that
a window makes, never frozen ones; personal space has the last word after them.
Knows tracks, the player's frames and settings; knows no plan, no clock and no network of windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from engine.arrays import Array
from engine.body.arms import CHEST, LINKS, palms_of
from engine.body.easing import eased_between
from engine.body.vectors import lengths, unit
from engine.motion.answers import (
    CONTACTS,
    DANCE,
    ENDING,
    GESTURES,
    INVITING,
    OFFERED,
    PELVIS,
    PLACES,
    PUSH,
    Answer,
    arrives_after,
    bearing_for,
    shove_of,
    stand_after,
    stand_for,
)
from engine.motion.company import (
    FARTHEST,
    LEAVES,
    LEAVING,
    Companion,
    Course,
    accompany,
    companion_of,
)
from engine.motion.dance import STEADY, kept_apart, path_beside
from engine.motion.footsteps import Place
from engine.motion.intent import (
    CHEST_SEEN,
    HANDS,
    HEAD_SEEN,
    KINDS,
    LOOKBACK,
    PALMS_UP,
    SIGHT,
    IntentNet,
    features_of,
    sight_of,
)
from engine.motion.motion import FRAME_RATE
from engine.motion.rising import getting_up, seated, sits
from engine.motion.seams import MARGIN
from engine.motion.track import Track
from engine.session.layers import Layers
from engine.session.outlook import Outlook
from engine.session.responding import (
    NOTHING,
    OFFER_FRAMES,
    IntentReport,
    Offer,
    frames_until,
    in_front,
    phase_of,
    places_of,
)
from engine.session.situation import (
    HELD_OUT,
    Situation,
    are_palms_up,
    at_rest,
    beside_whom,
    comes_up,
    held_out,
    is_faced,
    runs_into,
    shove_seen,
)

SURE, UNSURE = 0.6, 0.3
"""Probability from which an intent is taken for one, and under which no more."""
LEAST_FRAMES = 12
"""That an answer lasts, when the player gives up at once."""
SIGHTS = 20
"""What was seen in so many frames is kept: more than are looked at."""
STAYS = 0.25
"""Metres from where an answer is best given, within which one who gives it stays."""
CLOSELY_STAYS = 0.06
"""The metres of one who is in another's arms."""
OFF_AIM = 0.03
"""Metres that an offered palm may be from where a window has it come to rest."""
STIRRING = tuple(range(0, 16, 3))
"""Frames back in which one who does something moves the hands or the head."""
STIRS, GOING = (0.10, 0.25), (0.35, 0.7)
"""Metres a second of hands or head, seen from the chest: under the first nothing is done, whatever
the posture looks like, from the second on something is. The same of the chest: of one who stays,
and who walks and wants company, whatever hands do."""
OTHER = KINDS[-1]
DANCED_FOR, HUGGED_ON, DANCED_ON, OFFERED_FOR = 4, 10, 8, 6
"""Frames from which on what looks like a dance is one, and of one who is embraced; that one may
pause who dances, and from which on what looks like an offer in between is one."""
HELD = ("right_hand", "left_hand", "both_hands")
OVER_HIPS, AHEAD = 0.15, 0.15
"""Metres that palms which hug are over the hips and ahead of the chest."""
OVER_CHEST, WAVED_FRAMES = 0.10, 6
"""Metres that a palm to be clapped is over the chest, and for how long one may be seen to wave
with it."""
MAY_BE_PALMS_UP = ("open_arms", "high_five_right", "high_five_left", DANCE, OTHER)
CLASPED, LEFT_FRAMES = 2, 5
"""Frames after which a hand that was taken is held on to, to get up by; and those in which a player
is seen to leave whom a partner who sits comes along with."""
HARDER = 0.3
"""Metres a second by which a push is harder than it was taken to be, for it to be planned again."""
UNSEEN = np.eye(len(KINDS))[0]
"""Probabilities of KINDS before anything was seen."""


class Notice(Enum):
    """What a look at the player means for the plan."""

    NONE = 0
    SOON = 1
    """It should change, no sooner after another change than usual."""
    SOONER = 2
    """It should change, sooner after another change than usual."""
    AT_ONCE = 3


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the player is about: one of SEEN, its probability, and since which frame."""

    kind: str = NOTHING
    probability: float = 1.0
    since: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class MannersState:
    """All that the layers of a session remember.

    offer          the last that was made, unless it was answered; offers: how many were
    looked         the newest frame of the player at the last look; probabilities (KINDS,) of it
    aimed          (2, 3) where the player's palms are taken to come to rest
    companions     by frame, how the partner keeps company
    """

    intent: Intent = Intent()
    answer: Answer | None = None
    offer: Offer | None = None
    offers: int = 0
    probabilities: Array = field(default_factory=UNSEEN.copy)
    looked: int = -1
    aimed: Array = field(default_factory=lambda: np.zeros((2, 3)))
    companions: tuple[tuple[int, Companion], ...] = ()


class Manners:
    """The layers of one session, and what they remember.

    net  None: nothing is known of the player's intent, and nothing is answered
    """

    def __init__(self, net: IntentNet | None, state: MannersState) -> None:
        self._net = net
        self.intent, self.answer = state.intent, state.answer
        self.offer, self.offers = state.offer, state.offers
        self.probabilities, self._looked = state.probabilities, state.looked
        self._aimed = state.aimed
        self._companions = dict(state.companions)
        self._seen, self._seen_at = np.zeros((SIGHTS, SIGHT, 3)), [-1] * SIGHTS

    def state(self) -> MannersState:
        return MannersState(
            intent=self.intent,
            answer=self.answer,
            offer=self.offer,
            offers=self.offers,
            probabilities=self.probabilities,
            looked=self._looked,
            aimed=self._aimed,
            companions=tuple(self._companions.items()),
        )

    @property
    def is_dancing(self) -> bool:
        """Whether the partner dances along with the player."""
        return self.answer is not None and self.answer.kind == DANCE and self.answer.until is None

    # -- seeing ------------------------------------------------------------------------------------
    def see(
        self,
        situation: Situation,
        frame: int,
        partner: Place,
        *,
        answered: Collection[str],
        asks: bool,
        from_frame: int,
    ) -> Notice:
        """Look at the player's newest frame; returns whether the plan should change for it.

        partner     where its hips are now, as shown
        answered    kinds of intent that the partner may answer; asks: the client first
        from_frame  the first frame that a change could begin at
        """
        before = self.intent.kind
        if self._net is not None and situation.newest != self._looked:
            self._look(self._net, situation, frame, partner)
            self._looked = situation.newest
        if self._respond(situation, frame, partner, answered, asks, from_frame):
            return Notice.AT_ONCE
        is_led = self.is_dancing or (self.answer is not None and self._is_seated(frame))
        if is_led or comes_up(situation, partner):
            return Notice.SOONER
        is_off = self._misses(situation)
        return Notice.SOON if is_off or self.intent.kind != before else Notice.NONE

    def _look(self, net: IntentNet, situation: Situation, frame: int, partner: Place) -> None:
        features = features_of(
            self._sights(situation, LOOKBACK), situation.rest_joints[0], np.array(partner)
        )
        self.probabilities = net(features[None])[0]
        best = int(self.probabilities.argmax())
        kind, probability = KINDS[best], float(self.probabilities[best])
        if kind in MAY_BE_PALMS_UP and are_palms_up(situation):
            kind = PALMS_UP
        taken = None
        if self._is_seated(frame):
            held = None
            if self.answer is not None and self.answer.until is None and self.answer.kind in HELD:
                held = self.answer.kind
            taken = held_out(situation, partner, held)
            kind = taken or kind
        if kind == self.intent.kind:
            self.intent = Intent(kind=kind, probability=probability, since=self.intent.since)
            return
        before, still = self.intent.kind, 0.0
        if before != PALMS_UP:
            still = float(self.probabilities[KINDS.index(before)])
        if kind in (PALMS_UP, taken) or (
            probability > SURE if before == NOTHING else still < UNSURE
        ):
            self.intent = Intent(kind=kind, probability=probability, since=frame)

    def _is_seated(self, frame: int) -> bool:
        """Whether the partner sits in the planned frame next to this one, or is on the way up."""
        states = self._companions
        nearest = min(states, key=lambda at: abs(at - frame), default=None)
        return nearest is not None and states[nearest].risen < 1

    def _sights(self, situation: Situation, lookback: Sequence[int]) -> Array:
        """What was seen of the player so many frames back; a known frame stays as it is, so each
        is looked at once."""
        frames = [situation.player.held(situation.newest - back) for back in lookback]
        slots = [frame % SIGHTS for frame in frames]
        for frame, slot in zip(frames, slots, strict=True):
            if self._seen_at[slot] != frame:
                self._seen[slot] = sight_of(*situation.posed_at(frame), situation.rest_joints[0])
                self._seen_at[slot] = frame
        return np.asarray(self._seen[slots])

    def _aim(self, situation: Situation) -> Array:
        """(2, 3) where the player's palms come to rest."""
        return palms_of(*at_rest(situation), situation.rest_joints[0])[0]

    def _goes_on(self, answered: str, frame: int, situation: Situation) -> bool:
        """Whether the player does what is answered still, whatever it is seen as by now: a shaken
        hand is held out, a clapped one is up, and closed arms are round somebody."""
        seen = self.intent
        if answered == DANCE:
            most = {NOTHING: DANCED_ON, OTHER: math.inf}.get(seen.kind, OFFERED_FOR)
            return frame - seen.since < most
        if seen.kind in CONTACTS or (seen.kind == DANCE and self._has_danced(frame)):
            return False
        joints, world = situation.posed_at(situation.newest)
        palms, _, _ = palms_of(joints, world, situation.rest_joints[0])
        if answered == "open_arms":
            forward = unit(world[CHEST, :, 2] * [1.0, 0.0, 1.0])
            over, ahead = palms[:, 1] - joints[PELVIS, 1], (palms - joints[CHEST]) @ forward
            return bool(np.all((over > OVER_HIPS) & (ahead > AHEAD)))
        if answered not in OFFERED or seen.kind == NOTHING:
            return False
        sides = [theirs for theirs, _ in OFFERED[answered]]
        if answered in HELD:
            out = lengths((palms - joints[LINKS[1]])[sides][:, [0, 2]])
            return bool(out.min() > HELD_OUT)
        is_waving = seen.kind == "wave" and frame - seen.since > WAVED_FRAMES
        return not is_waving and bool((palms - joints[CHEST])[sides, 1].min() > OVER_CHEST)

    def _has_danced(self, frame: int) -> bool:
        """Whether the player has danced for a while."""
        is_hugged = self.answer is not None and self.answer.kind == "open_arms"
        least = HUGGED_ON if is_hugged else DANCED_FOR
        return self.intent.kind == DANCE and frame - self.intent.since >= least

    def _misses(self, situation: Situation) -> bool:
        """Whether an offered palm comes to rest elsewhere than it was taken to."""
        answer = self.answer
        if answer is None or answer.until is not None or answer.kind not in OFFERED:
            return False
        aim, sides = self._aim(situation), [theirs for theirs, _ in OFFERED[answer.kind]]
        if lengths(aim - self._aimed)[sides].max() < OFF_AIM:
            return False
        self._aimed = aim
        return True

    def _respond(
        self,
        situation: Situation,
        frame: int,
        partner: Place,
        answered: Collection[str],
        asks: bool,
        from_frame: int,
    ) -> bool:
        """Begin an answer, or end it; returns whether one of these happened."""
        if (
            PUSH in answered
            and not situation.is_led
            and self._is_pushed(situation, partner, from_frame)
        ):
            return True
        answer, kind, act = self.answer, self.intent.kind, situation.act
        if answer is not None and self._goes_on(answer.kind, frame, situation):
            kind = answer.kind
        is_wanted = kind in answered and kind != PUSH and not situation.is_led
        if kind == DANCE and not self.is_dancing:
            is_wanted = is_wanted and self._has_danced(frame) and is_faced(situation, partner)
        if kind in GESTURES and self._is_seated(frame):
            is_wanted = False
        if act is not None and not (is_wanted and kind in INVITING.get(act, ())):
            kind, is_wanted, asks = act, True, False
        if answer is not None:
            is_over = answer.last is not None and from_frame > answer.last
            gives_way = answer.kind in PLACES and is_wanted and not asks
            gives_way |= answer.kind == "open_arms" and kind == PALMS_UP and is_wanted
            gives_way |= (
                (answer.kind == DANCE or kind == DANCE) and kind != answer.kind and is_wanted
            )
            if (is_over or gives_way) and (answer.kind != act or answer.until is not None):
                self.answer = answer = None
        if answer is None:
            if not is_wanted or (asks and not self._ask(frame)):
                return False
            self.offer = None
            rest, (joints, world) = situation.rest_joints, at_rest(situation)
            bearing = bearing_for(kind, joints, world, partner)
            stand = stand_for(kind, (joints, world, rest[0]), bearing, rest[1])
            if self._is_seated(frame):
                stand = None
            way = 0.0 if stand is None else math.dist(stand, partner[:2])
            apart = math.dist(joints[PELVIS, [0, 2]], partner[:2])
            if kind == DANCE:
                bearing, apart = beside_whom(situation, partner)
                way = abs(kept_apart(apart) - apart)
            self.answer = Answer(
                kind=kind,
                begins=from_frame,
                arrives=from_frame + arrives_after(kind, way),
                apart=apart,
                bearing=bearing,
            )
            return True
        if (
            answer.until is None
            and answer.kind not in ENDING
            and (kind != answer.kind or not is_wanted)
        ):
            least = answer.begins + LEAST_FRAMES if kind == NOTHING else from_frame
            until = max(from_frame, least if answer.kind == "wave" else from_frame)
            self.answer = replace(answer, until=until)
            return True
        return False

    def _is_pushed(self, situation: Situation, partner: Place, from_frame: int) -> bool:
        """Give way to hands that come at the partner's trunk; returns whether this is new."""
        answer = self.answer
        if answer is not None and answer.kind in (*HELD, "open_arms"):
            return False
        shove = shove_seen(situation, partner, is_push=self.intent.kind == PUSH)
        if shove is None:
            return False
        frames, speed, bearing = shove
        arrives = max(from_frame, situation.newest + frames)
        if answer is not None and answer.kind == PUSH:
            if arrives > answer.arrives + 1 or speed < answer.speed + HARDER:
                return False
            self.answer = replace(answer, speed=speed)
            return True
        joints, _ = situation.posed_at(situation.newest)
        self.offer, self.answer = (
            None,
            Answer(
                kind=PUSH,
                begins=from_frame,
                arrives=arrives,
                apart=math.dist(joints[PELVIS, [0, 2]], partner[:2]),
                bearing=bearing,
                speed=speed,
            ),
        )
        return True

    # -- asking ------------------------------------------------------------------------------------
    def confirm(self, number: int, frame: int) -> bool:
        """The client wants the offer answered; returns whether it stands."""
        offer = self.offer
        if offer is None or offer.number != number or not self._stands(offer, frame):
            return False
        self.offer = replace(offer, is_confirmed=True)
        return True

    def _stands(self, offer: Offer, frame: int) -> bool:
        return offer.since == self.intent.since and offer.is_open(frame)

    def _ask(self, frame: int) -> bool:
        """Ask the client, once, about what the player is about; returns whether it has agreed."""
        offer, intent = self.offer, self.intent
        if offer is not None and offer.since == intent.since:
            return offer.is_confirmed
        self.offers += 1
        self.offer = Offer(
            number=self.offers,
            kind=intent.kind,
            since=intent.since,
            until=frame + OFFER_FRAMES,
        )
        return False

    def report(
        self, situation: Situation, frame: int, palms_ahead: Callable[[], Array]
    ) -> IntentReport | None:
        """What the client is told; None: nobody has looked.

        palms_ahead  the partner's palms (frame, 2, 3) from this frame on, as planned
        """
        if self._looked < 0:
            return None
        offer = self.offer
        if offer is not None and not self._stands(offer, frame):
            offer = None
        answer, joints, world = self.answer, *situation.posed_at(situation.newest)
        kind = self.intent.kind if answer is None else answer.kind
        places = places_of(kind, (joints, world, situation.rest_joints[0]))
        is_coming = answer is not None and (answer.until is None or frame < answer.until)
        seconds, is_met = None, answer is not None and frame >= answer.arrives
        if answer is not None and is_coming and places:
            left = frames_until(places, palms_ahead())
            left = max(answer.arrives - frame, 1) if left is None else left
            seconds, is_met = left / FRAME_RATE, left == 0
        return IntentReport(
            kind=self.intent.kind,
            phase=phase_of(self.intent.kind, answer, offer, frame, is_met=is_met),
            seconds_to_contact=seconds,
            contact_point=in_front(places, joints, world),
            probabilities=self.probabilities,
        )

    # -- windows -----------------------------------------------------------------------------------
    def reason(self, situation: Situation) -> float:
        """1: the partner has a reason for whatever the network makes of it; 0: none."""
        if situation.is_led:
            return 1.0
        if self.answer is not None or self.intent.kind not in ("point", OTHER):
            return 0.0
        sights = self._sights(situation, STIRRING)
        chest = sights[:, CHEST_SEEN]
        walks = float(eased_between(_mean_speed(chest[:, ::2]), *GOING))
        if self.intent.kind != OTHER:
            return 1.0 - walks
        seen = sights[:, [*range(HANDS.stop), HEAD_SEEN]] - chest[:, None]
        return float(eased_between(_mean_speed(seen).max(), *STIRS)) * (1.0 - walks)

    def over(self, situation: Situation, known: Track, first: int, *, has_company: bool) -> Layers:
        """The layers over a window, with margins, that begins at `first` and of which so much is
        known; with company, the partner is on a course where nothing else leads."""
        until = int(np.flatnonzero(known.is_known[1])[-1])
        frame, start = first + until, max(until - 2, 0)
        self._companions = {
            at: state for at, state in self._companions.items() if frame - 40 < at <= frame
        }
        player = Outlook(
            situation.player,
            situation.newest,
            situation.rest_joints[0],
            first + start,
            known.frames - start,
        )
        reason = self.reason(situation)
        hips = (known.transl[1, until] + situation.rest_joints[1, PELVIS])[[0, 2]]
        if not situation.is_led and runs_into(player.places, hips):
            reason = 0.0
        if self.answer is not None:
            self._aimed = self._aim(situation)
        course, risen = None, 1.0
        if has_company and reason == 0 and until < known.frames - MARGIN - 1:
            state = self._companion(situation, known, first, until)
            free, risen = known.frames - until - 1, state.risen
            course = self._course(situation, frame, free, state, player)
        return Layers(
            situation=situation,
            known=known,
            frames=np.arange(first + start, first + known.frames),
            until=until,
            player=player,
            course=course,
            answer=self.answer,
            reason=reason,
            risen=risen,
        )

    def _companion(self, situation: Situation, known: Track, first: int, until: int) -> Companion:
        """The partner in the last known frame."""
        frame, rest = first + until, situation.rest_joints[1]
        state = self._companions.get(frame)
        if state is None:
            pose, before = (known.pose[1, at] for at in (until, max(until - 1, 0)))
            state = companion_of(pose, before, rest, frame / FRAME_RATE)
            if sits(pose, rest, situation.floor):
                state = seated(state, rest)
        return state

    def _course(
        self, situation: Situation, frame: int, free: int, state: Companion, player: Outlook
    ) -> Course:
        """Where the partner goes in so many frames after one, the last that is known."""
        rest, places = situation.rest_joints, player.places
        if state.risen < 1:
            course = getting_up(state, free, self._sits_on(frame, state, places[-free:]))
        else:
            stand = self._stand(rest, frame, state, player)
            shove = shove_of(self.answer, np.arange(frame + 1, frame + 1 + free))
            led = self._led(situation, frame + 1, free)
            course = accompany(state, places[-free:], rest[1], stand, shove, led)
        self._companions |= dict(enumerate(course.states, frame + 1))
        return course

    def _sits_on(self, frame: int, state: Companion, places: Array) -> int | None:
        """Frames until the partner, who sits, gets up: when it answers, when its hand is taken, or
        to come along with who has been near; None: it does not.

        places  (frame, 3) of the player from then on
        """
        answer = self.answer
        if state.risen > 0:
            return 0
        if answer is not None and answer.kind != PUSH:
            begins = answer.arrives + CLASPED if answer.kind in HELD else answer.begins
            return max(begins - frame, 0)
        apart = lengths(places[: LEFT_FRAMES + 1, :2] - state.hips[:2])
        leaving = (apart[-1] - apart[0]) * FRAME_RATE / max(len(apart) - 1, 1)
        return 0 if leaving > LEAVES and LEAVING < apart[0] < FARTHEST else None

    def _stand(
        self, rest: Array, frame: int, state: Companion, player: Outlook
    ) -> tuple[float, float] | None:
        """x, z where the partner is to stand; None: where it likes."""
        answer = self.answer
        if answer is not None and answer.until is None:
            joints, world = player.posed
            last = joints[-1], world[-1], rest[0]
            stand = stand_for(answer.kind, last, answer.bearing, rest[1])
            has_arrived = frame >= answer.arrives and not state.is_going
            stays = CLOSELY_STAYS if answer.kind == "open_arms" else STAYS
            if stand is not None and has_arrived and math.dist(stand, state.hips[:2]) < stays:
                return state.hips[:2]
            return stand
        if answer is not None and answer.kind in PLACES:
            return stand_after(answer, player.places[-1, :2], state.hips)
        return None

    def _led(self, situation: Situation, first: int, count: int) -> Array | None:
        """(count, 2) where the hips of a partner are who dances along; None: that does not."""
        answer = self.answer
        if answer is None or not self.is_dancing:
            return None
        leader = situation.player.stretch(first - situation.lag - STEADY, count + STEADY)
        places = (leader.transl + situation.rest_joints[0, 0])[:, [0, 2]]
        return path_beside(places, answer.bearing, answer.apart)


def _mean_speed(points: Array) -> Array:
    """(...) metres a second of points (STIRRING, ..., n) along their way."""
    return np.asarray(lengths(np.diff(points, axis=0)).mean(axis=0) * FRAME_RATE / STIRRING[1])

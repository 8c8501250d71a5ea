"""The records of a session: its whole state, every call into it, and what comes of them.

For recordings and tokens. Tags and ranges stand here and nowhere else; a change of them is another
format (`recording.FORMAT`, `resume.VERSION`); `tests/data/records` holds what they are. Knows
the parts of a session and the kinds of `codec.py`; no file, key or graph.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from engine.body.canonical import CanonicalFrame
from engine.body.capsules import Capsules, Segments
from engine.body.skeleton import JOINT_COUNT
from engine.body.touch import SIDES, Spot
from engine.motion.answers import ACTS, ANSWERED, Answer
from engine.motion.company import Companion
from engine.motion.contacts import Contact, ContactsState, Look
from engine.motion.footsteps import Foot
from engine.motion.intent import FEATURES, KINDS, SEEN, IntentNet
from engine.motion.motion import POSE_FEATURES, WINDOW_FRAMES
from engine.motion.track import Track
from engine.motion.walk import Destination, Steps
from engine.sampling.request import WindowRequest, WindowTrace
from engine.sampling.steering import KeepAway
from engine.sampling.windows import Window
from engine.session.asking import Expected, UnderWay, WindowsState
from engine.session.codec import (
    FAR,
    FLAG,
    FLOATS,
    MOST_METRES,
    MOST_VALUE,
    Kind,
    Unreadable,
    array,
    each,
    entries,
    number,
    one_of,
    optional,
    poses,
    raw,
    record,
    row,
    several,
    table,
    text,
    whole,
    word,
)
from engine.session.config import Respond, SessionConfig
from engine.session.direction import (
    ContactTarget,
    Direction,
    Mode,
    PlaceTarget,
    PoseTarget,
    TargetEvent,
)
from engine.session.manners import Intent, MannersState
from engine.session.plan import KEPT_FRAMES, LABEL, Frames, KnownAhead, PlanState, Quality
from engine.session.player import STAMP, PlayerStamp, PlayerState
from engine.session.responding import Offer
from engine.session.session import Chunk
from engine.session.state import SessionState
from engine.session.targets.pursuit import Pursuit, Touch, Walk

MOST_FRAMES = 1000
"""Frames of a plan, and between its end and the frame that is due."""
MOST_SECONDS = 1e9
MOST_TARGETS, MOST_CONTACTS = 64, 1000
MOST_STEPS = 100_000
"""Frames of a walk; the farthest place is 2 km away."""
MOST_PLACES = 1024
"""Rows of a call of a graph."""
NOWHERE = (-math.inf, MOST_SECONDS)
"""Seconds; minus infinity is the time of nobody's pose."""

COUNT, FRAME, JOINT = whole(0), whole(-FAR), whole(0, JOINT_COUNT - 1)
METRES = number(-MOST_METRES, MOST_METRES)
SECONDS, SEED = number(-1.0, MOST_SECONDS), whole(0, 2**64 - 1)
POSE = poses()
PLACE = array(3, most=MOST_METRES)

# ------------------------------------------------------------------------------- what is wanted
CONFIG = record(
    SessionConfig,
    each(COUNT, "horizon_frames transit_frames commit_frames refill_frames history_frames")
    | each(COUNT, "revision_frames steps warm_steps")
    | each(METRES, "start_distance leash zone_radius departure_threshold")
    | each(FLAG, "has_cleanup foot_lock guard company responses allow_contact")
    | {"respond": one_of(Respond), "kinds": several(word(*ANSWERED), len(ANSWERED))},
)
CONTACT_TARGET = record(
    ContactTarget,
    {
        "partner_joint": whole(min(SIDES), max(SIDES)),
        "player_joint": JOINT,
        "frame": FRAME,
        "hold_frames": whole(1, MOST_FRAMES),
    },
)
PLACE_TARGET = record(
    PlaceTarget,
    {"position": PLACE, "heading": optional(number(-100.0, 100.0)), "frame": optional(FRAME)},
)
POSE_TARGET = record(PoseTarget, {"frame": FRAME, "partner": POSE, "player": optional(POSE)})
DIRECTION = record(
    Direction,
    {
        "mode": one_of(Mode),
        "text": optional(array(None, dtypes=FLOATS)),
        "act": optional(word(*ACTS)),
        "energy": number(0.0, 10.0),
        "contact": optional(CONTACT_TARGET),
        "place": optional(PLACE_TARGET),
        "poses": several(POSE_TARGET, MOST_TARGETS),
    },
)

# -------------------------------------------------------------------------------------- the plan
PLAYER_STAMP = record(PlayerStamp, {"sequence": FRAME, "time_s": number(*NOWHERE)})
STAMPS = {"sequence": (-1, FAR), "time_s": NOWHERE}
LABELS = {"quality": (0, max(Quality)), "window": (0, FAR), "steps": (0, FAR), **STAMPS}
FRAMES = record(Frames, {"first": FRAME, "pose": poses(2, None), "labels": table(LABEL, LABELS)})
PLAYER = record(
    PlayerState,
    {
        "last_frame": FRAME,
        "pose": poses(None),
        "stamps": table(STAMP, STAMPS),
        "stamp": PLAYER_STAMP,
        "newest": optional(POSE),
    },
)
PLAN = record(
    PlanState,
    {
        "frames": FRAMES,
        "made": poses(2, None),
        "is_made": array(None, dtypes=("b1",)),
        "untouched": array(None, JOINT_COUNT, 3, 3, most=2.0),
        "is_touched": array(None, dtypes=("b1",)),
        "editions": array(None, dtypes=("i8",), most=FAR),
        "edition": COUNT,
    },
)

# ----------------------------------------------------------------------------------- targets
SPOT = record(Spot, {"joint": JOINT, "point": PLACE, "normal": PLACE})
STEPS = record(
    Steps,
    {
        "start": POSE,
        "place": record(
            Destination, {"ground": array(2, most=MOST_METRES), "yaw": optional(METRES)}
        ),
        "rest_joints": array(JOINT_COUNT, 3, most=MOST_METRES),
        "floor": METRES,
        "frames": whole(1, MOST_STEPS),
    },
)
WALK = record(Walk, {"first": FRAME, "last": FRAME, "steps": STEPS})
TOUCH = record(Touch, {"target": CONTACT_TARGET, "frame": FRAME, "spot": SPOT})
EVENT = record(TargetEvent, {"is_reached": FLAG, "text": text(1000)})
PURSUIT = record(
    Pursuit,
    {
        "direction": DIRECTION,
        "walk": optional(WALK),
        "walks": COUNT,
        "touch": optional(TOUCH),
        "events": several(EVENT, 1000),
    },
)

# ------------------------------------------------------------------------------------ manners
INTENT = record(Intent, {"kind": word(*SEEN), "probability": number(0.0, 1.0), "since": FRAME})
ANSWER = record(
    Answer,
    each(FRAME, "begins arrives")
    | {
        "kind": word(*dict.fromkeys(ANSWERED + ACTS)),
        "apart": number(0.0, MOST_VALUE),
        "bearing": number(-MOST_VALUE, MOST_VALUE),
        "speed": number(0.0, MOST_VALUE),
        "until": optional(FRAME),
    },
)
OFFER = record(
    Offer,
    each(FRAME, "since until")
    | {"number": whole(1), "kind": word(*ANSWERED), "is_confirmed": FLAG},
)
GROUND = row(METRES, METRES, number(-MOST_VALUE, MOST_VALUE))
FOOT = record(
    Foot, {"start": GROUND, "goal": GROUND, "since": SECONDS, "lasts": number(0.0, 100.0)}
)
COMPANION = record(
    Companion,
    each(FLAG, "is_going is_turning")
    | each(SECONDS, "waited unseen time_s")
    | {"hips": GROUND, "velocity": row(METRES, METRES), "spin": METRES, "feet": row(FOOT, FOOT)}
    | {"risen": number(0.0, 1.0)},
)
MANNERS = record(
    MannersState,
    {
        "intent": INTENT,
        "answer": optional(ANSWER),
        "offer": optional(OFFER),
        "offers": COUNT,
        "probabilities": array(len(KINDS), dtypes=FLOATS),
        "looked": FRAME,
        "aimed": array(2, 3, dtypes=FLOATS),
        "companions": several(row(FRAME, COMPANION), MOST_FRAMES),
    },
)

# ------------------------------------------------------------------------------------ windows
TRACK = record(
    Track, {"pose": poses(2, KEPT_FRAMES), "is_known": array(2, KEPT_FRAMES, dtypes=("b1",))}
)
WINDOW_FEATURES = array(2, WINDOW_FRAMES, POSE_FEATURES, dtypes=FLOATS)
KEEP_AWAY = record(KeepAway, {"distance": METRES, "rest_pelvis": array(2, 3, dtypes=FLOATS)})
CANONICAL = record(CanonicalFrame, {"rotation": array(3, 3, most=2.0), "shift": PLACE})
REQUEST = record(
    WindowRequest,
    each(COUNT, "skip")
    | each(FRAME, "first_frame")
    | {
        "known": WINDOW_FEATURES,
        "known_mask": array(2, WINDOW_FRAMES, 1, dtypes=FLOATS),
        "anchor": array(2, POSE_FEATURES, dtypes=FLOATS),
        "anchor_joints": array(2, JOINT_COUNT, 3, dtypes=FLOATS),
        "text": optional(array(None, dtypes=FLOATS)),
        "start": optional(WINDOW_FEATURES),
        "keep_away": optional(KEEP_AWAY),
        "seed": SEED,
        "steps": whole(1, 50),
    },
)
WINDOW = record(
    Window,
    each(array(2, JOINT_COUNT, 3), "rest_joints")
    | {"request": REQUEST, "frame": CANONICAL, "known": TRACK},
)
AHEAD = record(
    KnownAhead, {"frame": FRAME, "partner": POSE, "player": optional(POSE), "is_exact": FLAG}
)
UNDER_WAY = record(
    UnderWay,
    each(COUNT, "ticket")
    | each(FRAME, "asked_at player_until partner_until")
    | each(FLAG, "is_revision is_wanted")
    | {"window": WINDOW, "based_on": PLAYER_STAMP, "pull": PLACE}
    | {"ahead": several(AHEAD, MOST_FRAMES)},
)
EXPECTED = record(
    Expected,
    {
        "frames": array(None, dtypes=("i8",), most=FAR),
        "joints": array(None, JOINT_COUNT, 3, most=MOST_METRES),
    },
)
WINDOWS = record(
    WindowsState,
    each(COUNT, "tickets accepted failed")
    | {"seed": SEED, "delays": several(whole(0, MOST_FRAMES), 8, least=1)}
    | {"is_stale": FLAG, "revised_at": FRAME}
    | {"under_way": optional(UNDER_WAY), "arrived": optional(TRACK)},
)
PLACES = row(whole(1, MOST_PLACES), whole(0, MOST_PLACES))
TRACE = record(WindowTrace, {"condition": PLACES, "denoiser": several(PLACES, 100)})

# ----------------------------------------------------------------------------------- contacts
CONTACT = record(
    Contact,
    each(JOINT, "player_joint partner_joint")
    | each(FRAME, "start end")
    | {"id": COUNT, "closing_speed": METRES, "point": PLACE, "is_open": FLAG},
)
CONTACT_LIST = several(CONTACT, MOST_CONTACTS)
AXES = array(None, 3, most=MOST_METRES)
SEGMENTS = record(Segments, {"starts": AXES, "axes": AXES})
NEAR = several(row(JOINT, JOINT, METRES, PLACE), JOINT_COUNT**2)
LOOK = record(
    Look,
    {
        "edition": COUNT,
        "segments": row(SEGMENTS, SEGMENTS),
        "near": Kind(
            lambda near: NEAR.write(tuple((*parts, *values) for parts, values in near.items())),
            lambda data: {(a, b): (gap, place) for a, b, gap, place in NEAR.read(data)},
            NEAR.told,
        ),
    },
)
CONTACTS = record(
    ContactsState,
    {"contacts": CONTACT_LIST, "ids": COUNT, "looks": several(row(FRAME, LOOK), MOST_FRAMES)},
)

# ------------------------------------------------------------------------------- the whole of it
CARRIED: dict[str, Kind[Any]] = {
    **{"config": CONFIG, "windows": WINDOWS, "pursuit": PURSUIT, "manners": MANNERS},
    **{"contacts": CONTACTS, "floors": several(METRES, WINDOW_FRAMES)},
    **{"frame": FRAME, "sent_until": FRAME, "revision": COUNT, "due": row(COUNT, COUNT, COUNT)},
}
"""What a token holds of it, too, besides poses."""
_STATE = record(
    SessionState,
    CARRIED
    | {"player": PLAYER, "plan": PLAN, "expected": EXPECTED, "partner_start": optional(POSE)}
    | {"tail": FRAMES, "leads_from": optional(FRAME), "kept_until": FRAME, "departure": METRES}
    | each(FLAG, "is_resting is_resumed"),
)


def check(state: SessionState) -> None:
    """Raises Unreadable for parts that do not belong together: frames that are none, or so far
    apart that what lies between them would not fit in memory."""
    player, plan, windows = state.player, state.plan, state.windows
    frames, count = plan.frames, len(plan.frames)
    sizes = {
        "player": (len(player.stamps), len(player.pose.transl)),
        "plan": (count, frames.pose.transl.shape[1], *map(len, (plan.is_made, plan.is_touched))),
        "editions": (count, len(plan.editions)),
        "made": (int(plan.is_made.sum()), plan.made.transl.shape[1]),
        "untouched": (int(plan.is_touched.sum()), len(plan.untouched)),
        "tail": (len(state.tail), state.tail.pose.transl.shape[1]),
        "expected": (len(state.expected.frames), len(state.expected.joints)),
    }
    for name, lengths in sizes.items():
        if len(set(lengths)) > 1:
            raise Unreadable(f"{name}: {lengths} frames, expected as many of each")
    if not (player.newest is None) == (len(player.stamps) == 0) == (player.last_frame == -1):
        raise Unreadable(f"player: frames up to {player.last_frame} without a newest pose")
    if len(player.stamps) > KEPT_FRAMES or max(count, len(state.tail)) > MOST_FRAMES:
        raise Unreadable(f"{len(player.stamps)} frames of the player, {count} of the plan")
    if count and (player.newest is None or not state.floors):
        raise Unreadable("a plan without a player or a floor")
    if count and not frames.first - 1 <= state.sent_until <= frames.last:
        raise Unreadable(f"frames sent until {state.sent_until} of a plan up to {frames.last}")
    if len(state.tail) and (state.tail.first, state.sent_until) != (frames.last + 1, frames.last):
        raise Unreadable(f"frames from {state.tail.first} beyond a plan up to {frames.last}")
    near = [frames.first, frames.last] if count else []
    asked = windows.under_way
    if asked is not None:
        first = asked.window.request.first_frame
        near += [asked.asked_at, asked.player_until, asked.partner_until, first]
    elif windows.arrived is not None:
        raise Unreadable("a window arrived that nobody asked for")
    for frame in near:
        if abs(frame - state.frame) > MOST_FRAMES:
            raise Unreadable(f"frame {frame} at frame {state.frame}")


def _checked_state(data: object) -> SessionState:
    state = _STATE.read(data)
    check(state)
    return state


STATE = Kind(_STATE.write, _checked_state, _STATE.told)
COVERS = array(None, most=MOST_METRES)
CAPSULES = record(
    Capsules,
    {
        "joints": array(None, dtypes=("i8",), most=JOINT_COUNT - 1),
        "starts": AXES,
        "axes": AXES,
        "radii": array(None, most=MOST_METRES),
        "covers": Kind(
            lambda cover: COVERS.write(cover()),
            lambda data: partial(np.asarray, COVERS.read(data)),
            COVERS.told,
        ),
    },
    covers="cover",
)
INTENT_NET = record(
    IntentNet,
    {
        "weights": several(array(None, None, dtypes=FLOATS), 10, least=1),
        "biases": several(array(None, dtypes=FLOATS), 10, least=1),
        "mean": array(FEATURES, dtypes=FLOATS),
        "scale": array(FEATURES, dtypes=FLOATS),
    },
)
BEGINNING = entries(
    {
        "rest_joints": array(2, JOINT_COUNT, 3, most=MOST_METRES),
        "capsules": optional(row(CAPSULES, CAPSULES)),
        "intent": optional(INTENT_NET),
        "state": STATE,
    }
)
CHUNK = record(Chunk, {"revision": COUNT, "frames": FRAMES, "contacts": CONTACT_LIST})
DIGEST_BYTES = 16
CALLS = {
    "feed": row(SECONDS, POSE),
    "update": row(CONFIG),
    "direct": row(DIRECTION),
    "confirm": row(whole(0, 2**64 - 1)),
    "accept": row(COUNT, optional(TRACE), raw(DIGEST_BYTES)),
    "fail": row(COUNT),
    "tick": row(SECONDS, optional(CHUNK), several(COUNT, 8)),
    "plan_again": row(CHUNK),
    "end": row(),
}
"""What each call is given and, from tick on, what comes of it; a window by its digest."""


def _read_call(data: object) -> tuple[object, ...]:
    if type(data) is not list or len(data) != 2 or type(data[0]) is not str:
        raise Unreadable("no call")
    name, arguments = data
    if name not in CALLS:
        raise Unreadable(f"a call {name[:40]!r}, expected one of {', '.join(CALLS)}")
    return (name, *CALLS[name].read(arguments))


CALL: Kind[tuple[object, ...]] = Kind(
    lambda call: [call[0], CALLS[str(call[0])].write(call[1:])],
    _read_call,
    "".join(f"\n[{name}, {arguments.told}]" for name, arguments in CALLS.items()),
)

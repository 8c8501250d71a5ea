"""Resume tokens: a live stream's state in a few kilobytes; any server with the key goes on from it.

Knows states, keys and bytes; no session, no socket and no clock of its own. A token is
    version (1 byte) | HMAC-SHA256 (32) | zlib(state)
and nothing behind the signature is looked at before that has been verified (RFC 2104; compared in
constant time). It is signed, not secret: its holder can read
in it what he was sent anyway. Poses are rounded to 0.05 degrees and 0.25 mm.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import stat
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose, chained, stacked
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.devices.calibration import calibration_of
from engine.errors import ConfigError, InputError, SessionError
from engine.serving.tracked_player import PlayerCalibration
from engine.session.direction import Mode, PoseTarget
from engine.session.plain import packed, unpacked
from engine.session.plan import Frames
from engine.session.player import STAMP, PlayerStamp, PlayerState
from engine.session.state import SessionState

logger = logging.getLogger(__name__)

VERSION = 2
CONTEXT = b"contrapose.v1 resume token"
"""Signed as well: a signature says for which protocol it was made."""
SIGNATURE_BYTES = 32
MOST_BYTES = 16 * 1024
MOST_STATE_BYTES = 1 << 20
"""Unpacked; a signed token has a tenth of it."""
KEY_BYTES = 32
EXPIRES_SECONDS = 600.0
CLOCK_SKEW_SECONDS = 60.0
"""By which the clocks of two servers may differ."""
TURN_STEP, PLACE_STEP = 0.001, 0.00025
"""Radians of a rotation vector's parts, and metres: to what poses are rounded. No rotation is off
by more than the vector is: sqrt(3) / 2 steps, 0.05 degrees."""
MOST_CONTACTS, MOST_TARGETS = 24, 8
FIELD = "header.resume_token"


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamState:
    """What a live stream needs to go on elsewhere."""

    session: SessionState
    session_id: str
    text: str
    """The words of `session.direction`, whose vector is encoded anew."""
    calibration: PlayerCalibration
    partner_betas: Array
    """(10,)"""
    first_time_code: float
    """Of the client's clock, where the session's begins."""
    sequence: int
    time_code: float
    """Of the newest pose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sealer:
    """Makes the tokens of one stream: what of its state stays the same."""

    keys: ResumeKeys
    engine: bytes
    session_id: str
    calibration: PlayerCalibration
    partner_betas: Array
    clock: Callable[[], float] = time.time

    def token(
        self,
        session: SessionState,
        *,
        text: str,
        first_time_code: float,
        sequence: int,
        time_code: float,
    ) -> bytes:
        state = StreamState(
            session=session,
            session_id=self.session_id,
            text=text,
            calibration=self.calibration,
            partner_betas=self.partner_betas,
            first_time_code=first_time_code,
            sequence=sequence,
            time_code=time_code,
        )
        return sealed(self.keys, state, engine=self.engine, now=self.clock())


# --------------------------------------------------------------------------------------------- keys
@dataclass(frozen=True)
class ResumeKeys:
    """Secrets of at least 32 bytes: the first signs, any of them verifies.

    Raises ConfigError if there is none, or one is shorter.
    """

    secrets: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.secrets or min(map(len, self.secrets)) < KEY_BYTES:
            raise ConfigError(f"a resume key needs at least {KEY_BYTES} bytes", field="resume_key")

    def signature(self, data: bytes) -> bytes:
        return _signature(self.secrets[0], data)

    def verify(self, data: bytes, signature: bytes) -> bool:
        matches = [hmac.compare_digest(_signature(key, data), signature) for key in self.secrets]
        return any(matches)


def random_keys() -> ResumeKeys:
    """A key that no other process has: its tokens are worth something on this server alone."""
    return ResumeKeys((secrets.token_bytes(KEY_BYTES),))


def read_keys(paths: Sequence[Path]) -> ResumeKeys:
    """The keys in files, one in each; the first signs. Raises ConfigError that names the file."""
    return ResumeKeys(tuple(_read_key(path) for path in paths))


def _read_key(path: Path) -> bytes:
    try:
        key, mode = path.read_bytes(), path.stat().st_mode
    except OSError as exc:
        raise ConfigError(
            f"--resume-key: {path}: cannot be read: {exc.strerror}; make one with "
            f"`head -c {KEY_BYTES} /dev/urandom > {path}`",
            field="resume_key",
        ) from exc
    if len(key) < KEY_BYTES:
        raise ConfigError(
            f"--resume-key: {path}: holds {len(key)} bytes, a key needs at least {KEY_BYTES}; "
            f"make one with `head -c {KEY_BYTES} /dev/urandom > {path}`",
            field="resume_key",
        )
    if mode & (stat.S_IROTH | stat.S_IRGRP):
        logger.warning("%s: others can read the resume key; chmod 600 it", path)
    return key


def _signature(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, CONTEXT + data, hashlib.sha256)


# ------------------------------------------------------------------------------------------- tokens
def sealed(keys: ResumeKeys, state: StreamState, *, engine: bytes, now: float) -> bytes:
    """A token of at most 16 KB.

    engine  what tells this bundle and body from all others
    now     seconds of the wall clock
    A plan too long for it is cut at its far end, then its history; the session plans it again.
    """
    session = state.session
    while True:
        body = zlib.compress(packed([engine, now, _plain(state, session)]))
        if 1 + SIGNATURE_BYTES + len(body) <= MOST_BYTES:
            break
        session = _shorter(session)
    signed = bytes([VERSION]) + body
    return signed[:1] + keys.signature(signed) + body


def opened(keys: ResumeKeys, token: bytes, *, engine: bytes, now: float, body: Body) -> StreamState:
    """The state in a token.

    Raises InputError RESUME_BAD_TOKEN unless one of `keys` made it, SessionError RESUME_EXPIRED if
    that was over ten minutes ago, and SessionError RESUME_OTHER_BUNDLE for another `engine`.
    """
    if len(token) > MOST_BYTES or len(token) <= 1 + SIGNATURE_BYTES:
        raise _bad(f"{len(token)} bytes are no token")
    if token[0] != VERSION:
        raise _bad(f"version {token[0]}, this server reads {VERSION}")
    signed = token[:1] + token[1 + SIGNATURE_BYTES :]
    if not keys.verify(signed, token[1 : 1 + SIGNATURE_BYTES]):
        raise _bad("it is damaged, or a server with another --resume-key made it")
    try:
        unzipped = zlib.decompressobj().decompress(signed[1:], MOST_STATE_BYTES)
        made_by, issued, plain = unpacked(unzipped)
        state = _rebuilt(plain, body)
    except (InputError, zlib.error, LookupError, TypeError, ValueError) as exc:
        raise _bad("a server of another version made it") from exc
    if not -CLOCK_SKEW_SECONDS <= now - issued <= EXPIRES_SECONDS:
        raise SessionError(
            f"{FIELD}: it is {now - issued:.0f} s old, at most {EXPIRES_SECONDS:.0f} s are allowed;"
            " open a new session",
            field=FIELD,
            reason="RESUME_EXPIRED",
        )
    if made_by != engine:
        raise SessionError(
            f"{FIELD}: made with another bundle or body; resume on a server that has the same, or "
            "open a new session",
            field=FIELD,
            reason="RESUME_OTHER_BUNDLE",
        )
    return state


def _bad(problem: str) -> InputError:
    return InputError(
        f"{FIELD}: {problem}; send the newest one as it came, or open a new session",
        field=FIELD,
        reason="RESUME_BAD_TOKEN",
    )


def _shorter(session: SessionState) -> SessionState:
    """Without the last eighth of the frames beyond the frozen ones; with none, of the history."""
    plan, frozen = session.plan, session.frame + session.config.commit_frames
    fewer = max(len(plan) // 8, 1)
    if plan.last > frozen:
        return replace(session, plan=plan.cut(plan.first, plan.last - fewer))
    plan = plan.cut(plan.first + fewer, plan.last)
    return replace(session, plan=plan, player=session.player.cut(len(plan)))


# --------------------------------------------------------------------------------- states and bytes
def _plain(state: StreamState, session: SessionState) -> dict[str, Any]:
    """A stream's state as plain data, its poses packed; `session` in the place of its own."""
    plan, calibration = session.plan, state.calibration
    is_led = session.direction.mode is Mode.FOLLOW_PLAN
    player, poses = session.player, session.direction.poses[:MOST_TARGETS]
    planned = plan if is_led else plan.cut(max(player.last_frame + 1, plan.first), plan.last)
    assert player.newest is not None
    targets = [target.partner[None] for target in poses]
    targets += [target.player[None] for target in poses if target.player is not None]
    people = [player.pose, player.newest[None], plan.pose[1], planned.pose[0], *targets]
    return {
        "session_id": state.session_id,
        "text": state.text,
        "betas": [calibration.worn.betas, state.partner_betas],
        "devices": [
            calibration.worn.turns.astype(np.float32),
            calibration.worn.offsets.astype(np.float32),
            calibration.worn.floor,
        ],
        "humanoid": calibration.humanoid.astype(np.float32),
        "hips": [calibration.hips_scale, calibration.has_t_pose],
        "clock": [state.first_time_code, state.sequence, state.time_code],
        "config": session.config,
        "direction": replace(session.direction, text=None, poses=()),
        "targets": [(target.frame, target.player is not None) for target in poses],
        "people": [len(player.stamps), 1, len(plan), len(planned), len(targets)],
        "poses": packed_poses(chained(people)),
        "counts": [
            session.seed,
            session.frame,
            session.revision,
            session.sent_until,
            session.tickets,
            player.last_frame,
            session.contact_ids,
            session.accepted,
            session.failed,
        ],
        "delays": session.delays,
        "due": session.due,
        "floor": session.floor,
        "stamp": [player.stamp.sequence, player.stamp.time_s],
        "plan": plan.first,
        "labels": plan.labels,
        "manners": [session.intent, session.answer],
        "contacts": session.contacts[:MOST_CONTACTS],
    }


def _rebuilt(plain: dict[str, Any], body: Body) -> StreamState:
    counts = plain["counts"]
    seed, frame, revision, sent_until, tickets, player_last, contact_ids, accepted, failed = counts
    turns, offsets, floor = plain["devices"]
    poses = unpacked_poses(plain["poses"])
    ends = np.cumsum([0, *plain["people"]]).tolist()
    player, newest, partner, planned, targets = (poses[start:end] for start, end in pairwise(ends))
    plan = _rebuilt_plan(plain, player, player_last, partner, planned)
    worn = calibration_of(
        body,
        plain["betas"][0],
        turns.astype(np.float64),
        offsets.astype(np.float64),
        floor,
    )
    intent, answer = plain["manners"]
    session = SessionState(
        config=plain["config"],
        direction=replace(plain["direction"], poses=_rebuilt_targets(plain, targets)),
        seed=seed,
        frame=frame,
        revision=revision,
        sent_until=min(sent_until, plan.last),
        tickets=tickets,
        delays=plain["delays"],
        floor=plain["floor"],
        player=PlayerState(
            last_frame=player_last,
            pose=player,
            stamps=np.full(len(player.transl), np.array((-1, -np.inf), STAMP)),
            stamp=PlayerStamp(*plain["stamp"]),
            newest=newest[0],
        ),
        plan=plan,
        intent=intent,
        answer=answer,
        contacts=plain["contacts"],
        contact_ids=contact_ids,
        due=plain["due"],
        accepted=accepted,
        failed=failed,
    )
    first_time_code, sequence, time_code = plain["clock"]
    return StreamState(
        session=session,
        session_id=plain["session_id"],
        text=plain["text"],
        calibration=PlayerCalibration(
            worn=worn,
            humanoid=plain["humanoid"].astype(np.float64),
            hips_scale=plain["hips"][0],
            has_t_pose=plain["hips"][1],
        ),
        partner_betas=plain["betas"][1],
        first_time_code=first_time_code,
        sequence=sequence,
        time_code=time_code,
    )


def _rebuilt_plan(
    plain: dict[str, Any], player: Pose, player_last: int, partner: Pose, planned: Pose
) -> Frames:
    """The frames of a plan; the player as he was where he was not planned."""
    first, count = plain["plan"], len(partner.transl)
    known = np.arange(first, first + count - len(planned.transl)) - player_last - 1
    rows = np.clip(known, -len(player.transl), -1)
    labels = plain["labels"].copy()
    labels["sequence"], labels["time_s"] = -1, -np.inf
    pose = stacked([chained([player[rows], planned]), partner])
    return Frames(first=first, pose=pose, labels=labels)


def _rebuilt_targets(plain: dict[str, Any], people: Pose) -> tuple[PoseTarget, ...]:
    poses = [people[row] for row in range(len(people.transl))]
    players = iter(poses[len(plain["targets"]) :])
    return tuple(
        PoseTarget(frame=frame, partner=poses[at], player=next(players) if has_player else None)
        for at, (frame, has_player) in enumerate(plain["targets"])
    )


def packed_poses(poses: Pose) -> bytes:
    """Poses (n,), rounded, as bytes that compress well.

    Differences from frame to frame, zigzag coded, joint by joint, all low bytes first.
    """
    turns = axis_angle_from_rotmat(poses.rotmats).reshape(-1, 3 * JOINT_COUNT)
    numbers = np.rint(np.concatenate([turns / TURN_STEP, poses.transl / PLACE_STEP], axis=1))
    steps = np.diff(numbers.astype(np.int64), axis=0, prepend=0).T
    zigzag = np.ascontiguousarray((steps << 1) ^ (steps >> 63)).astype("<u4")
    return zigzag.view(np.uint8).reshape(-1, 4).T.tobytes()


def unpacked_poses(data: bytes) -> Pose:
    """(n,)"""
    width = 3 * JOINT_COUNT + 3
    planes = np.frombuffer(data, np.uint8).reshape(4, -1)
    zigzag = np.ascontiguousarray(planes.T).view("<u4").astype(np.int64).reshape(width, -1)
    numbers = np.cumsum((zigzag >> 1) ^ -(zigzag & 1), axis=1).T.astype(np.float64)
    turns = TURN_STEP * numbers[:, :-3].reshape(-1, JOINT_COUNT, 3)
    return Pose(rotmat_from_axis_angle(turns), PLACE_STEP * numbers[:, -3:])

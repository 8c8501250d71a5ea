"""Resume tokens: a live stream's state in a few kilobytes; any server with the key goes on from it.

Knows states, keys and bytes; no session, no socket and no clock of its own. A token is
    version (1 byte) | HMAC-SHA256 (32) | zlib(state)
and nothing behind the signature is looked at before that has been verified (RFC 2104; compared in
constant time). It is signed, not secret: its holder can read
in it what the client was sent anyway. Poses are rounded to 0.05 degrees and 0.25 mm.
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
from engine.body.pose import Pose, chained, no_poses, stacked
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.shape import SHAPE_COUNT, Body
from engine.body.skeleton import JOINT_COUNT
from engine.devices.calibration import ROLE_COUNT, calibration_of
from engine.errors import ConfigError, InputError, SessionError
from engine.sampling.text import TEXT_CHARACTERS
from engine.serving import wire
from engine.serving.runs import Run
from engine.serving.tracked_player import PlayerCalibration
from engine.session.codec import (
    FLAG,
    FLOATS,
    MOST_METRES,
    Unreadable,
    array,
    entries,
    number,
    packed,
    raw,
    record,
    row,
    several,
    table,
    text,
    unpacked,
    whole,
)
from engine.session.direction import Mode, PoseTarget
from engine.session.plan import LABEL, Frames, plan_of
from engine.session.player import STAMP, PlayerState
from engine.session.records import (
    CARRIED,
    COUNT,
    FRAME,
    LABELS,
    METRES,
    MOST_FRAMES,
    PLAYER_STAMP,
    check,
)
from engine.session.state import SessionState, carried

logger = logging.getLogger(__name__)

VERSION = 9
"""2 and before were made without tags."""
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
    run: int
    """The number of the run that made it."""
    text: str
    """The words of `session.direction`, whose vector is encoded anew."""
    calibration: PlayerCalibration
    partner_betas: Array
    """(10,)"""
    first_time_code: float
    """The client's time code at which the session's clock begins."""
    sequence: int
    time_code: float
    """The time code of the newest pose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sealer:
    """Makes the tokens of one stream: what of its state stays the same."""

    keys: ResumeKeys
    engine: bytes
    session_id: str
    run: Run
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
            run=self.run.number,
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
    session = carried(state.session)
    while True:
        stream = replace(state, session=session)
        body = zlib.compress(packed(TOKEN, _entries(stream, made_by=engine, issued=now)))
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
        found = unpacked(TOKEN, unzipped)
        state = _rebuilt(found, body)
    except (InputError, Unreadable, zlib.error) as exc:
        raise _bad("a server of another version made it") from exc
    issued = found["issued"]
    if not -CLOCK_SKEW_SECONDS <= now - issued <= EXPIRES_SECONDS:
        raise SessionError(
            f"{FIELD}: it is {now - issued:.0f} s old, at most {EXPIRES_SECONDS:.0f} s are allowed;"
            " open a new session",
            field=FIELD,
            reason="RESUME_EXPIRED",
        )
    if found["made_by"] != engine:
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
    frames, frozen = session.plan.frames, session.frame + session.config.commit_frames
    fewer = max(len(frames) // 8, 1)
    if frames.last > frozen:
        frames = frames.cut(frames.first, frames.last - fewer)
        sent_until = min(session.sent_until, frames.last)
        return replace(session, plan=plan_of(frames), sent_until=sent_until)
    frames = frames.cut(frames.first + fewer, frames.last)
    return replace(session, plan=plan_of(frames), player=session.player.cut(len(frames)))


# --------------------------------------------------------------------------------- states and bytes
SHARES = array(ROLE_COUNT, 3, dtypes=("f4",), most=MOST_METRES)
BETAS = array(SHAPE_COUNT, dtypes=FLOATS)
TOKEN = entries(
    {
        "made_by": raw(64),
        "issued": number(-1e12, 1e12),
        "session_id": text(wire.MAX_NAME_CHARACTERS),
        "run": whole(0, 2**62),
        "text": text(TEXT_CHARACTERS),
        "betas": row(BETAS, BETAS),
        "turns": array(ROLE_COUNT, 3, 3, dtypes=("f4",), most=2.0),
        "offsets": SHARES,
        "floor": METRES,
        "humanoid": array(JOINT_COUNT, 3, 3, dtypes=("f4",), most=2.0),
        "hips_scale": METRES,
        "has_t_pose": FLAG,
        "first_time_code": number(-1e12, 1e12),
        "sequence": COUNT,
        "time_code": number(-1e12, 1e12),
        # The session's state as of `carried`, but for its poses, which are rounded.
        "session": record(SessionState, CARRIED),
        "player": row(FRAME, PLAYER_STAMP),
        "plan": row(FRAME, table(LABEL, LABELS)),
        "targets": several(row(FRAME, FLAG), MOST_TARGETS),
        "people": several(whole(0, MOST_FRAMES), 5, least=5),
        "poses": raw(MOST_STATE_BYTES),
    }
)


def _entries(state: StreamState, *, made_by: bytes, issued: float) -> dict[str, Any]:
    session, worn = state.session, state.calibration.worn
    direction, player, frames = session.pursuit.direction, session.player, session.plan.frames
    targets = direction.poses[:MOST_TARGETS]
    goals = [target.partner[None] for target in targets]
    goals += [target.player[None] for target in targets if target.player is not None]
    planned = frames.pose[0, _known(session) :]
    assert player.newest is not None
    everyone = [player.pose, player.newest[None], frames.pose[1], planned, *goals]
    return {
        "made_by": made_by,
        "issued": issued,
        "session_id": state.session_id,
        "run": state.run,
        "text": state.text,
        "betas": (worn.betas, state.partner_betas),
        "turns": worn.turns.astype(np.float32),
        "offsets": worn.offsets.astype(np.float32),
        "floor": worn.floor,
        "humanoid": state.calibration.humanoid.astype(np.float32),
        "hips_scale": state.calibration.hips_scale,
        "has_t_pose": state.calibration.has_t_pose,
        "first_time_code": state.first_time_code,
        "sequence": state.sequence,
        "time_code": state.time_code,
        "session": replace(
            session,
            pursuit=replace(session.pursuit, direction=replace(direction, text=None, poses=())),
            contacts=replace(session.contacts, contacts=session.contacts.contacts[:MOST_CONTACTS]),
        ),
        "player": (player.last_frame, player.stamp),
        "plan": (frames.first, frames.labels),
        "targets": tuple((target.frame, target.player is not None) for target in targets),
        "people": (
            len(player.stamps),
            1,
            len(frames),
            len(planned.transl),
            len(goals),
        ),
        "poses": packed_poses(chained(everyone)),
    }


def _known(session: SessionState) -> int:
    """In how many frames of the plan the player is as known, and not written down again."""
    if session.leads_from is not None:
        return 0
    frames = session.plan.frames
    return min(max(session.player.last_frame + 1 - frames.first, 0), len(frames))


def _rebuilt(found: dict[str, Any], body: Body) -> StreamState:
    """Raises Unreadable for what does not belong together."""
    calibration = PlayerCalibration(
        worn=calibration_of(
            body,
            found["betas"][0],
            found["turns"].astype(np.float64),
            found["offsets"].astype(np.float64),
            found["floor"],
        ),
        humanoid=found["humanoid"].astype(np.float64),
        hips_scale=found["hips_scale"],
        has_t_pose=found["has_t_pose"],
    )
    return StreamState(
        session=_rebuilt_session(found),
        session_id=found["session_id"],
        run=found["run"],
        text=found["text"],
        calibration=calibration,
        partner_betas=found["betas"][1],
        first_time_code=found["first_time_code"],
        sequence=found["sequence"],
        time_code=found["time_code"],
    )


def _rebuilt_session(found: dict[str, Any]) -> SessionState:
    poses, people = unpacked_poses(found["poses"]), found["people"]
    (first, labels), (last_frame, stamp), targets = found["plan"], found["player"], found["targets"]
    if sum(people) != len(poses.transl) or not people[0] or people[1:3] != (1, len(labels)):
        raise Unreadable(f"{len(poses.transl)} poses of {people}")
    session: SessionState = found["session"]
    if not session.floors:
        raise Unreadable("no floor")
    if people[3] > people[2] or people[4] != len(targets) + sum(both for _, both in targets):
        raise Unreadable(f"{people} poses for {len(targets)} targets")
    ends = np.cumsum([0, *people]).tolist()
    player, newest, partner, planned, goals = (poses[start:end] for start, end in pairwise(ends))
    # Where the player is known, `carried` puts the player.
    known = no_poses(len(labels) - len(planned.transl))
    frames = Frames(first=first, pose=stacked([chained([known, planned]), partner]), labels=labels)
    direction = replace(session.pursuit.direction, poses=_rebuilt_targets(targets, goals))
    session = replace(
        session,
        pursuit=replace(session.pursuit, direction=direction),
        player=PlayerState(
            last_frame=last_frame,
            pose=player,
            stamps=np.zeros(len(player.transl), STAMP),
            stamp=stamp,
            newest=newest[0],
        ),
        plan=plan_of(frames),
        leads_from=first if direction.mode is Mode.FOLLOW_PLAN else None,
    )
    check(session)
    if not first <= session.frame <= session.sent_until or _known(session) != len(known.transl):
        raise Unreadable(f"a plan {first}..{frames.last} at frame {session.frame}")
    return carried(session)


def _rebuilt_targets(targets: tuple[tuple[int, bool], ...], goals: Pose) -> tuple[PoseTarget, ...]:
    players = iter(range(len(targets), len(goals.transl)))
    return tuple(
        PoseTarget(
            frame=frame,
            partner=goals[row],
            player=goals[next(players)] if has_player else None,
        )
        for row, (frame, has_player) in enumerate(targets)
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
    """(n,). Raises Unreadable for what `packed_poses` does not make."""
    width = 3 * JOINT_COUNT + 3
    if len(data) % (4 * width):
        raise Unreadable(f"{len(data)} bytes of poses")
    planes = np.frombuffer(data, np.uint8).reshape(4, -1)
    zigzag = np.ascontiguousarray(planes.T).view("<u4").astype(np.int64).reshape(width, -1)
    numbers = np.cumsum((zigzag >> 1) ^ -(zigzag & 1), axis=1).T.astype(np.float64)
    places = PLACE_STEP * numbers[:, -3:]
    if np.abs(places).max(initial=0.0) > MOST_METRES:
        raise Unreadable("a pose that is nowhere near")
    turns = TURN_STEP * numbers[:, :-3].reshape(-1, JOINT_COUNT, 3)
    return Pose(rotmat_from_axis_angle(turns), places)

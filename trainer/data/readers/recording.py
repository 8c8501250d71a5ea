"""Recordings: what a reader makes of a two-person clip of any data set, and where it lies.

Knows our conventions and time. Knows no file format (each reader knows its own), and nothing of
windows, contacts and shards, which are made from recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics, turned_about_origin
from engine.body.rotations import rotmat_about
from engine.body.shape import Body
from engine.formats.resample import resampled
from engine.motion.motion import FRAME_RATE, Motion
from trainer.data.splits import Split

BodyKind = Literal["smplx", "smplh", "smpl", "open"]
VERTICES: dict[int, BodyKind] = {10475: "smplx", 6890: "smplh"}


@dataclass(frozen=True)
class Source:
    """One clip before it is read."""

    name: str
    """Unique in its data set; what progress and error messages call the clip."""
    paths: tuple[Path, ...]
    """The files that must be there, person by person where each has one."""
    split: Split


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """Two people at 10 frames a second, Y up, metres, the lowest joint of both on y = 0.

    rotmats      (2, frame, 22, 3, 3) float32, parent-relative, root first
    transl       (2, frame, 3) float32, SMPL-X `transl`: the pelvis is at rest_joints[:, 0] + transl
    rest_joints  (2, 22, 3) float32, the bodies that the clip was put on the floor with: measured
                 where a file tells joint positions, else of the body that `read` was given
    betas        (2, 10) float32, the file's, or fitted to its bones; they mean something to bodies
                 of `body_kind` only
    genders      "male", "female" or "neutral"
    Person 0 is the actor (or the leader) where the data set tells.
    """

    name: str
    rotmats: Array
    transl: Array
    rest_joints: Array
    betas: Array
    body_kind: BodyKind
    genders: tuple[str, str]
    kind: str = ""
    captions: tuple[str, ...] = ()


class Reader(Protocol):
    """A module of this package: one data set, as its owners lay it out."""

    def sources(self, root: Path) -> list[Source]:
        """All clips under a folder, ordered by name. Raises InputError if it holds none."""

    def read(self, source: Source, body: Body | None = None) -> Recording:
        """One clip; `body` (None: the open body) stands in where the file tells no joints.

        Rotations do not depend on it. Where people stand does: files hold `transl`, the pelvis is
        at J0(betas) + transl, and a body with another J0 moves the pelvis by the difference of the
        two J0: one shift over the whole clip, the same for both people as far as their betas agree,
        so that it moves them to each other by what J0 differs between them. The data set's own body
        leaves no error; nor do files that tell joints (InterHuman processed, Hi4D).
        Raises InputError that names file, field, what was expected and what to do.
        """


def recorded(
    source: Source,
    motion: Motion,
    rest_joints: Array,
    *,
    body_kind: BodyKind,
    genders: tuple[str, str] = ("neutral", "neutral"),
    kind: str = "",
    captions: tuple[str, ...] = (),
    up: Literal["y", "z"] = "y",
) -> Recording:
    """A motion of two people as it stands in a file, brought to our axes, rate and floor.

    rest_joints  (2, 22, 3); up: the axis of the file, +Z for "z"
    A world with Z up is turned about its origin by -90 degrees about X: (x, y, z) -> (x, z, -y).
    """
    motion = resampled(motion, FRAME_RATE)
    rest_joints = rest_joints.astype(np.float64)
    rotmats: Array = motion.rotmats.astype(np.float64)
    transl: Array = motion.transl.astype(np.float64)
    if up == "z":
        rotmats[:, :, 0], transl = turned_about_origin(
            rotmat_about("x", -np.pi / 2), rotmats[:, :, 0], transl, rest_joints[:, None, 0]
        )
    joints, _ = forward_kinematics(rest_joints[:, None], rotmats, transl)
    transl[..., 1] -= joints[..., 1].min()
    return Recording(
        name=source.name,
        rotmats=rotmats.astype(np.float32),
        transl=transl.astype(np.float32),
        rest_joints=rest_joints.astype(np.float32),
        betas=motion.betas.astype(np.float32),
        body_kind=body_kind,
        genders=genders,
        kind=kind,
        captions=captions,
    )


def kind_of(body: Body) -> BodyKind:
    """The kind of body whose betas this one understands."""
    return VERTICES.get(len(body.template), "open")


def rest_joints_on(body: Body, betas: Array, body_kind: BodyKind) -> Array:
    """(2, 10) -> (2, 22, 3): the body's joints; of its mean shape if the betas are of another."""
    return body.rest_joints(betas if kind_of(body) == body_kind else np.zeros_like(betas))

"""People: the poses of one or more, as arrays and as files.

Knows numpy, and that a program which is installed beside it may read and write more kinds of files
(the entry points `contrapose.motions`); no message and no stream.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from contrapose_client.playout import Array

FORMAT, VERSION = "contrapose-motion", 1
MOTIONS = "contrapose.motions"
"""Entry points of what reads, writes and draws motions: `contrapose[engine]`."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Poses of one or more people: player first.

    quats_xyzw  (person, ..., 22, 4) unit, parent-relative, root first
    transl      (person, ..., 3) metres, SMPL-X `transl`
    betas       (person, 10) body shapes
    frame_rate  frames a second, if it is a motion: (person, frame, ...)
    curls       (person, ..., 10) of the fingers, 0 straight to 1 closed; None: not known
    """

    quats_xyzw: Array
    transl: Array
    betas: Array
    frame_rate: float = 10.0
    curls: Array | None = None

    def __repr__(self) -> str:
        people = "1 person" if len(self.transl) == 1 else f"{len(self.transl)} people"
        if self.transl.ndim == 2:
            return f"People({people}, a pose)"
        frames = self.transl.shape[1]
        return f"People({people}, {frames} frames, {frames / self.frame_rate:g} s)"

    def _repr_html_(self) -> str:
        """In a notebook: a contact sheet, where `contrapose[engine]` can draw one."""
        if not entry_points(group=MOTIONS, name="picture"):
            return repr(self)
        picture = base64.b64encode(_helper("picture", "a picture")(*self._motion())).decode()
        return f'<img alt="{self!r}" src="data:image/png;base64,{picture}">'

    def joints(self) -> Array:
        """(person, frame, 22, 3) metres in the world; needs the bodies of `contrapose[engine]`."""
        joints: Array = _helper("joints", "joints()")(*self._motion())
        return joints if self.transl.ndim == 3 else joints[:, 0]

    def _motion(self) -> tuple[Array, Array, Array, float, Array | None]:
        """Rotations, translations, shapes, frame rate, curls; a pose is a motion of one frame."""
        if self.transl.ndim == 3:
            return self.quats_xyzw, self.transl, self.betas, self.frame_rate, self.curls
        curls = None if self.curls is None else self.curls[:, None]
        return self.quats_xyzw[:, None], self.transl[:, None], self.betas, self.frame_rate, curls

    def save(self, path: Path | str) -> list[Path]:
        """Write a file of the kind that the suffix says; returns the paths written.

        .npz is written here, and all commands read it; all other kinds (.glb, .bvh, .gif, ...) by
        `contrapose[engine]`. A pose becomes a motion of one frame.
        """
        path = Path(path)
        quats, transl, betas, frame_rate, curls = self._motion()
        if path.suffix.lower() != ".npz":
            write = _helper("write", f"{path.name} is no .npz; writing it")
            paths: list[Path] = write(path, quats, transl, betas, frame_rate, curls)
            return paths
        hands: dict[str, Any] = {} if curls is None else {"curls": curls}
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                version=np.array(VERSION),
                quats_xyzw=quats,
                transl=transl,
                betas=betas,
                frame_rate=np.array(frame_rate),
                **hands,
            )
        return [path]

    @classmethod
    def load(cls, path: Path | str) -> People:
        """The motion in one of our .npz files, or, with `contrapose[engine]`, in any that it reads.

        Raises ValueError if it is none, or one of another version.
        """
        if Path(path).suffix.lower() != ".npz":
            read = _helper("read", f"{path} is no .npz; reading it")
            quats, transl, betas, frame_rate, curls = read(Path(path))
            return cls(
                quats_xyzw=quats, transl=transl, betas=betas, frame_rate=frame_rate, curls=curls
            )
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        missing = {"format", "version", "quats_xyzw", "transl", "betas", "frame_rate"} - set(found)
        if missing or str(found["format"]) != FORMAT:
            raise ValueError(f"{path}: no motion of ours; make one with `contrapose convert`")
        if int(found["version"]) != VERSION:
            raise ValueError(f"{path}: version is {found['version']}, this client reads {VERSION}")
        return cls(
            quats_xyzw=found["quats_xyzw"].astype(np.float32),
            transl=found["transl"].astype(np.float32),
            betas=found["betas"].astype(np.float32),
            frame_rate=float(found["frame_rate"]),
            curls=found["curls"].astype(np.float32) if "curls" in found else None,
        )


def _helper(name: str, what: str) -> Any:
    """A function of whatever reads, writes and draws motions here. Raises ModuleNotFoundError."""
    found = entry_points(group=MOTIONS, name=name)
    if not found:
        raise ModuleNotFoundError(f"{what} needs the engine: pip install 'contrapose[engine]'")
    return next(iter(found)).load()

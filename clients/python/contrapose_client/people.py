"""People: the poses of one or more, as arrays and as files.

Knows numpy; no message and no stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrapose_client.playout import Array

FORMAT, VERSION = "contrapose-motion", 1


@dataclass(frozen=True, kw_only=True)
class People:
    """Poses of one or more people: player first.

    quats_xyzw  (person, ..., 22, 4) unit, parent-relative, root first
    transl      (person, ..., 3) metres, SMPL-X `transl`
    betas       (person, 10) body shapes
    frame_rate  frames a second, if it is a motion: (person, frame, ...)
    """

    quats_xyzw: Array
    transl: Array
    betas: Array
    frame_rate: float = 10.0

    def save(self, path: Path | str) -> None:
        """Write the .npz that all commands read; a pose becomes a motion of one frame."""
        is_motion = self.transl.ndim == 3
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                version=np.array(VERSION),
                quats_xyzw=self.quats_xyzw if is_motion else self.quats_xyzw[:, None],
                transl=self.transl if is_motion else self.transl[:, None],
                betas=self.betas,
                frame_rate=np.array(self.frame_rate),
            )

    @classmethod
    def load(cls, path: Path | str) -> People:
        """The motion in one of our .npz files; `contrapose convert` makes them of others.

        Raises ValueError if it is none, or one of another version.
        """
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
        )

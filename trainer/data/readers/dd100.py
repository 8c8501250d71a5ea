"""DD100 (Siyao et al. 2024, Duolando): SMPL-X with hands, duet dances, 30 frames a second, Y up.

    motion/smplx/all/<GENRE>_<CHOREO>_<TAKE>_01.npy   the man, who leads: person 0
    motion/smplx/all/<GENRE>_<CHOREO>_<TAKE>_00.npy   the lady, who follows
The folder may also be motion/smplx/all itself. Each file is a dict that NumPy pickled; it is read
without running it. Facts: datasets.md 6; rate and axis are its best knowledge: of Y and Z the axis
that people stand along is taken. The data are the user's, under S-Lab 1.0 (non-commercial).
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.body.shape import Body
from engine.body.skeleton import JOINT_COUNT
from engine.errors import InputError
from engine.formats.fields import Fields
from engine.formats.pickles import load_numeric_npy
from trainer.data.readers.listing import gender_of
from trainer.data.readers.people import RawPerson, betas_of, body_recording, rotmats_of
from trainer.data.readers.recording import Recording, Source
from trainer.data.splits import Split

FRAME_RATE = 30.0
POSE_WIDTH = 165
NAME = re.compile(r"(?P<genre>.+)_(?P<choreography>\d+)_(?P<take>\d+)_01")


def sources(root: Path) -> list[Source]:
    folder = root / "motion" / "smplx" / "all"
    folder = folder if folder.is_dir() else root
    found = []
    for leader in sorted(folder.glob("*_01.npy")):
        match = NAME.fullmatch(leader.stem)
        follower = leader.with_stem(leader.stem.removesuffix("1") + "0")
        if match:
            split = split_of(match["genre"], int(match["choreography"]))
            found.append(Source(leader.stem.removesuffix("_01"), (leader, follower), split))
    if not found:
        raise InputError(
            f"{folder}: holds no <GENRE>_<CHOREO>_<TAKE>_01.npy; expected DD100's folder, or its "
            "motion/smplx/all",
            field="source",
        )
    return found


def split_of(genre: str, choreography: int) -> Split:
    """Duolando's: every fifth choreography is for testing; of the ballets, 9 and 10."""
    is_test = choreography in (9, 10) if "Ballet" in genre else choreography % 5 == 0
    return "test" if is_test else "train"


def read(source: Source, body: Body | None = None) -> Recording:
    match = NAME.fullmatch(source.paths[0].stem)
    return body_recording(
        source,
        [_person(path) for path in source.paths],
        FRAME_RATE,
        body=body,
        body_kind="smplx",
        kind=match["genre"].lower() if match else "",
    )


def _person(path: Path) -> RawPerson:
    content = load_numeric_npy(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a dict with poses, transl and "
            "betas; give the folder motion/smplx/all, not one of derived positions",
            field="path",
        )
    fields = Fields(path, content)
    poses = fields.numbers("poses", (None, POSE_WIDTH))
    meta = content.get("meta")
    return RawPerson(
        rotmats=rotmats_of(poses[:, : 3 * JOINT_COUNT]),
        transl=fields.numbers("transl", (len(poses), 3)),
        betas=betas_of(fields),
        gender=gender_of(meta.get("gender") if isinstance(meta, dict) else None),
    )

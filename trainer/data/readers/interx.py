"""Inter-X (Xu et al. 2024): SMPL-X with hands, 120 frames a second, Y up. Facts: datasets.md 1.

    motions/<name>/P1.npz, P2.npz                     texts/<name>.txt (three sentences)
    splits/train.txt, val.txt, test.txt               annots/interaction_order.pkl
Person 0 is the actor. The data are the user's, for non-commercial research only.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from engine.body.shape import Body
from engine.errors import InputError
from engine.formats.fields import Archive, Fields
from engine.formats.pickles import load_numeric_dict
from trainer.data.readers.listing import listed_sources, read_captions, read_splits
from trainer.data.readers.people import RawPerson, body_recording, person_of
from trainer.data.readers.recording import Recording, Source

FRAME_RATE = 120.0
NAME = re.compile(r"G\d{3}T\d{3}A(?P<action>\d{3})R\d{3}")
ACTIONS = (
    "hug", "handshake", "wave", "grab", "hit", "kick", "posing", "push", "pull", "sit on leg",
    "slap", "pat on back", "point finger at", "walk towards", "knock over", "step on foot",
    "high-five", "chase", "whisper in ear", "support with hand", "rock-paper-scissors", "dance",
    "link arms", "shoulder to shoulder", "bend", "carry on back", "massaging shoulder",
    "massaging leg", "hand wrestling", "chat", "pat on cheek", "thumb up", "touch head", "imitate",
    "kiss on cheek", "help up", "cover mouth", "look back", "block", "fly kiss",
)  # fmt: skip
"""annots/action_setting.txt; the number in a clip's name is the index."""


def sources(root: Path) -> list[Source]:
    def files(name: str) -> tuple[Path, ...]:
        return root / "motions" / name / "P1.npz", root / "motions" / name / "P2.npz"

    return listed_sources(root, read_splits(root, ["splits"]), [files])


def read(source: Source, body: Body | None = None) -> Recording:
    root = source.paths[0].parents[2]
    paths = source.paths
    if _second_acts(root, source.name):
        paths = paths[::-1]
    match = NAME.fullmatch(source.name)
    action = int(match["action"]) if match else len(ACTIONS)
    return body_recording(
        source,
        [_person(path) for path in paths],
        FRAME_RATE,
        body=body,
        body_kind="smplx",
        up="y",
        kind=ACTIONS[action] if action < len(ACTIONS) else "",
        captions=read_captions(root / "texts" / f"{source.name}.txt"),
    )


def _person(path: Path) -> RawPerson:
    return person_of(Fields(path, Archive(path)))


def _second_acts(root: Path, name: str) -> bool:
    path = root / "annots" / "interaction_order.pkl"
    order = _read_order(path).get(name, 0)
    if order not in (0, 1):
        raise InputError(
            f"{path}: {name} is {order!r}, expected 0 (P1 acts) or 1 (P2 acts); download it again",
            field=name,
        )
    return bool(order)


@lru_cache(maxsize=2)
def _read_order(path: Path) -> dict[str, int]:
    """Clip name -> 0 if P1 is the actor, 1 if P2 is."""
    return load_numeric_dict(path, "a dict of clip names; download it again")

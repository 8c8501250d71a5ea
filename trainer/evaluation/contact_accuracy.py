"""How well the engine's contacts agree with the mesh, on a set of two-person clips.

`python -m trainer.evaluation.contact_accuracy SHARDS --clips N`: capsules
(`engine/motion/contacts.py`) against the skins of the same frames (`trainer/data/contact.py`).
Results: docs/contacts.md. Knows no session.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.body.capsules import fitted_capsules
from engine.body.shape import Body, load_body
from engine.motion.contacts import ContactTracker
from engine.motion.motion import pose_from_features
from trainer.data.contact import THRESHOLD, find_touches
from trainer.data.shards import Clips, load_clips

Touch = tuple[int, int, int, int]
"""Clip, frame, joint of the player's part, joint of the partner's."""


@dataclass
class Agreement:
    """What capsules and mesh say of the same frames."""

    frames: int = 0
    by_capsules: set[Touch] = field(default_factory=set)
    by_mesh: set[Touch] = field(default_factory=set)

    def add(self, clips: Clips, clip: int, body: Body) -> None:
        features = clips.motion_of(clip).astype(np.float64)
        motion = pose_from_features(np.swapaxes(features, 0, 1))
        betas, rest_joints = clips.betas[clip], clips.rest_joints[clip]
        player, partner = (fitted_capsules(body, person) for person in betas)
        tracker = ContactTracker((player, partner))
        posed = motion.in_world(rest_joints[:, None].astype(np.float64))
        for contact in tracker.update(0, 0, *posed, np.arange(len(features))):
            lasts = range(contact.start, contact.end + 1)
            self.by_capsules |= {(clip, frame, *contact.parts) for frame in lasts}
        touches = find_touches(body, betas, motion, rest_joints)
        self.by_mesh |= {(clip, *contact) for contact in touches.contacts}
        self.frames += len(features)

    def report(self) -> str:
        lines = [f"{self.frames} frames; mesh: skins nearer than {1000 * THRESHOLD:.0f} mm"]
        views = {
            "frames with any contact": (_frames(self.by_capsules), _frames(self.by_mesh)),
            "parts that touch, frame by frame": (self.by_capsules, self.by_mesh),
            "beginnings, within one frame": (_starts(self.by_capsules), _starts(self.by_mesh)),
        }
        for name, (found, true) in views.items():
            slack = 1 if name.startswith("beginnings") else 0
            precision, recall = _agreeing(found, true, slack), _agreeing(true, found, slack)
            lines.append(
                f"{name}: precision {precision:.3f} of {len(found)}, "
                f"recall {recall:.3f} of {len(true)}"
            )
        return "\n".join(lines)


def _frames(touches: Iterable[Touch]) -> set[Touch]:
    return {(clip, frame, 0, 0) for clip, frame, _, _ in touches}


def _starts(touches: set[Touch]) -> set[Touch]:
    """Touches whose parts did not touch in the two frames before."""
    return {
        (clip, frame, a, b)
        for clip, frame, a, b in touches
        if not {(clip, frame - back, a, b) for back in (1, 2)} & touches
    }


def _agreeing(these: set[Touch], others: set[Touch], slack: int) -> float:
    near = range(-slack, slack + 1)
    hits = sum(any((c, f + d, a, b) in others for d in near) for c, f, a, b in these)
    return hits / max(len(these), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("--clips", type=int, default=72, help="of the validation split")
    args = parser.parse_args()
    clips, body = load_clips(args.shards), load_body()
    chosen = clips.subset("val")
    agreement = Agreement()
    for clip in chosen[:: max(len(chosen) // args.clips, 1)][: args.clips]:
        agreement.add(clips, int(clip), body)
    print(agreement.report())


if __name__ == "__main__":
    main()

"""Tables of joint positions as CSV, for spreadsheets and notebooks.

Knows columns, no skeleton but ours. A row a frame: `seconds`, then x, y and z of each joint of each
person in the world, in metres with Y up: player_pelvis_x, player_pelvis_y, ...
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT_NAMES
from engine.formats.skinned import names_of
from engine.motion.motion import Motion


def write_joint_table(path: Path, motion: Motion, body: Body) -> None:
    rest = body.rest_joints(motion.betas)[:, None]
    joints, _ = Pose(motion.rotmats, motion.transl).in_world(rest)
    rows = np.moveaxis(joints, 0, 1).reshape(motion.frames, -1)
    columns = [
        f"{person}_{joint}_{axis}"
        for person in names_of(motion.people)
        for joint in JOINT_NAMES
        for axis in "xyz"
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["seconds", *columns])
        for frame, row in enumerate(rows):
            values = [f"{value:.5f}" for value in row]
            table.writerow([f"{frame / motion.frame_rate:.4f}", *values])

"""A motion as curves over time: heights and speeds of joints, the people's distance, contacts.

Knows motions and bodies; how a figure is drawn is matplotlib's business, its style `plot.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT
from engine.errors import InputError
from engine.formats.plot import new_figure
from engine.formats.skinned import COLOURS, names_of
from engine.formats.touches import touches_of
from engine.motion.motion import Motion

HANDS = {"right_wrist": "--", "left_wrist": ":"}
HEIGHTS = {"head": "-", **HANDS, "right_ankle": "-.", "left_ankle": (0, (1, 4))}
SPEEDS = {"pelvis": "-", **HANDS}
"""Joints that are shown, and the style of their lines."""
LEAST_FRAMES = 2


def write_motion_plot(path: Path, motion: Motion, body: Body, title: str) -> None:
    """Draw all curves of a motion; the suffix of `path` says the kind of picture.

    Raises InputError if the motion is a single frame, or where the picture cannot be written.
    """
    if motion.frames < LEAST_FRAMES:
        raise InputError(f"{title}: is a single frame; there is no time to plot", field="motion")
    seconds = np.arange(motion.frames) / motion.frame_rate
    joints, _ = Pose(motion.rotmats, motion.transl).in_world(
        body.rest_joints(motion.betas)[:, None]
    )
    speeds = np.linalg.norm(np.gradient(joints, 1 / motion.frame_rate, axis=1), axis=-1)
    rows = 2 if motion.people == 1 else 4
    with new_figure(9.0, 2.1 * rows) as figure:
        axes = np.atleast_1d(figure.subplots(rows, 1, sharex=True))
        _curves(axes[0], seconds, joints[..., 1], HEIGHTS)
        axes[0].set(title=title, ylabel="height, m")
        _curves(axes[1], seconds, speeds, SPEEDS)
        axes[1].set(ylabel="speed, m/s")
        if motion.people > 1:
            _distance(axes[2], seconds, joints)
            _touches(axes[3], touches_of(motion, body))
        axes[-1].set(xlabel="seconds", xlim=(0, seconds[-1]))
        try:
            figure.savefig(path, dpi=120)
        except OSError as exc:
            raise InputError(f"{path}: cannot be written: {exc.strerror}", field="output") from exc


def _curves(axes: Any, seconds: Array, values: Array, styles: Mapping[str, Any]) -> None:
    """values (person, T, 22)"""
    for person, name in enumerate(names_of(len(values))):
        for joint, style in styles.items():
            axes.plot(
                seconds,
                values[person, :, JOINT[joint]],
                linestyle=style,
                color=COLOURS[person % len(COLOURS)] / 255,
                linewidth=1.2,
                label=f"{name} {joint}".replace("_", " "),
            )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _distance(axes: Any, seconds: Array, joints: Array) -> None:
    """Between the first two people."""
    player, partner = joints[:2]
    hips = np.linalg.norm((player - partner)[:, JOINT["pelvis"], [0, 2]], axis=-1)
    hands = [JOINT["left_wrist"], JOINT["right_wrist"]]
    between = player[:, hands, None] - partner[:, None, hands]
    nearest = np.linalg.norm(between, axis=-1).min(axis=(1, 2))
    axes.plot(seconds, hips, color="#57606a", label="hips, over the floor")
    axes.plot(seconds, nearest, color="#2da44e", label="nearest wrists")
    axes.set(ylabel="distance, m", ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _touches(axes: Any, touches: list[dict[str, Any]]) -> None:
    """A bar from the first to the last moment of each contact, a row for each two parts."""
    rows: dict[str, int] = {}
    for touch in touches:
        parts = f"{touch['player_joint']} - {touch['partner_joint']}".replace("_", " ")
        row = rows.setdefault(parts, len(rows))
        lasts = max(touch["end"] - touch["start"], 0.05)
        axes.broken_barh([(touch["start"], lasts)], (row - 0.4, 0.8), color="#bf3989")
    axes.set(ylabel="contacts", yticks=range(len(rows)), ylim=(-0.6, max(len(rows), 1) - 0.4))
    axes.set_yticklabels(list(rows), fontsize=7)

import numpy as np
import pytest

from engine.arrays import Array
from engine.body.kept import kept_by_joints


def test_what_follows_from_joints_is_worked_out_once_for_each_body_and_question() -> None:
    asked = []

    @kept_by_joints(8)
    def height(joints: Array, scale: int) -> float:
        asked.append((joints.dtype, scale))
        return scale * float(joints[..., 1].max())

    joints = np.arange(66.0).reshape(22, 3)
    for _ in range(2):
        assert height(joints.copy(), 1) == 64.0
        assert height(joints.copy(), 2) == 128.0
        assert height(joints.astype(np.float32), 1) == 64.0
        assert height(joints + 1, 1) == 65.0
    assert len(asked) == 4


def test_joints_that_are_kept_cannot_be_changed() -> None:
    @kept_by_joints(8)
    def changed(joints: Array) -> None:
        joints += 1

    with pytest.raises(ValueError, match="read-only"):
        changed(np.zeros((22, 3)))

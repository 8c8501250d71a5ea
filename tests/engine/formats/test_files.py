"""A file's suffix decides who reads and who writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.shape import load_body
from engine.errors import InputError
from engine.formats import (
    READABLE,
    WRITABLE,
    check_writable,
    read_motion,
    resampled,
    write_motion,
)
from tests.data.make_motion_files import DATA, wave


@pytest.mark.parametrize("name", ["wave.npz", "wave_mixamo.bvh", "pair_buddi.pkl"])
def test_every_kind_of_file_is_read(name: str) -> None:
    motion = read_motion(DATA / name)
    assert motion.quats_xyzw.dtype == motion.transl.dtype == motion.betas.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(motion.quats_xyzw, axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("suffix", sorted(set(WRITABLE) - {".fbx"}))
def test_every_kind_of_file_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"wave{suffix}"
    assert write_motion(path, wave(frames=2), load_body()) == [path]
    assert path.stat().st_size > 100


@pytest.mark.parametrize("suffix", sorted(set(READABLE) & set(WRITABLE)))
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"wave{suffix}"
    write_motion(path, wave(), load_body())
    found = resampled(read_motion(path), wave().frame_rate)
    np.testing.assert_allclose(found.transl, wave().transl, atol=1e-3)
    np.testing.assert_allclose(found.rotmats, wave().rotmats, atol=1e-3)


def test_other_kinds_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read files named \*\.fbx; expected one of \.npz"):
        read_motion(tmp_path / "walk.fbx")
    with pytest.raises(InputError, match="no such file"):
        read_motion(tmp_path / "walk.bvh")
    with pytest.raises(InputError, match=r"cannot write files named \*\.abc"):
        check_writable(tmp_path / "walk.abc")
    with pytest.raises(InputError, match="there is no folder"):
        check_writable(tmp_path / "nowhere" / "walk.npz")

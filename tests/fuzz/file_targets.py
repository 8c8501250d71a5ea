"""Files: what every reader does with what it is given."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.body.shape import load_body
from engine.bundle import MANIFEST, STARTER, load_bundle
from engine.formats import read_motion, read_rig_map, resampled, write_motion
from engine.formats.pickles import load_numeric_npy
from engine.session.replay import read_recording
from tests.data.make_motion_files import DATA
from tests.fuzz.changes import bytes_changed, data_changed, text_changed

Target = Callable[[Random, Path], None]
"""Makes an input from the seed, in the folder, and has it read; raises what the reader raises."""
RIG = 'up = "y"\nmetres_per_unit = 0.01\n[joints]\nleft_hip = "LeftUpLeg"\nhead = "Head"\n'
ODD_SHAPES = ((), (0,), (1,), (3,), (1, 11), (2, 11, 3), (11, 22, 4), (1, 11, 22, 4), (11, 156))
DTYPES = ("<f4", "<f8", "<f2", ">f8", "i1", "<u8", "?", "<U3", "S2", "c16", "M8[s]", "O")


def _motion(path: Path) -> None:
    """Read it, and write what came out: no number in it may be none."""
    motion = read_motion(path)
    motion = resampled(motion, 10.0)
    for array in (motion.quats_xyzw, motion.transl, motion.betas):
        assert np.isfinite(array).all(), "a number that is none was let in"
    if motion.frames < 100:
        write_motion(path.with_name("out.npz"), motion, load_body())


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def bvh(random: Random, folder: Path) -> None:
    text = (DATA / "wave_mixamo.bvh").read_text()
    _motion(_put(folder / "a.bvh", text_changed(random, text)))


@cache
def _arrays() -> dict[str, Any]:
    with np.load(DATA / "wave.npz") as file:
        own = {key: file[key] for key in file.files}
    amass = {
        "poses": np.zeros((11, 156)),
        "root_orient": np.zeros((11, 3)),
        "pose_body": np.zeros((11, 63)),
        "trans": np.zeros((11, 3)),
        "betas": np.zeros(16),
        "mocap_framerate": np.array(60.0),
    }
    return {"own": own, "amass": amass}


def _odd_array(random: Random) -> Any:
    generator = np.random.default_rng(random.getrandbits(32))
    values = generator.normal(0, random.choice((1, 1e9, 1e300)), random.choice(ODD_SHAPES))
    if values.size and random.random() < 0.2:
        values.flat[0] = random.choice((np.nan, np.inf))
    with np.errstate(all="ignore"):
        return values.astype(random.choice(DTYPES))


def npz(random: Random, folder: Path) -> None:
    if random.random() < 0.4:
        content = bytes_changed(random, (DATA / "wave.npz").read_bytes())
    else:
        arrays = dict(_arrays()[random.choice(("own", "amass"))])
        for _ in range(random.choice((1, 1, 2, 4))):
            key = random.choice([*arrays, "extra"])
            if random.random() < 0.2:
                arrays.pop(key, None)
            else:
                arrays[key] = _odd_array(random)
        file = io.BytesIO()
        np.savez(file, **arrays)
        content = file.getvalue()
    _motion(_put(folder / "a.npz", content))


def npy(random: Random, folder: Path) -> None:
    file = io.BytesIO()
    np.save(file, _odd_array(random) if random.random() < 0.5 else np.array({"a": np.zeros(9)}))
    load_numeric_npy(_put(folder / "a.npy", bytes_changed(random, file.getvalue())))


@cache
def _pickles() -> list[bytes]:
    person = {"root_pose": np.zeros((1, 3)), "body_pose": np.zeros((1, 63))}
    person |= {"trans": np.zeros((1, 3)), "betas": np.zeros((1, 10))}
    made = [pickle.dumps(person, protocol) for protocol in range(6)]
    return [(DATA / "pair_buddi.pkl").read_bytes(), *made]


def pickles(random: Random, folder: Path) -> None:
    if random.random() < 0.6:
        content = bytes_changed(random, random.choice(_pickles()))
    else:
        operations = b"()]}a e s u t 0 1 2 N K\x01 h\x00 q\x00 \x85 \x86 \x87 R b \x94 .".split()
        content = b"".join(random.choices(operations, k=random.randrange(1, 80))) + b"."
    _motion(_put(folder / "a.pkl", content))


def manifest(random: Random, folder: Path) -> None:
    text = (STARTER / MANIFEST).read_text()
    if random.random() < 0.4:
        content = text_changed(random, text)
    else:
        data = data_changed(random, json.loads(text))
        content = json.dumps(data, default=lambda value: value.decode("latin1")).encode()
    _put(folder / MANIFEST, content)
    load_bundle(folder)


@cache
def _graph() -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"]),
            helper.make_node("Reshape", ["xw", "shape"], ["y"]),
        ],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.ones((4, 6), np.float32), "w"),
            numpy_helper.from_array(np.array([-1, 2, 3]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(onnx.ModelProto.SerializeToString(model))


@cache
def _backend() -> Any:
    return open_backend("openvino", precision="f32", cache_dir=None)


def onnx(random: Random, folder: Path) -> None:
    is_sound = random.random() < 0.2
    path = _put(folder / "a.onnx", _graph() if is_sound else bytes_changed(random, _graph()))
    _backend().load(path)({"x": np.ones((2, 4), np.float32)})


def rig_toml(random: Random, folder: Path) -> None:
    read_rig_map(_put(folder / "rig.toml", text_changed(random, RIG)))


def training_toml(random: Random, folder: Path) -> None:
    from trainer.training.config_file import load_config
    from trainer.training.objectives import OBJECTIVES

    name = random.choice(("animator", "generator", "distill"))
    shipped = Path(__file__).parents[2] / "trainer" / "configs" / f"starter-{name}.toml"
    path = _put(folder / "train.toml", text_changed(random, shipped.read_text()))
    load_config(path, name, OBJECTIVES[name].config)


def recording(random: Random, folder: Path) -> None:
    stored = sorted((DATA / "records").glob("*.recording"))
    content = random.choice(stored).read_bytes()
    read_recording(_put(folder / stored[0].name, bytes_changed(random, content)))


TARGETS: dict[str, Target] = {
    "bvh": bvh,
    "npz": npz,
    "npy": npy,
    "pickle": pickles,
    "manifest": manifest,
    "onnx": onnx,
    "rig toml": rig_toml,
    "training toml": training_toml,
    "recording": recording,
}

"""The arrows between the parts, clients -> proto <- engine <- trainer, and between their rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "smplx", "anny", "onnx", "trainer", "scipy")
TORCH_BACKEND = {
    Path(f"engine/backends/{name}.py") for name in ("torch", "torch_capture", "torch_graph")
}
"""What may import PyTorch and ONNX; `open_backend` alone imports it, when it is asked for."""
TYPED_GRAPHS = {Path("engine/backends/typed.py")}
"""What of the TensorRT backend may import ONNX, within itself."""
FLOORS = {
    "engine": (
        {"arrays", "errors", "extras", "progress"},
        {"backends", "body", "bundle"},
        {"motion"},
        {"devices", "formats", "sampling"},
        {"batch", "session", "vmc"},
        {"serving"},
        {"commands", "testing"},
        {"bench", "cli"},
    ),
    "trainer": (
        {"data", "graphs"},
        {"choreography", "models", "text"},
        {"arguments", "evaluation", "intent"},
        {"export", "training"},
        {"ablation", "starter"},
        {"commands"},
    ),
}
"""The rooms of both packages from the ground up; each may know those of lower floors only."""
COMPOSITION = {
    Path("engine/commands/live_client.py"),
    Path("engine/commands/vmc_stream.py"),
    Path("engine/bench/simulated_players.py"),
}
"""What drives a server through the client; nothing else in the engine may know it."""

ONE_NOUN_IN_TWO_PLACES = {
    *("Animator", "TextEncoder"),  # a network as it is trained, and as it runs
    *("Intent", "Offer", "People", "Touch"),  # in the engine, and as its client has it
    "Doorman",  # at either door
}
"""Classes that share a name for a reason; any other name has one class."""


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file names, and names in them that may be modules too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _violations(folder: str, forbidden: tuple[str, ...], allowed: set[Path]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        if path.relative_to(REPOSITORY) not in allowed
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize(
    "folder",
    sorted(
        path.parent
        for package in ("engine", "trainer", "clients/python/contrapose_client")
        for path in (REPOSITORY / package).rglob("__init__.py")
    ),
    ids=lambda folder: str(folder.relative_to(REPOSITORY)),
)
def test_a_folder_says_what_it_is_for_and_what_it_may_not_know(folder: Path) -> None:
    says = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    summary = says.splitlines()[0] if says else ""
    assert summary.endswith(".")
    assert re.search(r"\b(no|nothing|neither|not)\b", says, re.IGNORECASE)


def test_the_engine_imports_no_torch_no_smplx_no_trainer() -> None:
    assert _violations("engine", HEAVY, TORCH_BACKEND | TYPED_GRAPHS) == []
    others = tuple(name for name in HEAVY if name not in ("torch", "onnx"))
    assert _violations("engine", others, set()) == []
    assert _violations("engine", ("torch",), TORCH_BACKEND) == []


def test_nothing_but_the_opener_of_backends_imports_the_torch_backend() -> None:
    modules = {f"engine.backends.{path.stem}" for path in TORCH_BACKEND}
    importers = {
        path.relative_to(REPOSITORY)
        for path in (REPOSITORY / "engine").rglob("*.py")
        if modules & set(_imports(path))
    }
    assert importers <= TORCH_BACKEND | {Path("engine/backends/open.py")}


def test_only_what_drives_a_server_knows_the_client() -> None:
    assert _violations("engine", ("contrapose_client", "clients"), COMPOSITION) == []


def test_the_client_knows_the_wire_and_nothing_of_the_engine() -> None:
    assert _violations("clients/python", ("engine", *HEAVY), set()) == []


def test_what_is_served_knows_no_transport() -> None:
    transports = set((REPOSITORY / "engine/serving/grpc").rglob("*.py"))
    for path in set((REPOSITORY / "engine/serving").rglob("*.py")) - transports:
        named = [
            name for name in _imports(path) if name.startswith(("grpc", "engine.serving.grpc"))
        ]
        assert named == [], path
        assert "_pb2_grpc" not in path.read_text(), path


@pytest.mark.parametrize("blocked", ["torch", "smplx"])
def test_every_engine_module_imports_without(blocked: str) -> None:
    modules = [
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in sorted((REPOSITORY / "engine").rglob("*.py"))
        if path.name != "__init__.py" and path.relative_to(REPOSITORY) not in TORCH_BACKEND
    ]
    code = f"import sys; sys.modules[{blocked!r}] = None\n" + "\n".join(
        f"import {m}" for m in modules
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr


FOREIGN = {"torch", "aten"}
"""Roots of names that are another project's to keep private."""


def test_no_test_reaches_into_what_is_private() -> None:
    reached = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {ast.unparse(node)}"
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and _is_private(node.attr)
        if ast.unparse(node).split(".")[0] not in {"self", "cls", *FOREIGN}
    ]
    imported = [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for name in _imports(path)
        if _is_private(name.rpartition(".")[2]) and name.split(".")[0] not in {"tests", *FOREIGN}
    ]
    assert reached + imported == []


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


# ---------------------------------------------------------------------------------------- the rooms
def _modules() -> dict[str, Path]:
    """Files and folders of both packages by name; a folder's own file only hands names on."""
    return {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
        for package in FLOORS
        for path in (REPOSITORY / package).rglob("*.py")
    }


def _arrows() -> set[tuple[str, str]]:
    """(importer, imported)"""
    modules = _modules()
    return {
        (name, other)
        for name, path in modules.items()
        if path.name != "__init__.py"
        for other in _imports(path)
        if other in modules and other != name
    }


def _rooms_of(folder: str, arrows: set[tuple[str, str]]) -> dict[str, set[str]]:
    """The files and folders directly in a folder, and which of the others each imports."""
    inside = f"{folder}."
    rooms: dict[str, set[str]] = {}
    for pair in arrows:
        if all(name.startswith(inside) for name in pair):
            room, other = (name.removeprefix(inside).partition(".")[0] for name in pair)
            rooms.setdefault(room, set()).update({other} - {room})
    return rooms


def test_no_files_or_folders_in_any_folder_form_a_circle() -> None:
    arrows = _arrows()
    folders = [name for name, path in _modules().items() if path.name == "__init__.py"]
    for folder in folders:
        try:
            TopologicalSorter(_rooms_of(folder, arrows)).prepare()
        except CycleError as error:
            pytest.fail(f"{folder}: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_imports_from_lower_floors_only(package: str) -> None:
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS[package]) for room in rooms}
    built = {name.split(".")[1] for name in _modules() if name.startswith(f"{package}.")}
    assert built == set(floor_of), "every room has a floor in FLOORS"
    upward = [
        f"{room} imports {other}"
        for room, others in _rooms_of(package, _arrows()).items()
        for other in others
        if floor_of[other] >= floor_of[room]
    ]
    assert upward == []


def test_every_class_has_a_name_of_its_own() -> None:
    names = Counter(
        node.name
        for package in (*FLOORS, "clients/python/contrapose_client")
        for path in (REPOSITORY / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == ONE_NOUN_IN_TWO_PLACES


def test_every_package_of_the_tree_is_installed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    in_tree = {name for name, path in _modules().items() if path.name == "__init__.py"}
    assert {name for name in listed if name.split(".")[0] in FLOORS} == in_tree

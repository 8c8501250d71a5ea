"""What every test may ask for, and which tests are slow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from engine.bundle import Bundle, load_bundle

settings.register_profile("contrapose", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("contrapose")

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
PARITY = TESTS / "data/parity"
"""What the published networks give for given inputs; its README says more."""
SERVERS = ("e2e/", "examples/")
"""Folders whose tests start servers and wait for them."""
SLOW = (
    *SERVERS,
    "backends/",
    "benchmarks/",
    "engine/bench/",
    "trainer/ablation/",
    "trainer/evaluation/",
    "trainer/export/",
    "trainer/text/",
    "trainer/training/",
)
EXPORTS = {"parity_bundle", "talking_bundle", "tiny_bundle"}
"""Fixtures that wait for PyTorch's exporter."""
MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow. Workers of pytest-xdist begin with it."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if place.startswith(SLOW) or EXPORTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker takes a file at a time, and one of them all that starts servers.

    Two servers at once would be late for want of cores. (`--dist loadgroup` could say the same in
    marks, but pytest-xdist 3.8 finds none with pytest 9.2 and says nothing.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "servers" if path.removeprefix("tests/").startswith(SERVERS) else path

    return ByFile(config, log)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """No other process is in such a block with this file."""
    with path.open("a+") as file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> MadeOnce:
    """Makes a bundle by its name, once for all workers of pytest-xdist: the others wait for it."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        path = folder / name
        with locked(folder / f"{name}.lock"):
            if not path.exists():  # whole: an export appears when it is finished
                make(path)
        return path

    return made


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    """Recordings made by others, beside the checkout: ours to try, not to ship."""
    path = REPOSITORY.parent / "shared/real"
    if not path.is_dir():
        pytest.skip(f"{path} is absent: recordings of others, which are not ours to ship")
    return path


@pytest.fixture(scope="session")
def talking_bundle(made_once: MadeOnce) -> Bundle:
    """A tiny bundle whose two networks listen to words."""
    from tests.engine.talking import export_talking_bundle

    return load_bundle(made_once("talking.bundle", export_talking_bundle))

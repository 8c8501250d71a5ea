"""The viewer that is committed is built from the sources that are committed; its vectors hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import REPOSITORY
from tests.data.make_web_vectors import VECTORS, vectors

WEB = REPOSITORY / "clients/web"
VIEWER = REPOSITORY / "engine/data/viewer"
HASHES = VIEWER / "hashes.sha256"
PROTO_HASHES = WEB / "src/gen/protos.sha256"
MOST_BYTES = 2_000_000


def noted(path: Path) -> dict[str, str]:
    """File -> sha256, as sha256sum writes them."""
    lines = [line.split("  ", 1) for line in path.read_text().splitlines()]
    return {name: digest for digest, name in lines}


def digest(name: str) -> str:
    return hashlib.sha256((REPOSITORY / name).read_bytes()).hexdigest()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(REPOSITORY)) for path in folder.rglob("*") if path.is_file()}


def test_the_page_is_built_from_its_sources_as_they_are() -> None:
    built = noted(HASHES)
    expected = files_in(WEB / "src") | files_in(WEB / "public") | files_in(VIEWER)
    expected -= {str(HASHES.relative_to(REPOSITORY))}
    assert expected <= set(built), "run `make web`"
    assert [name for name in built if digest(name) != built[name]] == [], "run `make web`"


def test_the_messages_of_the_page_are_made_from_the_contract_as_it_is() -> None:
    made = noted(PROTO_HASHES)
    assert set(made) == files_in(REPOSITORY / "proto/contrapose")
    assert [name for name in made if digest(name) != made[name]] == [], "run `make web`"


def test_the_page_is_small_and_says_what_is_inside_it() -> None:
    assert sum((REPOSITORY / name).stat().st_size for name in files_in(VIEWER)) < MOST_BYTES
    told = (VIEWER / "LICENCES.txt").read_text()
    assert all(name in told for name in ("three ", "@pixiv/three-vrm", "@bufbuild/protobuf"))


def test_the_page_asks_no_other_host_and_has_no_script_or_style_of_its_own() -> None:
    page = (VIEWER / "index.html").read_text()
    assert "http:" not in page
    assert "https:" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count(' src="./assets/')


def test_the_vectors_of_the_page_are_what_python_says() -> None:
    _same(json.loads(VECTORS.read_text()), json.loads(json.dumps(vectors())), "vectors")


def _same(kept: Any, made: Any, place: str) -> None:
    """Numbers may differ by rounding, on another machine; and so may what is serialized of them."""
    if isinstance(kept, dict):
        assert kept.keys() == made.keys(), place
        for key in kept.keys() - {"chunk"}:
            _same(kept[key], made[key], f"{place}.{key}")
    elif isinstance(kept, list):
        assert len(kept) == len(made), place
        for index, pair in enumerate(zip(kept, made, strict=True)):
            _same(*pair, f"{place}[{index}]")
    elif isinstance(kept, float):
        assert np.isclose(kept, made, atol=1e-5), place
    else:
        assert kept == made, place

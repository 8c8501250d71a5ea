"""What families of networks there are, and where a bundle keeps each."""

from __future__ import annotations

import typing

import pytest

from engine.bundle import Manifest
from trainer.models.families import FAMILIES, family


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_a_field_of_the_manifest_that_names_its_graphs(name: str) -> None:
    assert family(name).name == name
    hint = typing.get_type_hints(Manifest)[name]
    spec, *_ = typing.get_args(hint) or (hint,)  # one that a bundle may lack is "... | None"
    assert spec.files == (f"{name}/condition.onnx", f"{name}/step.onnx")

"""What errors say of the field that is wrong."""

from __future__ import annotations

from engine.errors import ConfigError, InputError


def test_a_message_begins_with_its_field_however_deep_that_lies() -> None:
    error = ConfigError.at("steps", "0, expected 1 to 50")
    assert (str(error), error.field) == ("steps: 0, expected 1 to 50", "steps")
    outer = error.within("header")
    assert isinstance(outer, ConfigError)
    assert (str(outer), outer.field) == ("header.steps: 0, expected 1 to 50", "header.steps")


def test_a_reason_is_kept_and_the_usual_one_of_the_class_otherwise() -> None:
    assert InputError.at("pose", "missing", "MISSING").within("header").reason == "MISSING"
    assert InputError.at("pose", "too short").reason == InputError.reason

"""What `contrapose serve` makes of its flags and its bundle."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from engine.bundle import AnimatorSpec, write_manifest
from engine.commands.serve import add_commands, config_of, engine_commands, shared_key
from engine.errors import ConfigError
from engine.serving.grpc.server import ServerConfig


def _args(*flags: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    return parser.parse_args(["serve", *map(str, flags)])


def _config(*flags: object) -> ServerConfig:
    return config_of(_args(*flags))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for relative in AnimatorSpec.files:
        (tmp_path / relative).parent.mkdir(exist_ok=True)
        (tmp_path / relative).write_bytes(b"a graph")
    animator = AnimatorSpec(
        width=8,
        heads=2,
        layers=2,
        text_width=0,
        window_frames=30,
        history_frames=3,
        steps_default=8,
        schedules=(),
    )
    write_manifest(tmp_path, name="walk", licence="", description="", animator=animator)
    return tmp_path


def test_sessions_take_steps_and_history_from_the_bundle(bundle: Path) -> None:
    session = _config("--bundle", bundle).service.session
    assert (session.steps, session.history_frames) == (8, 3)


def test_flags_go_before_the_bundle(bundle: Path) -> None:
    session = _config("--bundle", bundle, "--steps", 5, "--horizon", 12).service.session
    assert (session.steps, session.horizon_frames, session.history_frames) == (5, 12, 3)


def test_feet_are_locked_unless_told_otherwise(bundle: Path) -> None:
    assert _config("--bundle", bundle).service.session.foot_lock
    assert not _config("--bundle", bundle, "--no-foot-lock").service.session.foot_lock


def test_the_machine_says_how_many_sessions_there_may_be_unless_told_otherwise(
    bundle: Path,
) -> None:
    assert _config("--bundle", bundle).service.max_sessions is None
    assert _config("--bundle", bundle, "--max-sessions", "auto").service.max_sessions is None
    assert _config("--bundle", bundle, "--max-sessions", 3).service.max_sessions == 3
    with pytest.raises(ConfigError, match="max_sessions"):
        _config("--bundle", bundle, "--max-sessions", 0)


def test_a_zone_for_all_who_do_not_ask_otherwise(bundle: Path) -> None:
    assert not _config("--bundle", bundle).service.session.has_zone
    session = _config("--bundle", bundle, "--zone-radius", 0.4, "--no-contact").service.session
    assert (session.zone_radius, session.allow_contact) == (0.4, False)
    with pytest.raises(ConfigError, match="zone_radius"):
        _config("--bundle", bundle, "--zone-radius", -1)


def test_the_backend_is_the_best_of_the_machine_unless_named(bundle: Path) -> None:
    compute = _config("--bundle", bundle).compute
    assert (compute.backend, compute.device) == ("auto", 0)
    compute = _config("--bundle", bundle, "--backend", "torch", "--device", 1).compute
    assert (compute.backend, compute.device) == ("torch", 1)


def test_no_steps_are_refused_by_name(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="--steps"):
        _config("--bundle", bundle, "--steps", 0)


# ----------------------------------------------------------------------------- several engines
OF_THE_FRONT = {
    "quiet",
    *("host", "port", "http_port", "no_http", "stop_on_eof", "devices", "engines"),
    *("token_file", "tls_cert", "tls_key", "tls_client_ca", "allow_origin", "insecure"),
}
"""Flags that no engine gets as they were given."""
DIVIDED = {"threads", "record", "record_limit"}
"""Flags whose values the engines share."""
GIVEN = {"backend": "torch", "precision": "f32"}
"""Values of flags that do not take just any."""


def _engines(*flags: object) -> list[argparse.Namespace]:
    """What each engine's command line says, read back."""
    args = _args(*flags)
    return [_args(*command[4:]) for command in engine_commands(args, args.resume_key)]


def test_each_device_has_an_engine_on_a_free_port_that_ends_with_its_input() -> None:
    engines = _engines("--devices", "0,2", "--port", 50051, "--host", "0.0.0.0")
    assert [engine.device for engine in engines] == [0, 2]
    assert {(engine.host, engine.port) for engine in engines} == {("127.0.0.1", 0)}
    assert all(engine.stop_on_eof and engine.devices is None for engine in engines)


def test_a_device_may_have_several_engines() -> None:
    """One interpreter is busy long before a GPU is."""
    assert [engine.device for engine in _engines("--devices", "0,0,1")] == [0, 0, 1]


def test_engines_on_the_cpu_share_its_cores_unless_told_otherwise() -> None:
    assert [engine.threads for engine in _engines("--engines", 64)] == [1] * 64
    assert [engine.threads for engine in _engines("--engines", 2, "--threads", 3)] == [3, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="this system gives a process all its cores")
def test_engines_share_the_cores_that_the_process_was_given() -> None:
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(given)])
    try:
        assert [engine.threads for engine in _engines("--engines", 2)] == [1, 1]
        assert [engine.threads for engine in _engines("--engines", 1)] == [1]
    finally:
        os.sched_setaffinity(0, given)


def test_every_other_flag_reaches_every_engine() -> None:
    names = vars(_args()).keys() - OF_THE_FRONT - DIVIDED - {"run"}
    defaults = vars(_args())
    given: list[object] = []
    expected: dict[str, object] = {}
    for name in names:
        flag, default = f"--{name.replace('_', '-')}", defaults[name]
        expected[name] = GIVEN.get(name, 7)
        given += [flag] if default is False else [flag, expected[name]]
    for engine in _engines("--engines", 2, *given):
        for name, value in expected.items():
            found = getattr(engine, name)
            found = found[0] if isinstance(found, list) else found
            assert found is True or str(found) in (str(value), f"{value}.0"), name


def test_engines_record_into_folders_of_their_own_within_one_limit() -> None:
    engines = _engines("--engines", 2, "--record", "tapes", "--record-limit", 100)
    assert [engine.record for engine in engines] == [Path("tapes/engine0"), Path("tapes/engine1")]
    assert [engine.record_limit for engine in engines] == [50, 50]


def test_without_a_key_all_engines_share_a_random_one_that_nobody_else_can_read() -> None:
    with shared_key([]) as (key,), shared_key([]) as (other,):
        assert len(key.read_bytes()) >= 32
        assert key.read_bytes() != other.read_bytes()
        assert key.stat().st_mode & 0o077 == 0
    assert not key.exists()
    with shared_key([Path("mine")]) as given:
        assert given == [Path("mine")]


@pytest.mark.parametrize("devices", ["", "0,", "one", "-1"])
def test_devices_that_make_no_sense_are_refused(devices: str) -> None:
    with pytest.raises(ConfigError, match="--devices is"):
        _engines(f"--devices={devices}")


@pytest.mark.parametrize("engines", [0, -1, 65])
def test_a_number_of_engines_out_of_range_is_refused(engines: int) -> None:
    with pytest.raises(ConfigError, match="--engines is"):
        _engines("--engines", engines)

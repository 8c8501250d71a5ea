"""What a server of one's own warned of is not lost with its log."""

from __future__ import annotations

import tempfile

import pytest

from engine.commands.server_process import pass_on_warnings


def test_warnings_of_the_log_are_passed_on_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tempfile.TemporaryFile("w+") as log:
        log.write(
            "contrapose: graphs ready\n"
            "2026-12-01 17:00:00,123 INFO engine.serving: opened\n"
            '2026-12-01 17:00:01,123 WARNING engine.serving.generating: "pie" is far\n'
        )
        pass_on_warnings(log)
    assert capsys.readouterr().err == 'contrapose: "pie" is far\n'

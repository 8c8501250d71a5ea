"""What a mistyped command line is told."""

from __future__ import annotations

import pytest

from engine.cli import main


def test_nothing_but_the_name_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serv"], "invalid choice: 'serv'; did you mean serve?"),
        (["bundle", "inof"], "invalid choice: 'inof'; did you mean info?"),
        (["pose", "--txt", "hug", "-o", "a.npz"], "; did you mean --text?"),
        (["serve", "--zone-radus", "1"], "did you mean --zone-radius?"),
    ],
)
def test_a_mistyped_word_is_told_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err

"""Words far from all that a bundle knows are told apart from those that are not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from engine.backends import open_backend
from engine.bundle import KINDS_FILE, STARTER, load_bundle
from engine.errors import BundleError
from engine.sampling.kinds import Kinds, load_kinds, save_kinds
from engine.sampling.text import encode_with, load_text

KNOWN = """\
they shake hands; two people hug; hug each other; they walk side by side; shaking hands; wave
goodbye; give me five; one bows to the other; they dance; a friendly embrace; one person follows
the other; pat on the back; push him away; arm in arm; tug of war; they mirror each other;
standing still; idle; one hands a cup to the other; boxing; he whispers in her ear; helps the
other up from the floor; spin under the arm; walk around each other; they greet; high-five; they
meet and shake; the player waves; a hug; take my hand and lead me; look over there; catch the
falling person; two friends say hello; they embrace tenderly; walk past each other"""
ALIEN = """\
a recipe for apple pie; the stock market fell by three percent; my cat is sleeping on the sofa;
quantum field theory; how do I install Python; it is raining in Paris; the capital of France; a
red sports car; SELECT * FROM users; the price of oil; photosynthesis in green leaves; an old
oak tree in autumn; please reset my password; a train timetable; the moon orbits the earth;
chocolate ice cream; a symphony in D minor; buy cheap tickets online; volcano eruption in
Iceland; what time is it; a bowl of soup; the battle of Waterloo; differential equations; a
broken washing machine; blue whales migrate; asdf qwer zxcv; lorem ipsum dolor sit amet; the
president signed a bill; a spreadsheet with totals; two dogs chase a cat; a horse gallops across
the field; a car crashes into a wall; a bird flies over the sea; somebody plays the piano; a man
cooks pasta; a woman reads a book; a robot vacuum cleans the floor; a plane takes off; football
results; the weather tomorrow"""


def small() -> Kinds:
    return Kinds(
        names=("hug", "wave"),
        texts=("a hug", "they hug", "a wave"),
        kind_of=np.array([0, 0, 1]),
        vectors=np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]], np.float32),
    )


def split(sentences: str) -> list[str]:
    return re.split(r";\s+", " ".join(sentences.split()))


@pytest.mark.slow
def test_the_starter_tells_what_it_knows_from_what_it_does_not() -> None:
    bundle = load_bundle(STARTER)
    kinds = load_kinds(bundle.file(KINDS_FILE))
    graph = open_backend(precision="f32", cache_dir=None).load(bundle.file("text/encoder.onnx"))
    encoder = load_text(bundle, graph)
    told = {
        name: np.mean(
            [
                bool(kinds.notice(text, vector))
                for text, vector in zip(texts, encode_with(encoder, texts), strict=True)
            ]
        )
        for name, texts in {"known": split(KNOWN), "alien": split(ALIEN)}.items()
    }
    assert len(kinds.names) == 26
    assert (len(split(KNOWN)), len(split(ALIEN))) == (35, 40)
    assert told["known"] <= 0.03
    assert told["alien"] >= 0.95


def test_a_notice_names_the_words_and_what_is_nearest() -> None:
    kinds = small()
    assert kinds.notice("embrace", np.array([3.0, 1.0, 0.0])) == ""
    told = kinds.notice("apple pie " * 20, np.array([0.1, 0.1, -1.0]))
    assert told.startswith('"apple pie apple pie')
    assert 'nearest is "they hug"' in told
    assert len(told) < 200
    assert kinds.notice("", np.zeros(3)) == ""


def test_kinds_come_back_from_their_file(tmp_path: Path) -> None:
    save_kinds(tmp_path / "kinds.npz", small())
    back = load_kinds(tmp_path / "kinds.npz")
    assert (back.names, back.texts) == (small().names, small().texts)
    assert back.wordings(0) == ["a hug", "they hug"]
    assert back.plainest[0] == "a hug"
    np.testing.assert_allclose(back.vectors, small().vectors, atol=0.01)


@pytest.mark.parametrize(
    "damage", ["no zip", "a kind too many", "a kind too few", "a text too few"]
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "kinds.npz"
    save_kinds(path, small())
    if damage == "no zip":
        path.write_bytes(b"PK\3\4")
    else:
        with np.load(path) as held:
            arrays = dict(held)
        changed = {
            "a kind too many": {"names": np.append(arrays["names"], "nameless")},
            "a kind too few": {"names": arrays["names"][:-1]},
            "a text too few": {"texts": arrays["texts"][:-1]},
        }[damage]
        np.savez(path, **{**arrays, **changed})
    with pytest.raises(BundleError, match=r"kinds\.npz: .*export again"):
        load_kinds(path)

"""Frozen players before real sessions: what the layers answer, and that scores tell it apart.

The windows stand still here, so that all that moves comes from the layers over the network.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.body.arms import palms_of
from engine.body.vectors import lengths
from engine.bundle import INTENT_FILE, STARTER
from engine.errors import BundleError, InputError
from engine.motion.answers import ANSWERED, PUSH
from engine.motion.intent import FEATURES, KINDS, load_intent
from engine.session.config import Respond, SessionConfig
from engine.testing import still_windows
from trainer.evaluation.live import players
from trainer.evaluation.live.episode import Episode, standing_still
from trainer.evaluation.live.goals import GOALS, goal_table
from trainer.evaluation.live.hour import BLOCKS, hour, parts_of
from trainer.evaluation.live.playing import Played, as_played, play
from trainer.evaluation.live.rows import PARTNER, TRUTH, row_of
from trainer.evaluation.live.run import BY_RULE, LiveSettings, builds_of, full_batches, truth_of
from trainer.evaluation.live.scoring import Scores, scored

INTENT = load_intent(STARTER / INTENT_FILE)
BARE = SessionConfig()


def played(episode: Episode, config: SessionConfig = BY_RULE) -> Played:
    found: list[Played] = []
    play(
        [episode],
        {PARTNER: config},
        still_windows,
        intent=INTENT,
        on_played=lambda _, one: found.append(one),
    )
    return found[0]


def scores(episode: Episode, config: SessionConfig = BY_RULE) -> Scores:
    return scored(played(episode, config), truth_of(episode))


@pytest.mark.parametrize("kind", ["right_hand", "left_hand", "both_hands", "high_five", "wave"])
def test_what_is_offered_is_taken_and_let_go(kind: str) -> None:
    found = scores(players.patient(kind, 7))
    assert found["meets"] == 1
    assert found["raised_before"] == 0
    assert found.get("down_after_s", 0) < 2.5


@pytest.mark.parametrize("seed", [500, 501, 502])
def test_who_is_pushed_gives_way_and_stands_again(seed: int) -> None:
    episode = players.stopped("push", 3000 + seed)
    assert episode.begins is not None
    shown, still = played(episode), standing_still(episode).transl
    way = lengths((shown.pose.transl - still)[:, [0, 2]])
    assert way[: episode.begins - 3].max() < 0.1
    assert way[episode.begins + 8] > 0.1
    found = scored(shown, truth_of(episode))
    assert found["overlap_frozen_cm"] < 3
    assert found["tilted"] < 0.05


def test_nobody_is_asked_about_a_push_but_it_can_be_left_out() -> None:
    episode = players.stopped("push", 3501)
    asks, kinds = replace(BY_RULE, respond=Respond.ASK), tuple(k for k in ANSWERED if k != PUSH)
    np.testing.assert_array_equal(played(episode, asks).pose.transl, played(episode).pose.transl)
    left_out = replace(BY_RULE, kinds=kinds)
    assert not np.array_equal(played(episode, left_out).pose.transl, played(episode).pose.transl)


def test_palms_that_are_both_held_up_are_clapped_and_not_hugged() -> None:
    episode = players.stopped("high_five", 2501)
    partner = played(episode)
    palms = [
        palms_of(*pose[-1].in_world(rest), rest)[0]
        for pose, rest in zip((episode.pose, partner.pose), episode.rest_joints, strict=True)
    ]
    assert lengths(palms[0] - palms[1][::-1]).max() < 0.13
    assert scored(partner)["overlap_frozen_cm"] < 4


def test_without_layers_an_offer_is_left_hanging() -> None:
    assert scores(players.patient("right_hand", 7), BARE)["meets"] == 0


def test_a_partner_who_may_not_touch_takes_no_hand_but_waves() -> None:
    apart = replace(BY_RULE, allow_contact=False)
    assert scores(players.patient("right_hand", 7), apart)["meets"] == 0
    assert scores(players.patient("wave", 7), apart)["meets"] == 1


def test_a_walker_is_followed_on_feet_that_do_not_slide() -> None:
    episode = players.walking("away", 3)
    found = scores(episode)
    assert found["follows"] == 1
    assert found["skating_walking_cm_s"] < 2
    assert scored(as_played(episode, standing_still(episode)))["follows"] == 0


def test_the_same_player_and_seed_are_answered_by_the_same_bits() -> None:
    first, second = (played(players.patient("left_hand", 5)) for _ in range(2))
    np.testing.assert_array_equal(first.pose.rotmats, second.pose.rotmats)
    np.testing.assert_array_equal(first.pose.transl, second.pose.transl)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_is_pushed_in_the_middle_of_a_scene_gives_way_as_the_truth_does(seed: int) -> None:
    episode = players.pushing("push", seed)
    assert scores(episode)["gives_way"] == 1
    assert scored(as_played(episode, episode.truth))["gives_way"] == 1
    assert scored(as_played(episode, standing_still(episode)))["gives_way"] == 0


@pytest.mark.parametrize("kind", ["right_hand", "bow"])
def test_the_truth_meets_what_a_partner_who_never_moves_misses(kind: str) -> None:
    episode = players.patient(kind, 2)
    assert episode.truth is not None
    best = scored(as_played(episode, episode.truth), truth_of(episode))
    worst = scored(as_played(episode, standing_still(episode)), truth_of(episode))
    assert (best["meets"], worst["meets"]) == (1, 0)


def test_a_goal_is_judged_by_the_partner_alone() -> None:
    kind = "patient", "right_hand"
    rows = {PARTNER: row_of([(kind, {"meets": 1.0})]), TRUTH: row_of([(kind, {"meets": 0.0})])}
    table = goal_table(rows, PARTNER)
    assert list(table) == [GOALS[0].name]
    assert table[GOALS[0].name]["met"] is True
    assert goal_table(rows, TRUTH)[GOALS[0].name]["met"] is False


def test_every_group_makes_episodes_and_another_is_refused() -> None:
    settings = LiveSettings(bundle=Path("none"), players=1, idle_players=1)
    for group in ("hour", *players.GROUPS, "real"):
        assert builds_of(replace(settings, groups=(group,)))
    assert len(builds_of(settings)) == 1 + sum(len(kinds) for kinds, _ in players.GROUPS.values())
    with pytest.raises(InputError, match="there is no juggling"):
        builds_of(replace(settings, groups=("juggling",)))


@pytest.mark.parametrize("buckets", [(1, 2, 4, 8, 16), (4, 16)])
def test_batches_are_full_but_for_what_is_left(buckets: tuple[int, ...]) -> None:
    for count in range(1, 70):
        sizes = full_batches(count, buckets)
        assert sum(sizes) == count
        assert set(sizes[:-1]) <= set(buckets)
        assert sizes[-1] <= buckets[0] or sizes[-1] in buckets
    assert full_batches(29, (1, 2, 4, 8, 16)) == [16, 8, 4, 1]


def test_an_hour_is_one_person_who_does_the_same_each_ten_minutes() -> None:
    episode = hour(3, 120.0)
    steps = np.linalg.norm(np.diff(episode.pose.transl, axis=0), axis=-1)
    assert steps.max() < 0.2
    parts = [part for _, part in episode.parts]
    assert sum(part.frames for part in parts) == episode.frames
    assert {part.betas.tobytes() for part in parts} == {episode.betas.tobytes()}
    each = len(parts) // BLOCKS
    assert [part.kind for part in parts] == BLOCKS * [part.kind for part in parts[:each]]


def test_an_hour_is_scored_part_by_part_and_named_by_its_minutes() -> None:
    found = [(kind, scored(part)) for kind, part in parts_of(played(hour(3, 120.0)))]
    assert {kind for kind, _ in found} == {
        ("hour", f"minutes {each / 3:g} to {(each + 1) / 3:g}") for each in range(BLOCKS)
    }
    met = [scores["meets"] for _, scores in found if "meets" in scores]
    assert len(met) == BLOCKS
    assert np.mean(met) == 1


def test_an_episode_follows_from_its_seed() -> None:
    make = partial(players.patient, "right_hand")
    first, again, other = make(4), make(4), make(5)
    np.testing.assert_array_equal(first.pose.rotmats, again.pose.rotmats)
    assert (
        first.pose.rotmats.shape != other.pose.rotmats.shape
        or (first.pose.rotmats != other.pose.rotmats).any()
    )


def test_an_intent_network_gives_probabilities_and_a_broken_file_is_named(tmp_path: Path) -> None:
    found = INTENT(np.zeros((3, FEATURES), np.float32))
    assert found.shape == (3, len(KINDS))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    broken = tmp_path / "net.npz"
    broken.write_bytes(b"no archive")
    with pytest.raises(BundleError, match=r"net\.npz: holds no intent network"):
        load_intent(broken)

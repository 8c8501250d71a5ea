"""`contrapose eval-live`: plays frozen players to a bundle's sessions and scores its partner.

Puts together episodes, sessions, scores and goals, in a few processes; the reports of all
evaluations are written by `evaluation/report.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.backends import Precision, open_backend
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import load_body
from engine.bundle import Bundle, load_bundle
from engine.errors import InputError
from engine.formats.render import contact_sheet
from engine.motion.hands import with_hands
from engine.motion.motion import Motion
from engine.sampling.acts import act_of, acts_of
from engine.sampling.loaded import intent_of
from engine.sampling.models import Models, encode_text, load_models
from engine.sampling.sampler import sample_windows
from engine.session.config import SessionConfig
from trainer.choreography.base_motion import load_recordings
from trainer.evaluation.live.baselines import hand_held_out
from trainer.evaluation.live.episode import Episode, standing_still
from trainer.evaluation.live.goals import Kind, goal_table
from trainer.evaluation.live.hour import HOUR_SECONDS, hour, parts_of
from trainer.evaluation.live.players import GROUPS, episodes_of, idle, recorded
from trainer.evaluation.live.playing import EncodeWords, Played, as_played, play
from trainer.evaluation.live.scoring import Person, Scores, scored
from trainer.evaluation.metrics.distributions import estimated
from trainer.evaluation.report import Cell, Report, Table

logger = logging.getLogger(__name__)

PARTNER, BARE, TRUTH, STILL, HELD = (
    "partner",
    "without layers",
    "truth",
    "never moves",
    "hand held out",
)
BY_RULE = SessionConfig(guard=True, company=True, responses=True)
ROWS = {PARTNER: BY_RULE, BARE: SessionConfig()}
"""Partners of the network: as a server plays it, and alone."""
SHEETS_OF_KIND = 2
QUICK = 2
QUICK_IDLE_S, QUICK_HOUR_S = 60.0, 240.0
Build = Callable[[], Episode]
Found = dict[Kind, list[Scores]]


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What is played.

    players   of each kind
    hours     of mixed play, by so many people
    groups    that are played; empty: all
    real      folders of recordings, for the group "real"
    sheets    folder for contact sheets; None: none
    """

    bundle: Path
    players: int = 20
    seed: int = 0
    idle_s: float = 600.0
    idle_players: int = 20
    hours: int = 2
    hour_s: float = HOUR_SECONDS
    groups: tuple[str, ...] = ()
    real: tuple[Path, ...] = ()
    sheets: Path | None = None
    workers: int = 2
    steps: int | None = None
    precision: Precision = "auto"


def quick(settings: LiveSettings) -> LiveSettings:
    """A minute's worth of it: enough to see that it runs, not what it is worth."""
    return replace(
        settings,
        players=QUICK,
        idle_players=QUICK,
        idle_s=QUICK_IDLE_S,
        hours=1,
        hour_s=QUICK_HOUR_S,
    )


def builds_of(settings: LiveSettings) -> list[Build]:
    """How to make each episode, longest first, so that no process ends long after the others."""
    known = ("hour", *GROUPS, "real")
    unknown = set(settings.groups) - set(known)
    if unknown:
        raise InputError(
            f"--groups: there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}",
            field="groups",
        )
    groups = settings.groups or known
    builds: list[Build] = []
    if "hour" in groups:
        builds += [partial(hour, settings.seed + i, settings.hour_s) for i in range(settings.hours)]
    if "idle" in groups:
        builds += [
            partial(idle, "made", settings.seed + i, settings.idle_s)
            for i in range(settings.idle_players)
        ]
    if "real" in groups and settings.real:
        takes = load_recordings(settings.real).takes
        builds += [
            partial(recorded, take, settings.seed + i, settings.idle_s if take.life else None)
            for i, take in enumerate(takes)
        ]
    for group in GROUPS:
        if group in groups and group != "idle":
            builds += episodes_of(group, settings.players, settings.seed)
    return builds


# ------------------------------------------------------------------------------------ one process
def truth_of(episode: Episode) -> Person | None:
    if episode.truth is None:
        return None
    rotmats, transl = episode.truth
    return Person(
        rotmats=rotmats, transl=transl, rest=episode.rest_joints[1], betas=episode.betas[1]
    )


def play_share(
    builds: Sequence[Build], config: SessionConfig, settings: LiveSettings, label: str
) -> list[tuple[Kind, Scores]]:
    """Play a share of the episodes to sessions and score them. In a process of its own."""
    bundle = load_bundle(settings.bundle)
    models = load_models(bundle, open_backend(precision=settings.precision, threads=1))
    animator = bundle.manifest.animator
    found: list[tuple[Kind, Scores]] = []
    drawn: dict[Kind, int] = {}

    def on_played(played: Played) -> None:
        episode = played.episode
        kind = episode.group, episode.kind
        found.extend(
            (named, scored(part, truth_of(part.episode))) for named, part in parts_of(played)
        )
        if settings.sheets is not None and drawn.get(kind, 0) < SHEETS_OF_KIND:
            drawn[kind] = drawn.get(kind, 0) + 1
            draw(played, settings.sheets / f"{label}-{episode.name.replace('/', '-')}.png")

    words = _encoder(bundle, models) if models.animator.text_width else None
    play(
        builds,
        replace(
            config,
            steps=settings.steps or animator.steps_default,
            history_frames=animator.history_frames,
        ),
        lambda requests: sample_windows(models, requests),
        encode=words,
        intent=intent_of(bundle),
        on_played=on_played,
    )
    return found


def _encoder(bundle: Bundle, models: Models) -> EncodeWords:
    known: dict[str, tuple[Array, str | None]] = {}
    acts = acts_of(bundle, models)

    def encode(words: str) -> tuple[Array, str | None]:
        if words not in known:
            text = encode_text(models, [words])[0]
            known[words] = text, act_of(acts, text)
        return known[words]

    return encode


def draw(played: Played, path: Path) -> None:
    """A contact sheet of both people."""
    episode = played.episode
    rotmats = np.stack([episode.rotmats, played.rotmats])
    motion = Motion(
        quats_xyzw=quat_from_rotmat(rotmats).astype(np.float32),
        transl=np.stack([episode.transl, played.transl]).astype(np.float32),
        betas=episode.betas,
    )
    motion = with_hands(motion, episode.rest_joints)
    sheet = contact_sheet(
        motion, load_body(), columns=10, rows=2, tile=(200, 220), caption=episode.name, floor=0.0
    )
    sheet.save(path)


def score_known(
    builds: Sequence[Build], settings: LiveSettings
) -> dict[str, list[tuple[Kind, Scores]]]:
    """Scores of the partners that no network drives. In a process of its own."""
    found: dict[str, list[tuple[Kind, Scores]]] = {TRUTH: [], STILL: [], HELD: []}
    for build in builds:
        episode = build()
        if episode.parts:
            continue
        truth, kind = truth_of(episode), (episode.group, episode.kind)
        motions = {STILL: standing_still(episode), HELD: hand_held_out(episode)}
        if episode.truth is not None:
            motions[TRUTH] = episode.truth
        for row, motion in motions.items():
            found[row].append((kind, scored(as_played(episode, motion), truth)))
    return found


# ------------------------------------------------------------------------------------ all of them
def live_scores(settings: LiveSettings) -> dict[str, Found]:
    """Scores by row, kind and episode: with the engine's layers, without, and without a network."""
    builds = builds_of(settings)
    shares = [builds[worker :: settings.workers] for worker in range(settings.workers)]
    rows: dict[str, Found] = {}
    with ProcessPoolExecutor(settings.workers, mp_context=get_context("spawn")) as pool:
        for label, config in ROWS.items():
            begun = time.monotonic()
            parts = pool.map(
                play_share,
                shares,
                *([value] * len(shares) for value in (config, settings, label)),
            )
            rows[label] = _gathered(found for part in parts for found in part)
            logger.info("%s: %.0f s", label, time.monotonic() - begun)
        known = list(pool.map(score_known, shares, [settings] * len(shares)))
    for row in (TRUTH, STILL, HELD):
        rows[row] = _gathered(found for part in known for found in part[row])
    return rows


def _gathered(found: Iterable[tuple[Kind, Scores]]) -> Found:
    rows: Found = {}
    for kind, scores in found:
        rows.setdefault(kind, []).append(scores)
    return rows


# ----------------------------------------------------------------------------------------- report
def live_report(rows: Mapping[str, Found], settings: LiveSettings, seconds: float) -> Report:
    """The goals, then every measure of every kind."""
    tables = [
        Table(
            title="Goals",
            rows=goal_table(rows, PARTNER),
            note="Means over episodes with 95 % intervals; what each measure means stands in "
            "docs/live_evaluation.md.",
        )
    ]
    for group in dict.fromkeys(group for group, _ in rows[PARTNER]):
        tables.append(Table(title=group, rows=_group_rows(rows, group)))
    return Report(
        title=f"The live partner of {settings.bundle.name}",
        about={
            "bundle": str(settings.bundle),
            "players of each kind": settings.players,
            "seed": settings.seed,
            "idle": f"{settings.idle_players} people for {settings.idle_s:g} s",
            "hour": f"{settings.hours} people for {settings.hour_s:g} s",
            "recordings": ", ".join(map(str, settings.real)) or "none",
            "episodes": sum(map(len, rows[PARTNER].values())),
            "seconds": round(seconds),
        },
        tables=tables,
    )


def _group_rows(rows: Mapping[str, Found], group: str) -> dict[str, dict[str, Cell]]:
    table: dict[str, dict[str, Cell]] = {}
    for kind in [kind for kind in rows[PARTNER] if kind[0] == group]:
        for row, found in rows.items():
            episodes = found.get(kind, [])
            names = dict.fromkeys(name for scores in episodes for name in scores)
            if names:
                table[f"{kind[1]}, {row}"] = {
                    name: estimated([s[name] for s in episodes if name in s]) for name in names
                }
    return table

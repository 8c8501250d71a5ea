"""`contrapose eval-live`: plays frozen players to a bundle's sessions and scores its partner.

Puts together episodes, sessions, scores and goals, in a few processes; the reports of all
evaluations are written by `evaluation/report.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.backends import Precision, open_backend
from engine.body.pose import stacked
from engine.body.rotations import quat_from_rotmat
from engine.body.shape import load_body
from engine.bundle import Bundle, load_bundle
from engine.commands.live_client import finished
from engine.commands.server_process import ServerAddress, own_server
from engine.errors import InputError
from engine.formats.render import contact_sheet
from engine.motion.hands import with_hands
from engine.motion.motion import Motion
from engine.progress import waiting
from engine.sampling.acts import act_of, acts_of
from engine.sampling.loaded import intent_of
from engine.sampling.models import Models, encode_text, load_models
from engine.sampling.request import WindowRequest
from engine.sampling.sampler import sample_windows
from engine.session.config import SessionConfig
from trainer.evaluation.live.baselines import KNOWN
from trainer.evaluation.live.episode import Episode
from trainer.evaluation.live.goals import goal_table
from trainer.evaluation.live.hour import HOUR_SECONDS, hour, parts_of
from trainer.evaluation.live.players import GROUPS, episodes_of, idle, recorded
from trainer.evaluation.live.playing import EncodeWords, Played, as_played, play
from trainer.evaluation.live.rows import (
    BARE,
    HELD,
    PARTNER,
    STILL,
    TRUTH,
    Asked,
    Kind,
    Row,
    row_of,
    stored_rows,
)
from trainer.evaluation.live.scoring import Person, Scores, scored
from trainer.evaluation.live.takes import WALK, shipped_walk, takes_in
from trainer.evaluation.live.wire import play_on_wire
from trainer.evaluation.report import Cell, Report, Table

BY_RULE = SessionConfig(guard=True, company=True, responses=True)
CONFIGS = {PARTNER: BY_RULE, BARE: SessionConfig()}
"""Partners of the network: as a server plays it, and alone."""
FLAGS: dict[str, tuple[str, ...]] = {PARTNER: (), BARE: ("--no-guard",)}
"""The same, of a server."""
SHEETS_OF_KIND = 2
QUICK = 2
QUICK_IDLE_S, QUICK_HOUR_S = 60.0, 240.0
Build = Callable[[], Episode]
Found = dict[str, list[tuple[Kind, Scores]]]
"""By the names of rows."""


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What is played.

    players   of each kind
    hours     of mixed play, by so many people
    groups    that are played; empty: all but the hour
    real      folders of more recordings, for the group "real"
    rows      whom they are played to
    on_wire   whether through a server, in real time
    sheets    folder for contact sheets; None: none
    """

    bundle: Path
    players: int = 20
    seed: int = 0
    idle_s: float = 600.0
    idle_players: int = 8
    hours: int = 2
    hour_s: float = HOUR_SECONDS
    groups: tuple[str, ...] = ()
    real: tuple[Path, ...] = ()
    rows: tuple[str, ...] = (PARTNER, TRUTH)
    on_wire: bool = False
    sheets: Path | None = None
    workers: int = 2
    steps: int | None = None
    precision: Precision = "auto"


def quick(settings: LiveSettings) -> LiveSettings:
    """A minute of it: enough to see that it runs, not what it is worth."""
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
    groups = settings.groups or known[1:]
    builds: list[Build] = []
    if "hour" in groups:
        builds += [partial(hour, settings.seed + i, settings.hour_s) for i in range(settings.hours)]
    if "idle" in groups:
        builds += [
            partial(idle, "made", settings.seed + i, settings.idle_s)
            for i in range(settings.idle_players)
        ]
    if "real" in groups:
        walk = shipped_walk()
        builds += [partial(recorded, walk, settings.seed + i) for i in range(settings.players)]
        builds += [
            partial(recorded, take, settings.seed + i, settings.idle_s if take.life else None)
            for i, take in enumerate(takes_in(settings.real))
        ]
    for group in GROUPS:
        if group in groups and group != "idle":
            builds += episodes_of(group, settings.players, settings.seed)
    return builds


# ------------------------------------------------------------------------------------ one process
def truth_of(episode: Episode) -> Person | None:
    if episode.truth is None:
        return None
    return Person(pose=episode.truth, rest=episode.rest_joints[1], betas=episode.betas[1])


class _Scorer:
    """Scores of what has been played, by row, and pictures of some of it."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._drawn: Counter[tuple[str, Kind]] = Counter()
        self.found: Found = {row: [] for row in settings.rows}

    def take(self, row: str, played: Played) -> None:
        self.found[row].extend(
            (kind, scored(part, truth_of(part.episode))) for kind, part in parts_of(played)
        )
        sheets, name = self._settings.sheets, played.episode.name
        drawn = row, (played.episode.group, played.episode.kind)
        if sheets is not None and row in CONFIGS and self._drawn[drawn] < SHEETS_OF_KIND:
            self._drawn[drawn] += 1
            draw(played, sheets / f"{row} {name}.png".replace("/", "-").replace(" ", "-"))

    def begun(self, builds: Sequence[Build]) -> Iterator[Episode]:
        """Each episode, when the partners without a network have played it."""
        for build in builds:
            episode = build()
            for row in self._settings.rows:
                pose = KNOWN[row](episode) if row in KNOWN else None
                if pose is not None:
                    self.take(row, as_played(episode, pose))
            yield episode


def play_share(builds: Sequence[Build], settings: LiveSettings) -> Found:
    """Play a share of the episodes to sessions and score them. In a process of its own."""
    bundle = load_bundle(settings.bundle)
    models = load_models(bundle, open_backend(precision=settings.precision, threads=1))
    animator, scorer = bundle.manifest.animator, _Scorer(settings)
    steps = settings.steps or animator.steps_default
    play(
        scorer.begun(builds),
        {
            row: replace(CONFIGS[row], steps=steps, history_frames=animator.history_frames)
            for row in settings.rows
            if row in CONFIGS
        },
        lambda requests: _sampled(models, requests),
        encode=_encoder(bundle, models) if models.animator.text_width else None,
        intent=intent_of(bundle),
        on_played=scorer.take,
    )
    return scorer.found


def _sampled(models: Models, requests: list[WindowRequest]) -> Array:
    """In calls without padding, which costs as much as windows do."""
    ends = np.cumsum(full_batches(len(requests), models.animator.buckets))
    parts = zip([0, *ends], ends, strict=False)
    return np.concatenate([sample_windows(models, requests[a:b]) for a, b in parts])


def full_batches(count: int, buckets: Sequence[int]) -> list[int]:
    """Sizes of which each fills a bucket, but perhaps the last; buckets rise."""
    sizes: list[int] = []
    for bucket in reversed(buckets):
        whole, count = divmod(count, bucket)
        sizes += [bucket] * whole
    return [*sizes, count] if count else sizes


def play_to_servers(builds: Sequence[Build], settings: LiveSettings) -> Found:
    """Play all episodes to a server of our own for each row of the network, and score them when
    they are over: what we compute meanwhile would make frames late."""
    scorer = _Scorer(settings)
    episodes = list(scorer.begun(builds))
    for row in settings.rows:
        if row in CONFIGS:
            flags = ("--bundle", str(settings.bundle), "--precision", settings.precision)
            with own_server([*flags, *FLAGS[row]]) as server:
                address = ServerAddress(address=server.address)
                with waiting(f"playing {len(episodes)} episodes to {row}"):
                    shown = finished(play_on_wire(address, episodes, settings.steps))
            for played in shown:
                scorer.take(row, played)
    return scorer.found


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
    both = stacked([episode.pose, played.pose])
    motion = Motion(
        quats_xyzw=quat_from_rotmat(both.rotmats).astype(np.float32),
        transl=both.transl.astype(np.float32),
        betas=episode.betas,
    )
    motion = with_hands(motion, episode.rest_joints)
    sheet = contact_sheet(
        motion, load_body(), columns=10, rows=2, tile=(200, 220), caption=episode.name, floor=0.0
    )
    sheet.save(path)


# ------------------------------------------------------------------------------------ all of them
def live_rows(settings: LiveSettings) -> dict[str, Row]:
    """What the episodes come to with each partner of `settings.rows`."""
    builds = builds_of(settings)
    if settings.on_wire:
        parts = [play_to_servers(builds, settings)]
    else:
        shares = [builds[worker :: settings.workers] for worker in range(settings.workers)]
        context = get_context("spawn")
        with (
            waiting(f"playing {len(builds)} episodes"),
            ProcessPoolExecutor(settings.workers, mp_context=context) as pool,
        ):
            parts = list(pool.map(play_share, shares, [settings] * len(shares)))
    return {row: row_of(scores for part in parts for scores in part[row]) for row in settings.rows}


def asked_of(settings: LiveSettings) -> Asked:
    return Asked(
        seed=settings.seed,
        players=settings.players,
        idle_players=settings.idle_players,
        idle_s=settings.idle_s,
    )


# ----------------------------------------------------------------------------------------- report
def live_report(made: Mapping[str, Row], settings: LiveSettings, seconds: float) -> Report:
    """The goals, then every measure of every kind; beside the rows those that are stored."""
    rows = {**stored_rows(asked_of(settings)), **made}
    rows = {row: rows[row] for row in (PARTNER, BARE, TRUTH, STILL, HELD) if row in rows}
    played = sorted(rows[PARTNER])
    rows = {
        row: {kind: found[kind] for kind in played if kind in found} for row, found in rows.items()
    }
    left_out = [row for row in (STILL, HELD) if row not in rows]
    about = {
        "bundle": str(settings.bundle),
        "players of each kind": settings.players,
        "seed": settings.seed,
        "idle": f"{settings.idle_players} people for {settings.idle_s:g} s",
        "recordings": ", ".join([WALK.stem, *map(str, settings.real)]),
        "played": "through a server" if settings.on_wire else "on a virtual clock",
        "seconds": round(seconds),
    }
    if left_out:
        about["left out"] = (
            f"{', '.join(left_out)}: stored for other settings than these; --rows all makes them"
        )
    return Report(
        title=f"The live partner of {settings.bundle.name}",
        about=about,
        tables=[
            Table(
                title="Goals",
                rows=goal_table(rows, PARTNER),
                note="Means over episodes with 95 % intervals; what each measure means stands in "
                "docs/live_evaluation.md.",
            ),
            *(
                Table(title=group, rows=_group_rows(rows, group))
                for group in dict.fromkeys(group for group, _ in played)
            ),
        ],
    )


def _group_rows(rows: Mapping[str, Row], group: str) -> dict[str, dict[str, Cell]]:
    return {
        f"{kind[1]}, {row}": {name: tally.estimate for name, tally in found[kind].items()}
        for kind in rows[PARTNER]
        if kind[0] == group
        for row, found in rows.items()
        if kind in found
    }

"""Windows of a subject beside the truth: every measure, over repeats, from the anchor or a history.

Knows clips, the evaluator, the measures and a function that samples; knows neither files nor how a
report looks. The truth's own figures stand in the first row of every table, because a measure
means nothing without them: half of the test clips are the reference, the other half give the
truth's row and what the subject is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from engine.arrays import Array, IntArray
from engine.body.kinematics import forward_kinematics
from engine.body.shape import Body, load_body
from engine.body.skeleton import JOINT_COUNT
from engine.body.skins import Skins
from engine.errors import ConfigError, InputError
from engine.motion.motion import WINDOW_FRAMES, pose_from_features
from engine.sampling.generation import SampleWindows
from trainer.data.shards import Clips
from trainer.data.windows import KnownSetConfig, WindowBatch
from trainer.evaluation.animated import animated
from trainer.evaluation.captions import Captions
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.evaluator.networks import EvaluatorConfig
from trainer.evaluation.evaluator.training import FROM_ANCHOR, window_sampler
from trainer.evaluation.metrics import distributions, joint_limits, penetration
from trainer.evaluation.metrics import joints as joint_metrics
from trainer.evaluation.metrics.distributions import NEIGHBOURS, Estimate, estimated
from trainer.models.losses import POINT_PARENTS, rest_points

TRUTH = "truth"
FROM_HISTORY = KnownSetConfig(anchor_only=0, history=1, player_known=0, ends=0, young=0)
CASES = {"anchor": FROM_ANCHOR, "history": FROM_HISTORY}
COLUMNS = (
    "fid",
    "precision",
    "recall",
    "diversity",
    "contact_ratio_pct",
    "penetration_cm",
    "foot_skating_cm_s",
    "jerk_m_s3",
    "known_frame_error_cm",
)
"""The measures that are shown where many rows are compared."""
QUICK_EVALUATOR = EvaluatorConfig(pool=64, steps=8, batch=32)
"""For `quick` settings: trained in a second, and as wrong as that."""
ACCEPTED = 1.5
"""How many times the truth's figure is still good enough."""

Rows = dict[str, dict[str, Estimate]]
"""{row: {measure: mean and interval}}; a row lacks what cannot be said of it."""
Encode = Callable[[Sequence[str]], Array]
"""Texts -> text vectors (n, width) as the animator reads them."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How much is measured. All but `steps` decide what a figure is worth, not what it means."""

    windows: int = 256
    steps: tuple[int, ...] = (4, 10)
    repeats: int = 5
    seed: int = 0
    with_raw: bool = False
    """Rows of the network alone too, before the engine's clean-up."""
    mesh_frames: int = 64
    """Frames of each repeat whose meshes are compared, for contact and penetration."""
    modes: tuple[int, int] = (10, 4)
    """Multimodality: numbers of anchors, and of windows of each."""
    history_frames: int = 10
    """Known frames that chained windows go on from."""
    chains: int = 8
    sessions: int = 16
    texts: int = 128
    """Captions that become pairs, and windows around them."""
    anchors: int = 20
    """Anchors of the acceptance table, for which the meshes of all frames are compared; 0: no such
    table."""
    body: Body = field(default_factory=load_body)
    """What betas mean."""

    def __post_init__(self) -> None:
        least = {"windows": NEIGHBOURS + 2, "repeats": 1, "mesh_frames": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, must be at least {low}", field=name
                )


def quick(settings: EvaluationSettings) -> EvaluationSettings:
    """As little as goes through everything: enough to see that it runs, not what it is worth."""
    return replace(
        settings,
        windows=NEIGHBOURS + 2,
        repeats=1,
        mesh_frames=2,
        modes=(2, 2),
        chains=1,
        sessions=1,
        texts=NEIGHBOURS + 2,
        anchors=0,
    )


# --------------------------------------------------------------------------------------- one draw
@dataclass(frozen=True, kw_only=True)
class Draw:
    """Real windows of one repeat: what is known of `batch` is what the subject is given.

    betas      (n, 2, 10) of the people in `batch`
    reference  real windows of other clips, to compare distributions with
    texts      (n,) a caption of each window of `batch`, as an index into `captions`; or none
    """

    batch: WindowBatch
    betas: Array
    reference: WindowBatch
    captions: Captions
    texts: IntArray
    seed: int

    @property
    def words(self) -> list[str]:
        return [self.captions.texts[text] for text in self.texts]


def draws(
    clips: Clips, captions: Captions, known_sets: KnownSetConfig, settings: EvaluationSettings
) -> list[Draw]:
    """One draw for each repeat, from the test split: the same for the same seed."""
    test = clips.subset("test")
    if len(test) < 4:
        raise InputError(f"{len(test)} clips are in the test split, at least 4 are needed")
    order = np.random.default_rng(0).permutation(test)
    samplers = [window_sampler(clips, half, known_sets) for half in np.array_split(order, 2)]
    seeds = np.random.SeedSequence(settings.seed).generate_state(settings.repeats)
    result = []
    for seed in seeds.tolist():
        rng = np.random.default_rng(seed)
        batch, reference = (sampler.draw(settings.windows, rng) for sampler in samplers)
        has_words = all(len(captions.of_clip[clip]) for clip in batch.clip)
        result.append(
            Draw(
                batch=batch,
                betas=clips.betas[batch.clip],
                reference=reference,
                captions=captions,
                texts=captions.draw(batch.clip, rng) if has_words else np.zeros(0, np.int64),
                seed=seed,
            )
        )
    return result


def anchor_draws(clips: Clips, settings: EvaluationSettings) -> list[Draw]:
    """Draws in which one pair is known and no words are."""
    nothing = np.zeros(0, np.int64)
    wordless = Captions(
        texts=(), vectors=np.zeros((0, 0), np.float32), of_clip=(nothing,) * len(clips)
    )
    return draws(clips, wordless, FROM_ANCHOR, settings)


def chosen_rows(batch: WindowBatch, rows: IntArray) -> WindowBatch:
    return WindowBatch(**{name: value[rows] for name, value in vars(batch).items()})


# ------------------------------------------------------------------------------- measures of a row
def window_measures(
    motion: Array, draw: Draw, settings: EvaluationSettings, evaluator: Evaluator
) -> dict[str, float]:
    """Every measure of windows (n, 2, 30, 135) that stand for those of `draw.batch`."""
    return (
        distribution_measures(motion, draw, evaluator)
        | mesh_measures(motion, draw.betas, draw.seed, settings)
        | motion_measures(motion, draw.batch)
    )


def distribution_measures(motion: Array, draw: Draw, evaluator: Evaluator) -> dict[str, float]:
    rng = np.random.default_rng(draw.seed)
    made = evaluator.windows(motion, draw.batch.rest_joints)
    real = evaluator.windows(draw.reference.motion, draw.reference.rest_joints)
    precision, recall = distributions.precision_recall(real, made)
    measures = {
        "fid": distributions.frechet_distance(real, made),
        "precision": precision,
        "recall": recall,
        "diversity": distributions.diversity(made, rng),
    }
    if len(draw.texts):
        matched = evaluator.matched_windows(motion, draw.batch.rest_joints)
        texts = evaluator.matched_texts(draw.captions.vectors[draw.texts])
        is_true = draw.captions.is_true(draw.batch.clip, draw.texts)
        ranks = distributions.r_precision(matched, texts, is_true, rng)
        measures |= {f"r_precision_{k}": r for k, r in zip(distributions.RANKS, ranks, strict=True)}
        measures["mm_distance"] = distributions.matched_distance(matched, texts)
    return measures


def mesh_measures(
    motion: Array, betas: Array, seed: int, settings: EvaluationSettings
) -> dict[str, float]:
    """Contact and penetration, on the same random frames of windows whatever the row."""
    count, _, frames, _ = motion.shape
    chosen = np.random.default_rng(seed).permutation(count * frames)[: settings.mesh_frames]
    row, frame = np.divmod(chosen, frames)
    gaps = penetration.pair_gaps(settings.body, motion[row, :, frame], betas[row])
    return {
        "contact_ratio_pct": penetration.contact_ratio(gaps),
        "penetration_cm": penetration.penetration(gaps),
    }


def motion_measures(motion: Array, batch: WindowBatch) -> dict[str, float]:
    """Measures of joints; the batch is the truth and says which frames are known."""
    points, truth = points_of(motion, batch.rest_joints), points_of(batch.motion, batch.rest_joints)
    joints, true_joints = points[..., :JOINT_COUNT, :], truth[..., :JOINT_COUNT, :]
    known = batch.known_mask[..., 0] > 0
    is_unknown = np.any(~known, axis=1)[:, :, None, None]
    return {
        "foot_skating_cm_s": joint_metrics.foot_skating(joints),
        "jerk_m_s3": joint_metrics.mean_jerk(joints),
        "top_speed_m_s": joint_metrics.top_speed(joints),
        "floor_error_cm": joint_metrics.floor_error(joints),
        "joint_limits_pct": joint_limits.violations(pose_from_features(motion).rotmats),
        "contact_gap_cm": joint_metrics.contact_gap(
            points, joint_metrics.touching(truth) & is_unknown
        ),
        "known_frame_error_cm": joint_metrics.frame_error(joints, true_joints, known),
        "unknown_frame_error_cm": joint_metrics.frame_error(joints, true_joints, ~known),
    }


def points_of(motion: Array, rest: Array) -> Array:
    """Joints and palms (batch, 2, frame, 24, 3) of windows (batch, 2, frame, 135)."""
    pose = pose_from_features(motion)
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (*motion.shape[:-1], 2, 3, 3))
    points = rest_points(torch.from_numpy(rest)).numpy()[:, :, None]
    turns = np.concatenate([pose.rotmats, still], axis=-3)
    return forward_kinematics(points, turns, pose.transl, POINT_PARENTS)[0]


def error_over_window(motion: Array, batch: WindowBatch) -> Array:
    """(30,) mean error of joints and palms, centimetres, at each distance from the anchor (frames);
    NaN where no window reaches that far."""
    gap = points_of(motion, batch.rest_joints) - points_of(batch.motion, batch.rest_joints)
    error = 100 * np.linalg.norm(gap, axis=-1).mean(axis=(1, 3))
    away = np.abs(np.arange(WINDOW_FRAMES) - batch.anchor_index[:, None])
    means = [error[away == d].mean() if (away == d).any() else np.nan for d in range(WINDOW_FRAMES)]
    return np.array(means)


# ------------------------------------------------------------------------------------ many repeats
def measure_case(
    sample: SampleWindows,
    drawn: Sequence[Draw],
    settings: EvaluationSettings,
    evaluator: Evaluator,
    encode: Encode | None = None,
) -> Rows:
    """The truth, then for each step count the finished windows, those told words, and the raw."""
    rows: dict[str, list[dict[str, float]]] = {}

    def add(label: str, motion: Array, draw: Draw, **more: float) -> None:
        measures = window_measures(motion, draw, settings, evaluator)
        rows.setdefault(label, []).append(measures | more)

    for draw in drawn:
        add(TRUTH, draw.batch.motion, draw)
        for steps in settings.steps:
            label = label_of(steps)
            finished, raw = animated_draw(sample, draw, settings, steps)
            spread = _spread_of_modes(sample, draw, steps, settings, evaluator)
            add(label, finished, draw, multimodality=spread)
            if encode is not None and len(draw.texts):
                text = encode(draw.words)
                told, _ = animated_draw(sample, draw, settings, steps, text)
                add(f"{label}, told words", told, draw)
            if settings.with_raw:
                add(f"{label}, raw", raw, draw)
    return {label: estimates(repeats) for label, repeats in rows.items()}


def animated_draw(
    sample: SampleWindows,
    draw: Draw,
    settings: EvaluationSettings,
    steps: int,
    text: Array | None = None,
) -> tuple[Array, Array]:
    """`animated` of what a draw says is known."""
    skins = Skins(body=settings.body, betas=draw.betas)
    return animated(sample, draw.batch, skins, steps, draw.seed, text)


def label_of(steps: int) -> str:
    return f"{steps} step{'s' if steps > 1 else ''}"


def estimates(repeats: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    return {name: estimated([measures[name] for measures in repeats]) for name in repeats[0]}


def _spread_of_modes(
    sample: SampleWindows,
    draw: Draw,
    steps: int,
    settings: EvaluationSettings,
    evaluator: Evaluator,
) -> float:
    """Multimodality of finished windows that share what is known and differ in noise."""
    conditions, each = settings.modes
    rows = np.repeat(np.arange(len(draw.batch.motion))[:conditions], each)
    batch = chosen_rows(draw.batch, rows)
    skins = Skins(body=settings.body, betas=draw.betas[rows])
    finished, _ = animated(sample, batch, skins, steps, draw.seed)
    embedded = evaluator.windows(finished, batch.rest_joints)
    return distributions.multimodality(embedded.reshape(-1, each, embedded.shape[-1]))


# ------------------------------------------------------------------------------------- acceptance
def acceptance(
    sample: SampleWindows,
    clips: Clips,
    settings: EvaluationSettings,
    captions: Captions,
    steps: int,
) -> dict[str, dict[str, Any]]:
    """Windows around anchors never seen, as the engine gives them, over the truth of the same.

    {measure: made, truth, ratio, is_met}: met at ACCEPTED times the truth at most, and contact at
    no less than the truth / ACCEPTED. The meshes of every frame are compared.
    """
    settings = replace(
        settings,
        windows=settings.anchors,
        repeats=1,
        mesh_frames=settings.anchors * WINDOW_FRAMES,
    )
    (draw,) = draws(clips, captions, FROM_ANCHOR, settings)

    def figures(motion: Array) -> dict[str, float]:
        plain = motion_measures(motion, draw.batch)
        meshes = mesh_measures(motion, draw.betas, draw.seed, settings)
        return {name: plain[name] for name in ("foot_skating_cm_s", "jerk_m_s3")} | meshes

    made = figures(animated_draw(sample, draw, settings, steps)[0])
    truth = figures(draw.batch.motion)
    return {name: accepted(name, made[name], truth[name]) for name in made}


def accepted(name: str, made: float, truth: float) -> dict[str, Any]:
    """A row of the table of `acceptance`."""
    least = truth / ACCEPTED if name == "contact_ratio_pct" else 0.0
    return {
        "made": made,
        "truth": truth,
        "ratio": made / truth if truth else None,
        "is_met": least <= made <= ACCEPTED * truth,
    }

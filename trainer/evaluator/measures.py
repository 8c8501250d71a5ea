"""The tables: windows, chains, sessions and pairs of a subject beside the truth.

Knows clips, the evaluator, the measures and functions that sample; knows neither files nor how a
report looks. The truth's own figures stand in the first row of every table, because a measure
means nothing without them: half of the test clips are the reference, the other half give the
truth's row and what the subject is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from engine.arrays import Array, BoolArray, IntArray
from engine.body.kinematics import forward_kinematics
from engine.body.shape import Body, bone_lengths, load_body
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.errors import InputError
from engine.generation import Pair, SampleWindows, generate_motion
from engine.motion import (
    POSE_FEATURES,
    WINDOW_FRAMES,
    features_from_rotmats,
    rotmats_from_features,
)
from engine.windows import CleanupConfig, Track, cleaned, close_window, open_window
from trainer import joint_limits, metrics, penetration
from trainer.data import windows
from trainer.data.shards import Clips
from trainer.data.windows import KnownSetConfig, WindowBatch
from trainer.evaluator import distributions
from trainer.evaluator.distributions import Estimate, estimated
from trainer.evaluator.subject import Subject, animated, features_of, text_pairs
from trainer.evaluator.training import ANCHOR_ONLY, Captions, Evaluator, window_sampler
from trainer.losses import POINT_PARENTS, rest_points

TRUTH = "truth"
HISTORY = KnownSetConfig(anchor_only=0, history=1, player_known=0, ends=0, young=0)
CASES = {"anchor": ANCHOR_ONLY, "history": HISTORY}
HANDSHAKE = "two people shake hands"
HANDS_WITHIN = 0.15

Table = dict[str, dict[str, Estimate]]
"""{row: {measure: mean and interval}}; a row lacks what cannot be said of it."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How much is measured; all but `steps` decide what a figure is worth, not what it means."""

    windows: int = 256
    steps: tuple[int, ...] = (4, 10)
    repeats: int = 5
    seed: int = 0
    with_raw: bool = False
    """Rows of the network alone too, before the engine's clean-up."""
    mesh_frames: int = 128
    """Frames of each repeat whose meshes are compared, for contact and penetration."""
    modes: tuple[int, int] = (16, 5)
    """Multimodality: so many anchors, so many windows of each."""
    history_frames: int = 10
    """Known frames that chained windows go on from."""
    chains: int = 8
    sessions: int = 16
    texts: int = 128
    """Captions that become pairs, and windows around them."""
    anchors: int = 20
    """Of the acceptance table, all frames of which have their meshes compared."""
    body: Body | None = None
    """None: the packaged one."""


# --------------------------------------------------------------------------------------- one draw
@dataclass(frozen=True, kw_only=True)
class Draw:
    """Real windows of one repeat: what is known of `batch` is what the subject is told.

    reference  real windows of other clips, to compare distributions with
    texts      (n,) a caption of each window of `batch`, as an index into `captions`
    """

    batch: WindowBatch
    reference: WindowBatch
    captions: Captions
    texts: IntArray
    seed: int


def draws(
    clips: Clips, captions: Captions, known_sets: KnownSetConfig, settings: EvaluationSettings
) -> list[Draw]:
    """One draw for each repeat, from the test split: the same for the same seed."""
    test = clips.subset("test")
    if len(test) < 4:
        raise InputError(f"{len(test)} clips are in the test split, at least 4 are needed")
    halves = [
        np.sort(half) for half in np.array_split(np.random.default_rng(0).permutation(test), 2)
    ]
    samplers = [window_sampler(clips, half, known_sets) for half in halves]
    result = []
    for seed in np.random.SeedSequence(settings.seed).generate_state(settings.repeats):
        rng = np.random.default_rng(seed)
        batch, reference = (sampler.draw(settings.windows, rng) for sampler in samplers)
        has_words = all(len(captions.of_clip[clip]) for clip in batch.clip)
        texts = captions.draw(batch.clip, rng) if has_words else np.zeros(0, np.int64)
        result.append(
            Draw(batch=batch, reference=reference, captions=captions, texts=texts, seed=int(seed))
        )
    return result


# ------------------------------------------------------------------------------- measures of a row
def window_measures(
    motion: Array, draw: Draw, clips: Clips, settings: EvaluationSettings, evaluator: Evaluator
) -> dict[str, float]:
    """Every measure of windows (n, 2, 30, 135) that stand for those of `draw.batch`."""
    return (
        distribution_measures(motion, draw, evaluator)
        | mesh_measures(motion, clips.betas[draw.batch.clip], draw.seed, settings)
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
    count, frames = len(motion), motion.shape[2]
    chosen = np.random.default_rng(seed).permutation(count * frames)[: settings.mesh_frames]
    row, frame = np.divmod(chosen, frames)
    gaps = penetration.pair_gaps(body_of(settings), motion[row, :, frame], betas[row])
    return {
        "contact_ratio_pct": penetration.contact_ratio(gaps),
        "penetration_cm": penetration.penetration(gaps),
    }


def body_of(settings: EvaluationSettings) -> Body:
    return settings.body or load_body()


def motion_measures(motion: Array, batch: WindowBatch) -> dict[str, float]:
    """Measures of joints; the batch is the truth and says which frames are known."""
    points, truth = points_of(motion, batch.rest_joints), points_of(batch.motion, batch.rest_joints)
    joints, true_joints = points[..., :JOINT_COUNT, :], truth[..., :JOINT_COUNT, :]
    known = batch.known_mask[..., 0] > 0
    is_unknown = np.any(~known, axis=1)[:, :, None, None]
    return {
        "foot_skating_cm_s": metrics.foot_skating(joints),
        "jerk_m_s3": metrics.mean_jerk(joints),
        "top_speed_m_s": metrics.top_speed(joints),
        "floor_error_cm": metrics.floor_error(joints),
        "joint_limits_pct": joint_limits.violations(rotmats_from_features(motion)[0]),
        "contact_gap_cm": metrics.contact_gap(points, metrics.touching(truth) & is_unknown),
        "known_frame_error_cm": metrics.frame_error(joints, true_joints, known),
        "unknown_frame_error_cm": metrics.frame_error(joints, true_joints, ~known),
    }


def points_of(motion: Array, rest: Array) -> Array:
    """Joints and palms (batch, 2, frame, 24, 3) of windows (batch, 2, frame, 135)."""
    rotmats, transl = rotmats_from_features(motion)
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (*rotmats.shape[:-3], 2, 3, 3))
    points = rest_points(torch.from_numpy(rest)).numpy()[:, :, None]
    turns = np.concatenate([rotmats, still], axis=-3)
    return forward_kinematics(points, turns, transl, POINT_PARENTS)[0]


def error_over_window(motion: Array, batch: WindowBatch) -> Array:
    """(30,) mean joint error in centimetres at each distance (frames) from the anchor."""
    error = np.linalg.norm(
        points_of(motion, batch.rest_joints) - points_of(batch.motion, batch.rest_joints), axis=-1
    ).mean(axis=(1, 3))
    away = np.abs(np.arange(WINDOW_FRAMES) - batch.anchor_index[:, None])
    return np.array(
        [
            100 * error[away == d].mean() if (away == d).any() else np.nan
            for d in range(WINDOW_FRAMES)
        ]
    )


# ------------------------------------------------------------------------------------- many repeats
def measure(
    sample: SampleWindows,
    clips: Clips,
    settings: EvaluationSettings,
    evaluator: Evaluator,
    captions: Captions,
) -> dict[str, Table]:
    """{case: {"truth", "K steps", "K steps, raw": measures}} over all repeats."""
    return {
        case: measure_case(
            sample, clips, settings, evaluator, draws(clips, captions, known_sets, settings)
        )
        for case, known_sets in CASES.items()
    }


def measure_case(
    sample: SampleWindows,
    clips: Clips,
    settings: EvaluationSettings,
    evaluator: Evaluator,
    drawn: Sequence[Draw],
) -> Table:
    rows: dict[str, list[dict[str, float]]] = {}

    def add(label: str, motion: Array, draw: Draw, more: Mapping[str, float]) -> None:
        row = window_measures(motion, draw, clips, settings, evaluator)
        rows.setdefault(label, []).append({**row, **more})

    for draw in drawn:
        add(TRUTH, draw.batch.motion, draw, {})
        for steps in settings.steps:
            finished, raw = animated(sample, draw.batch, steps, draw.seed)
            spread = _modes(sample, draw, steps, settings, evaluator)
            add(label_of(steps), finished, draw, {"multimodality": spread})
            if settings.with_raw:
                add(f"{label_of(steps)}, raw", raw, draw, {})
    return {label: estimates(repeats) for label, repeats in rows.items()}


def label_of(steps: int) -> str:
    return f"{steps} step{'s' if steps > 1 else ''}"


def estimates(repeats: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    return {name: estimated([r[name] for r in repeats]) for name in repeats[0]}


def _modes(
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
    finished, _ = animated(sample, batch, steps, draw.seed)
    embedded = evaluator.windows(finished, batch.rest_joints)
    return distributions.multimodality(embedded.reshape(-1, each, embedded.shape[-1]))


def chosen_rows(batch: WindowBatch, rows: IntArray) -> WindowBatch:
    return WindowBatch(**{name: value[rows] for name, value in vars(batch).items()})


# --------------------------------------------------------------------------- chains and sessions
def chain_measures(
    sample: SampleWindows, draw: Draw, steps: int, settings: EvaluationSettings
) -> dict[str, float]:
    """Seven seconds from single anchors, windows laid end to start as `contrapose animate` does."""
    frames, history = 70, settings.history_frames
    is_seam = np.zeros(frames, np.bool_)
    is_seam[WINDOW_FRAMES :: WINDOW_FRAMES - history] = True
    ratios, skating = [], []
    for row in range(min(settings.chains, len(draw.batch.motion))):
        rotmats, transl = rotmats_from_features(draw.batch.clean_anchor[row].astype(np.float64))
        rest = draw.batch.rest_joints[row]
        made = generate_motion(
            rotmats,
            transl,
            rest_joints=rest,
            anchor_index=0,
            frames=frames,
            seed=draw.seed + row,
            steps=steps,
            sample=sample,
            history_frames=history,
        )
        joints = forward_kinematics(rest[:, None], *made)[0]
        ratios.append(metrics.seam_jerk_ratio(joints, is_seam))
        skating.append(metrics.foot_skating(joints))
    return {"seam_jerk_ratio": float(np.mean(ratios)), "foot_skating_cm_s": float(np.mean(skating))}


def chain_table(
    sample: SampleWindows, drawn: Sequence[Draw], settings: EvaluationSettings
) -> Table:
    return {
        label_of(steps): estimates(
            [chain_measures(sample, draw, steps, settings) for draw in drawn]
        )
        for steps in settings.steps
    }


def reacted(
    sample: SampleWindows,
    motion: Array,
    rest: Array,
    *,
    steps: int,
    seed: int,
    history: int = 10,
    commit: int = 3,
    stride: int = 5,
) -> tuple[Array, BoolArray]:
    """The partner re-made as in a session: a revision every `stride` frames, from its own history.

    motion (batch, 2, frame, 135) true; its first `history` frames of both are given, then the
    player's as they come. Returns motion with the partner's frames replaced; seams (frame,).
    """
    result = motion.copy()
    frames = motion.shape[2]
    is_seam = np.zeros(frames, np.bool_)
    for first in range(0, frames - WINDOW_FRAMES + 1, stride):
        committed = history + (commit if first else 0)
        is_known = np.zeros((2, WINDOW_FRAMES), np.bool_)
        is_known[0, :history] = is_known[1, :committed] = True
        opened = []
        for row in range(len(motion)):
            poses = result[row, :, first : first + WINDOW_FRAMES].astype(np.float64)
            rotmats, transl = rotmats_from_features(poses)
            opened.append(
                open_window(
                    Track(rotmats=rotmats, transl=transl, is_known=is_known),
                    first=0,
                    anchor=history - 1,
                    rest_joints=rest[row],
                    seed=seed + row,
                    steps=steps,
                    clock=first,
                )
            )
        for row, x0 in enumerate(sample([window.request for window in opened])):
            joined = close_window(opened[row], x0)
            made = features_of(cleaned(joined, is_known, rest[row], CleanupConfig()))
            result[row, 1, first + committed : first + WINDOW_FRAMES] = made[1, committed:]
        is_seam[first + committed] = True
    return result, is_seam


def reaction_table(sample: SampleWindows, clips: Clips, settings: EvaluationSettings) -> Table:
    """Seams, skating and jerk of the partner over sessions of 50 frames; empty if none is long."""
    frames, history = 50, 10
    test = [int(clip) for clip in clips.subset("test") if clips.frames(int(clip)) >= frames]
    long = test[: settings.sessions]
    if not long:
        return {}
    motion = np.stack([clips.motion_of(clip)[:frames] for clip in long]).transpose(0, 2, 1, 3)
    rest = clips.rest_joints[long]

    def row(made: Array, is_seam: BoolArray) -> dict[str, Estimate]:
        partner = points_of(made, rest)[:, 1, history:, :JOINT_COUNT]
        values = {
            "seam_jerk_ratio": metrics.seam_jerk_ratio(partner, is_seam[history:]),
            "foot_skating_cm_s": metrics.foot_skating(partner),
            "jerk_m_s3": metrics.mean_jerk(partner),
            "top_speed_m_s": metrics.top_speed(partner),
            "floor_error_cm": metrics.floor_error(partner),
        }
        return estimates([values])

    table: Table = {}
    for steps in settings.steps:
        made, is_seam = reacted(sample, motion, rest, steps=steps, seed=settings.seed)
        table.setdefault(TRUTH, row(motion, is_seam))
        table[label_of(steps)] = row(made, is_seam)
    return table


# ----------------------------------------------------------------------------------- words to pairs
def text_table(
    subject: Subject,
    clips: Clips,
    settings: EvaluationSettings,
    evaluator: Evaluator,
    captions: Captions,
) -> Table:
    """Captions of test clips -> pairs -> windows around them, as a user would make them."""
    batch_settings = replace(settings, windows=settings.texts)
    rows: dict[str, list[dict[str, float]]] = {}
    for draw in draws(clips, captions, ANCHOR_ONLY, batch_settings):
        if not len(draw.texts):
            return {}
        betas = clips.betas[draw.batch.clip]
        truth = _pair_measures(
            draw.batch.clean_anchor, draw.batch.rest_joints, betas, draw, settings, evaluator
        )
        words = [captions.texts[text] for text in draw.texts]
        seeds = [draw.seed + row for row in range(len(words))]
        pairs, answers = text_pairs(subject, body_of(settings), words, seeds)
        made = pair_batch(pairs, draw.batch, body_of(settings))
        betas = np.stack([pair.betas for pair in pairs])
        row = _pair_measures(made.clean_anchor, made.rest_joints, betas, draw, settings, evaluator)
        row["bone_error_cm"] = bone_error(answers, pairs, body_of(settings))
        finished, _ = animated(subject.sample, made, subject.steps_default, draw.seed)
        rows.setdefault(TRUTH, []).append(
            truth | distribution_measures(draw.batch.motion, draw, evaluator)
        )
        drawn = replace(draw, batch=made)
        rows.setdefault("text to pair to window", []).append(
            row | distribution_measures(finished, drawn, evaluator)
        )
    return {label: estimates(repeats) for label, repeats in rows.items()}


def _pair_measures(
    pair: Array,
    rest: Array,
    betas: Array,
    draw: Draw,
    settings: EvaluationSettings,
    evaluator: Evaluator,
) -> dict[str, float]:
    reference = evaluator.pairs(draw.reference.clean_anchor, draw.reference.rest_joints)
    return {
        "pose_fid": distributions.frechet_distance(reference, evaluator.pairs(pair, rest)),
        **mesh_measures(pair[:, :, None], betas, draw.seed, settings),
        "joint_limits_pct": joint_limits.violations(rotmats_from_features(pair)[0]),
    }


def pair_batch(pairs: Sequence[Pair], like: WindowBatch, body: Body) -> WindowBatch:
    """A batch in which nothing but these pairs is known, each as the anchor where `like` has it."""
    pose = np.stack([features_from_rotmats(pair.rotmats, pair.transl) for pair in pairs])
    rest = np.stack([body.rest_joints(pair.betas) for pair in pairs]).astype(np.float32)
    still = np.repeat(pose[:, :, None], WINDOW_FRAMES, axis=2)
    return replace(
        like,
        motion=still,
        clean_anchor=pose,
        anchor=pose,
        known=still * like.known_mask,
        rest_joints=rest,
        anchor_joints=windows.anchor_joints_of(pose, rest),
    )


def bone_error(answers: Array, pairs: Sequence[Pair], body: Body) -> float:
    """Mean difference, centimetres, of the bones the generator gave and those of the body fitted
    to them: what no body could have."""
    rest = answers[..., POSE_FEATURES:].reshape(len(answers), 2, JOINT_COUNT, 3)
    fitted = body.rest_joints(np.stack([pair.betas for pair in pairs]))
    return float(100 * np.abs(bone_lengths(rest) - bone_lengths(fitted)).mean())


def contact_of_kinds(
    subject: Subject, clips: Clips, settings: EvaluationSettings, each: int = 8
) -> Table:
    """For each kind the contact of `each` pairs made from captions, beside that of true anchors."""
    body, rng = body_of(settings), np.random.default_rng(settings.seed)
    table: Table = {}
    test = clips.subset("test")
    for kind in sorted({clips.kinds[clip] for clip in test if clips.captions[clip]}):
        of_kind = [c for c in test if clips.kinds[c] == kind and len(clips.anchor_frames[c])]
        if not of_kind:
            continue
        chosen = rng.choice(of_kind, size=each)
        frames = clips.starts[chosen] + [rng.choice(clips.anchor_frames[c]) for c in chosen]
        words = [str(rng.choice(clips.captions[c])) for c in chosen]
        pairs, _ = text_pairs(subject, body, words, [settings.seed + i for i in range(each)])
        made = np.stack([features_from_rotmats(pair.rotmats, pair.transl) for pair in pairs])
        gaps = penetration.pair_gaps(body, made, np.stack([pair.betas for pair in pairs]))
        true = penetration.pair_gaps(body, clips.frames_at(frames), clips.betas[chosen])
        table[kind] = estimates(
            [
                {
                    "contact_ratio_pct": penetration.contact_ratio(gaps),
                    "truth_contact_ratio_pct": penetration.contact_ratio(true),
                    "penetration_cm": penetration.penetration(gaps),
                    "truth_penetration_cm": penetration.penetration(true),
                }
            ]
        )
    return table


def handshakes(subject: Subject, settings: EvaluationSettings, seeds: int = 20) -> dict[str, Any]:
    """How many seeds of HANDSHAKE put the right wrists within HANDS_WITHIN of each other."""
    body = body_of(settings)
    pairs, _ = text_pairs(subject, body, [HANDSHAKE] * seeds, range(seeds))
    gaps = []
    for pair in pairs:
        joints, _ = forward_kinematics(body.rest_joints(pair.betas), pair.rotmats, pair.transl)
        wrists = joints[:, JOINT["right_wrist"]]
        gaps.append(float(np.linalg.norm(wrists[0] - wrists[1])))
    return {
        "text": HANDSHAKE,
        "seeds": seeds,
        "within_m": HANDS_WITHIN,
        "near": sum(gap <= HANDS_WITHIN for gap in gaps),
        "gaps_cm": " ".join(f"{100 * gap:.0f}" for gap in gaps),
    }


# ------------------------------------------------------------------------------------- acceptance
ACCEPTED = 1.5


def acceptance(
    subject: Subject, clips: Clips, settings: EvaluationSettings, captions: Captions, steps: int
) -> dict[str, dict[str, Any]]:
    """Windows around anchors never seen, as the engine gives them, over the truth of the same.

    {measure: made, truth, ratio, is_met}; at most 1.5 times the truth, and contact no less than
    the truth / 1.5 either. Every frame's meshes are compared.
    """
    one = replace(settings, windows=settings.anchors, repeats=1)
    (draw,) = draws(clips, captions, ANCHOR_ONLY, one)
    every = replace(settings, mesh_frames=settings.anchors * WINDOW_FRAMES)
    finished, _ = animated(subject.sample, draw.batch, steps, draw.seed)

    def figures(motion: Array) -> dict[str, float]:
        plain = motion_measures(motion, draw.batch)
        meshes = mesh_measures(motion, clips.betas[draw.batch.clip], draw.seed, every)
        return {name: plain[name] for name in ("foot_skating_cm_s", "jerk_m_s3")} | meshes

    made, truth = figures(finished), figures(draw.batch.motion)
    result = {}
    for name, value in made.items():
        ratio = value / truth[name] if truth[name] else np.inf * value
        low = 1 / ACCEPTED if name == "contact_ratio_pct" else 0.0
        result[name] = {
            "made": value,
            "truth": truth[name],
            "ratio": float(ratio),
            "is_met": bool(low <= ratio <= ACCEPTED),
        }
    return result

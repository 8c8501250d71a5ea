"""The generator's worth: words to pairs, and to windows around them, beside true anchors.

Knows the generator through the engine only. Knows neither files nor how a report looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.body.shape import Body, bone_lengths
from engine.body.skeleton import JOINT, JOINT_COUNT
from engine.body.skins import Skins
from engine.motion.motion import (
    POSE_FEATURES,
    WINDOW_FRAMES,
    features_from_pose,
    pose_from_features,
)
from engine.sampling.generation import PAIR_FEATURES, People, generate_pair
from engine.sampling.models import encode_text
from engine.sampling.pairs import sample_generator
from trainer.data.canonical import anchor_joints_of
from trainer.data.shards import Clips
from trainer.data.windows import WindowBatch
from trainer.evaluation.animated import animated
from trainer.evaluation.captions import Captions
from trainer.evaluation.evaluator.evaluator import Evaluator
from trainer.evaluation.evaluator.training import FROM_ANCHOR
from trainer.evaluation.measures import (
    TRUTH,
    Draw,
    EvaluationSettings,
    Rows,
    distribution_measures,
    draws,
    estimates,
    mesh_measures,
)
from trainer.evaluation.metrics import distributions, joint_limits, penetration
from trainer.evaluation.subject import Subject

HANDSHAKE = "two people shake hands"
HANDSHAKE_SEEDS = 20
HANDS_WITHIN = 0.15
"""Metres between the right wrists of a handshake."""


# ------------------------------------------------------------------------------------------- pairs
def text_pairs(
    subject: Subject, body: Body, texts: Sequence[str], seeds: Sequence[int]
) -> tuple[list[People], Array]:
    """The pair for each text and seed, and the generator's own answers (n, 2, 201).

    The answers are sampled in one batch, then turned into pairs by the engine as for a user.
    """
    assert subject.models is not None
    assert subject.guidance is not None
    assert subject.generator_steps is not None
    words = encode_text(subject.models, list(dict.fromkeys(texts)))
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    text = words[[row_of[t] for t in texts]]
    noise = np.concatenate([_pair_noise(seed) for seed in seeds])
    nothing, unposed = np.zeros_like(noise), np.zeros((len(noise), 2), np.float32)
    x0 = sample_generator(
        subject.models, noise, nothing, unposed, text, subject.guidance, subject.generator_steps
    )
    pairs = [
        generate_pair(
            body=body,
            text=text[row],
            single=None,
            seed=seeds[row],
            sample=lambda *_, row=row: x0[row : row + 1],
        )
        for row in range(len(x0))
    ]
    return pairs, x0


def _pair_noise(seed: int) -> Array:
    """As `engine.sampling.generation.generate_pair` draws it."""
    return np.random.default_rng(seed).standard_normal((1, 2, PAIR_FEATURES), np.float32)


# -------------------------------------------------------------------------------- captions to pairs
def text_table(
    subject: Subject,
    clips: Clips,
    settings: EvaluationSettings,
    evaluator: Evaluator,
    captions: Captions,
) -> Rows:
    """Captions of test clips -> pairs -> windows around them, as a user would make them."""
    body = settings.body
    rows: dict[str, list[dict[str, float]]] = {}
    for draw in draws(clips, captions, FROM_ANCHOR, replace(settings, windows=settings.texts)):
        if not len(draw.texts):
            return {}
        true = pair_measures(draw, settings, evaluator)
        true |= distribution_measures(draw.batch.motion, draw, evaluator)
        seeds = [draw.seed + row for row in range(len(draw.texts))]
        pairs, answers = text_pairs(subject, body, draw.words, seeds)
        betas = np.stack([pair.betas for pair in pairs])
        told = replace(draw, batch=pair_batch(pairs, draw.batch, body), betas=betas)
        text = subject.encode(draw.words) if subject.encode else None
        windows, _ = animated(
            subject.sample,
            told.batch,
            Skins(body=body, betas=betas),
            subject.steps_default,
            draw.seed,
            text,
        )
        made = pair_measures(told, settings, evaluator)
        made |= distribution_measures(windows, told, evaluator)
        made["bone_error_cm"] = bone_error(answers, betas, body)
        rows.setdefault(TRUTH, []).append(true)
        rows.setdefault("text to pair to window", []).append(made)
    return {label: estimates(repeats) for label, repeats in rows.items()}


def pair_measures(
    draw: Draw, settings: EvaluationSettings, evaluator: Evaluator
) -> dict[str, float]:
    """Measures of the anchors of a draw's batch."""
    batch, reference = draw.batch, draw.reference
    real = evaluator.pairs(reference.clean_anchor, reference.rest_joints)
    made = evaluator.pairs(batch.clean_anchor, batch.rest_joints)
    anchors = batch.clean_anchor[:, :, None]
    return {
        "pose_fid": distributions.frechet_distance(real, made),
        "joint_limits_pct": joint_limits.violations(pose_from_features(anchors).rotmats),
        **mesh_measures(anchors, draw.betas, draw.seed, settings),
    }


def pair_batch(pairs: Sequence[People], like: WindowBatch, body: Body) -> WindowBatch:
    """A batch that knows nothing but these pairs, each as the anchor where `like` has its own."""
    pose = pair_features(pairs)
    rest = np.stack([body.rest_joints(pair.betas) for pair in pairs]).astype(np.float32)
    still = np.repeat(pose[:, :, None], WINDOW_FRAMES, axis=2)
    return replace(
        like,
        motion=still,
        clean_anchor=pose,
        anchor=pose,
        known=still * like.known_mask,
        rest_joints=rest,
        anchor_joints=anchor_joints_of(pose, rest),
    )


def pair_features(pairs: Sequence[People]) -> Array:
    """(n, 2, 135)"""
    return np.stack([features_from_pose(pair.pose) for pair in pairs])


def bone_error(answers: Array, betas: Array, body: Body) -> float:
    """Mean difference, centimetres, of the bones that the generator gave (answers (n, 2, 201)) and
    those of the body that fits them best: how far they are from any body's."""
    rest = answers[..., POSE_FEATURES:].reshape(len(answers), 2, JOINT_COUNT, 3)
    fitted = body.rest_joints(betas)
    return float(100 * np.abs(bone_lengths(rest) - bone_lengths(fitted)).mean())


# ------------------------------------------------------------------------------------- known words
def kind_table(
    subject: Subject, clips: Clips, settings: EvaluationSettings, each: int = 8
) -> dict[str, dict[str, float]]:
    """For each kind contact and penetration of pairs made from its captions, and of true anchors:
    `each` of both."""
    body, rng = settings.body, np.random.default_rng(settings.seed)
    table = {}
    test = [c for c in clips.subset("test") if clips.captions[c] and len(clips.anchor_frames[c])]
    for kind in sorted({clips.kinds[clip] for clip in test}):
        chosen = rng.choice([clip for clip in test if clips.kinds[clip] == kind], size=each)
        anchors = np.array([rng.choice(clips.anchor_frames[clip]) for clip in chosen])
        words = [str(rng.choice(clips.captions[clip])) for clip in chosen]
        pairs, _ = text_pairs(subject, body, words, [settings.seed + i for i in range(each)])
        betas = np.stack([pair.betas for pair in pairs])
        made = penetration.pair_gaps(body, pair_features(pairs), betas)
        real = clips.frames_at(clips.starts[chosen] + anchors)
        true = penetration.pair_gaps(body, real, clips.betas[chosen])
        table[kind] = {
            "contact_ratio_pct": penetration.contact_ratio(made),
            "true_contact_ratio_pct": penetration.contact_ratio(true),
            "penetration_cm": penetration.penetration(made),
            "true_penetration_cm": penetration.penetration(true),
        }
    return table


def handshake_table(subject: Subject, settings: EvaluationSettings) -> dict[str, dict[str, Any]]:
    """In how many of HANDSHAKE_SEEDS seeds the right wrists are within HANDS_WITHIN."""
    body = settings.body
    pairs, _ = text_pairs(subject, body, [HANDSHAKE] * HANDSHAKE_SEEDS, range(HANDSHAKE_SEEDS))
    gaps = np.array([wrist_gap(pair, body) for pair in pairs])
    row = {
        "within 15 cm": f"{int((gaps <= HANDS_WITHIN).sum())} of {HANDSHAKE_SEEDS} seeds",
        "wrist gaps, cm": " ".join(f"{100 * gap:.0f}" for gap in gaps),
    }
    return {HANDSHAKE: row}


def wrist_gap(pair: People, body: Body) -> float:
    """Metres between the right wrists."""
    joints, _ = pair.pose.in_world(body.rest_joints(pair.betas))
    wrists = joints[:, JOINT["right_wrist"]]
    return float(np.linalg.norm(wrists[0] - wrists[1]))

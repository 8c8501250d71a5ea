"""Making: prompts to motions, on the executor of one loaded bundle.

Knows samplers and bodies; writes nothing. Pairs of several prompts are denoised together, and so
are the windows of motions that are equally long; what follows the networks is worked out for all of
those at once, because most of what it takes is the same for one motion and for many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.batch.prompts import Prompt
from engine.body.pose import Pose
from engine.body.rotations import quat_from_rotmat
from engine.body.skins import Skins
from engine.errors import BundleError, ContraposeError, InputError
from engine.formats import read_motion
from engine.motion.hands import curls_over
from engine.motion.motion import Motion
from engine.sampling.generation import Anchor, People, generate_motions, generate_pairs
from engine.sampling.loaded import ComputeConfig, LoadedBundle, loaded_bundle
from engine.sampling.models import encode_text
from engine.sampling.offline import patient_pairs, patient_windows

FINISHED = 16
"""Motions that are finished in one go: of more, a motion takes longer, as caches no longer hold
what is compared."""


def load_maker(
    config: ComputeConfig, *, steps: int | None, foot_lock: bool, is_alone: bool = True
) -> Maker:
    """A maker on a bundle that is loaded for it; steps and foot_lock as `Maker` takes them.

    is_alone  one thread alone calls it
    Raises BundleError, ConfigError or BackendError.
    """
    return Maker(loaded_bundle(config, is_alone=is_alone)[1], steps, foot_lock)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A prompt with the pair that its motion is made around, and its words for the animator."""

    prompt: Prompt
    pair: People
    words: Array | None
    notice: str = ""
    """What people are told about the words; nothing: they are as the bundle knows them."""


class Maker:
    """Makes motions; as safe to call from several threads as its executor is.

    steps      denoiser calls of a window; None: the bundle's own
    foot_lock  whether planted feet are held at one spot
    """

    def __init__(self, loaded: LoadedBundle, steps: int | None, foot_lock: bool) -> None:
        self.loaded = loaded
        manifest = loaded.bundle.manifest
        self.steps = manifest.animator.steps_default if steps is None else steps
        self._foot_lock = foot_lock

    def begin(self, prompts: Sequence[Prompt]) -> dict[Prompt, Begun | ContraposeError]:
        """The pairs of some prompts, read or denoised together; an error for one that has none."""
        found: dict[Prompt, Begun | ContraposeError] = {}
        wanted: list[tuple[Prompt, People | None]] = []
        words = self._words(prompts)
        for prompt in prompts:
            try:
                if prompt.pair:
                    found[prompt] = Begun(
                        prompt=prompt,
                        pair=self._read(prompt.pair, prompt, 2),
                        words=self._for_animator(prompt, words),
                        notice=self._notice(prompt, words),
                    )
                    continue
                self._require_generator(prompt)
                single = self._read(prompt.pose, prompt, 1) if prompt.pose else None
                wanted.append((prompt, single))
            except ContraposeError as error:
                found[prompt] = error
        if wanted:
            found |= self._denoised(wanted, words)
        return found

    def finish(self, begun: Sequence[Begun]) -> dict[Prompt, Motion | ContraposeError]:
        """The motions around some pairs; an error for one that cannot be made."""
        found: dict[Prompt, Motion | ContraposeError] = {}
        alike: dict[tuple[int, int], list[Begun]] = {}
        for start in begun:
            alike.setdefault((start.prompt.frames, start.prompt.at), []).append(start)
        for together in alike.values():
            for first in range(0, len(together), FINISHED):
                found |= self._finished(together[first : first + FINISHED])
        return found

    def _finished(self, alike: Sequence[Begun]) -> dict[Prompt, Motion | ContraposeError]:
        """Of one length and place of the pair. Who spoils a motion spoils no other."""
        try:
            motions = self._made(alike)
        except ContraposeError as error:
            if len(alike) == 1:
                return {alike[0].prompt: error}
            return {prompt: made for one in alike for prompt, made in self._finished([one]).items()}
        return {start.prompt: made for start, made in zip(alike, motions, strict=True)}

    def _made(self, alike: Sequence[Begun]) -> list[Motion]:
        """Raises ContraposeError."""
        loaded, prompt = self.loaded, alike[0].prompt
        betas = np.stack([start.pair.betas for start in alike], axis=1)
        rest_joints = loaded.body.rest_joints(betas)
        anchors = [
            Anchor(
                pair=start.pair.pose,
                rest_joints=rest_joints[:, row],
                seed=start.prompt.seed,
                text=start.words,
                skins=Skins(body=loaded.body, betas=start.pair.betas[None]),
            )
            for row, start in enumerate(alike)
        ]
        with patient_windows(loaded.executor) as sample:
            made = generate_motions(
                anchors,
                anchor_index=prompt.at,
                frames=prompt.frames,
                steps=self.steps,
                sample=sample,
                history_frames=loaded.bundle.manifest.animator.history_frames,
                foot_lock=self._foot_lock,
            )
        quats_xyzw = quat_from_rotmat(made.rotmats).astype(np.float32)
        curls = curls_over(made, rest_joints).astype(np.float32)
        return [
            Motion(
                quats_xyzw=quats_xyzw[:, row],
                transl=made.transl[:, row].astype(np.float32),
                betas=betas[:, row].astype(np.float32),
                curls=curls[:, row],
            )
            for row in range(len(alike))
        ]

    def _words(self, prompts: Sequence[Prompt]) -> Mapping[str, Array]:
        """The vector of each text; none where the bundle reads no words."""
        texts = sorted({prompt.text for prompt in prompts if prompt.text})
        if not texts or self.loaded.bundle.manifest.text is None:
            return {}
        encode = self.loaded.executor.call(lambda models: encode_text(models, texts))
        return dict(zip(texts, encode.result(), strict=True))

    def _for_animator(self, prompt: Prompt, words: Mapping[str, Array]) -> Array | None:
        return words.get(prompt.text) if self.loaded.animator_takes_text else None

    def _notice(self, prompt: Prompt, words: Mapping[str, Array]) -> str:
        kinds, vector = self.loaded.kinds, words.get(prompt.text)
        return "" if kinds is None or vector is None else kinds.notice(prompt.text, vector)

    def _require_generator(self, prompt: Prompt) -> None:
        manifest = self.loaded.bundle.manifest
        if manifest.generator is None or (prompt.text and manifest.text is None):
            raise BundleError(f"bundle {self.loaded.name} makes no pairs from words; give a pair")

    def _denoised(
        self, wanted: Sequence[tuple[Prompt, People | None]], words: Mapping[str, Array]
    ) -> dict[Prompt, Begun | ContraposeError]:
        spec = self.loaded.bundle.manifest.generator
        assert spec is not None
        nothing = np.zeros(spec.text_width, np.float32)
        with patient_pairs(self.loaded.executor, spec.guidance, spec.steps_default) as sample:
            pairs = generate_pairs(
                body=self.loaded.body,
                texts=np.stack([words.get(prompt.text, nothing) for prompt, _ in wanted]),
                singles=[single for _, single in wanted],
                seeds=[prompt.seed for prompt, _ in wanted],
                sample=sample,
            )
        return {
            prompt: Begun(
                prompt=prompt,
                pair=pair,
                words=self._for_animator(prompt, words),
                notice=self._notice(prompt, words),
            )
            for (prompt, _), pair in zip(wanted, pairs, strict=True)
        }

    def _read(self, path: str, prompt: Prompt, count: int) -> People:
        """The first `count` people of a file, at the frame that the prompt names."""
        motion = read_motion(Path(path), body=self.loaded.body)
        if motion.people < count or prompt.frame >= motion.frames:
            raise InputError(
                f"{path}: holds {motion.people} people and {motion.frames} frames; {count} people "
                f"at frame {prompt.frame} are wanted"
            )
        people = slice(0, 2) if count == 2 else 0
        return People(
            pose=Pose(
                motion.rotmats[people, prompt.frame].astype(np.float64),
                motion.transl[people, prompt.frame].astype(np.float64),
            ),
            betas=motion.betas[people],
        )

"""Acts: what words ask of the partner alone, out of a few things that need no network to be done.

Words are told apart by their vectors: the nearest of some sentences says which act is meant, and
most words mean none, so that the network has them to itself. Knows words and the encoder; knows no
session, and not how an act is done (`motion/answers.py`).
"""

from __future__ import annotations

from engine.arrays import Array
from engine.bundle import ACTS_FILE, Bundle
from engine.motion.answers import ACTS
from engine.sampling.kinds import Kinds, kinds_by, load_kinds
from engine.sampling.models import Models, encode_text

PHRASES: dict[str, tuple[str, ...]] = {
    "wave": (
        "the partner waves at the player",
        "wave hello",
        "one person waves and the other waves back",
        "wave your hand",
        "wave goodbye",
        "lift a hand and wave",
        "the partner waves with a hand",
        "the partner raises a hand and waves",
        "say hello with the hand",
    ),
    "bow": ("the partner bows", "a polite bow", "two people bow to each other", "take a bow"),
    "offer_hand": (
        "the partner holds out a hand",
        "two people shake hands",
        "a handshake",
        "offer your hand to shake",
        "reach out your hand",
    ),
    "offer_arms": (
        "two people hug each other",
        "a hug",
        "the partner opens the arms for a hug",
        "embrace the player",
        "the partner hugs the player",
        "open your arms wide",
    ),
    "come_closer": (
        "the partner walks up to the player",
        "come closer",
        "come here",
        "the partner approaches",
        "take a step forward",
        "walk up to me",
        "approach me",
        "walk towards the player",
    ),
    "step_back": (
        "the partner steps back",
        "move back a little",
        "go away from the player",
        "take a step backwards",
        "keep your distance",
        "back off",
        "step away from me",
        "give me more space",
    ),
    "lead_dance": (
        "two people dance together",
        "one person dances and the other mirrors the moves",
        "the partner dances",
        "dance with me",
        "let us dance",
        "two people dance facing each other",
        "they move to the beat and raise their arms",
        "sway to the music",
    ),
}
"""Sentences for each of ACTS."""
OTHERS = (
    "the partner pushes the player, who stumbles back",
    "the partner is pushed away and regains balance",
    "a high five",
    "one person backs away, the other keeps the distance",
    "the partner walks along with the player",
    "the partner follows the player",
    "one person walks and the other follows",
    "the partner walks towards the player, who steps aside",
    "a couple holds hands and walks",
    "the partner takes the hand of the player and they walk together",
    "a couple walks with linked arms",
    "someone takes another person by the hand and walks ahead",
    "one person gives something to the other with a hand",
    "one person pats the other on the shoulder",
    "one person lays the arm around the other's shoulders",
    "one person whispers in the other's ear",
    "one person points at something and the other looks",
    "one person helps the other to stand up",
    "one person throws a punch and the other blocks it",
    "one person grabs the other by the wrist and pulls",
    "the partner circles, guard up",
    "one person mirrors the arm movements of the other",
    "two people stand together and wait",
    "one person twirls under the raised hands",
    "raise your hands",
    "clap your hands",
    "wait here",
    "walk with me",
    "follow me",
    "turn around",
    "lead me by the hand",
    "push me",
    "help me up",
    "the partner is angry",
    "the partner lets the player pass",
    "sit down",
    "jump",
    "two people talk",
)
"""Sentences that ask for something else."""
LEAST = 0.45
"""Cosine of words and the nearest sentence under which no act is meant."""


OTHER = "other"
SENTENCES = {OTHER: OTHERS, **{act: PHRASES[act] for act in ACTS}}


def acts_of(bundle: Bundle, models: Models) -> Kinds:
    """SENTENCES as the bundle holds them; if it holds others or none, as its encoder reads them.

    Raises InputError if it has no encoder, BundleError for a file that holds no such thing.
    """
    path = bundle.optional(ACTS_FILE)
    if path is not None and (held := load_kinds(path)).sentences == SENTENCES:
        return held
    return kinds_by(lambda texts: encode_text(models, texts), SENTENCES)


def act_of(acts: Kinds, text: Array) -> str | None:
    """Which of ACTS a text vector (text width,) asks for, if any."""
    row, cosine = acts.nearest(text)
    name = acts.names[acts.kind_of[row]]
    return name if cosine >= LEAST and name != OTHER else None

"""Sentences by which weights are rounded: what people do, in many words, and words at random.

They only have to visit what the encoder can say, not to be true. Knows no encoder.
"""

# ruff: noqa: SIM905  (word lists read better in lines than one word a line)
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WHO = (
    "two people|a man and a woman|the first person|both of them|she|he|they|an old couple|a nurse|"
    "the goalkeeper|my brother|two soldiers|a tired waiter|the bride and the groom|a child|"
    "the dancers|an actor and his double|three students|a police officer|the coach|a stranger|"
    "the younger sister|a surgeon|two wrestlers|a mother|the crowd|a clown|one boxer|the guide|"
    "a masked thief|his grandmother|the referee|a skater|an acrobat|the teacher|a farmer|someone"
).split("|")
DOES = (
    "shakes hands with|hugs|pushes|pulls|lifts|carries|follows|leads|teases|comforts|blocks|kicks|"
    "punches|catches|throws a ball to|waves at|bows to|points at|whispers to|dances with|helps|"
    "slaps|kisses|pats|embraces|chases|greets|salutes|imitates|grabs the wrist of|walks beside|"
    "hands a cup to|kneels before|leans on|circles|tickles|massages|supports|drags|measures|hits|"
    "turns away from|argues with|laughs with|sits next to|stands behind|jumps over|ducks under|"
    "trips|wrestles|holds hands with|high fives|steps back from|guides the arm of|rows with|shoves|"
    "stretches together with|takes a photograph of|feeds|dresses|bandages|blesses|arrests|frisks"
).split("|")
WHOM = (
    "her friend|the other person|a colleague|the partner|his opponent|a small dog|the visitor|"
    "a patient|the child|an injured player|the customer|her brother|the mayor|the audience|a rival|"
    "the singer|a passenger|the intruder|their neighbour|the person on the left|a team mate|"
    "the model|his wife|a lost tourist|the pupil|an angry driver|the prisoner|a newborn|everyone"
).split("|")
HOW = (
    "slowly|twice|with the left hand|in the rain|and then lets go|before running away|in anger|"
    "from behind|with great care|on a wooden floor|as the music starts|without looking|on stage|"
    "with stretched arms|until both fall over|at the door|while spinning|as a joke|out of pity|"
    "in the middle of the street|after the match|with closed eyes|by the shoulder|near the window|"
    "for a long time|and smiles|under an umbrella|at arm's length|on one leg|with a sudden jerk"
).split("|")


def calibration_sentences(words: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """`count` sentences, every third of them words drawn from `words`, the same for one seed."""
    draw = np.random.default_rng(seed)
    return [
        " ".join(draw.choice(words, draw.integers(4, 16)))
        if index % 3 == 2
        else " ".join(str(draw.choice(parts)) for parts in (WHO, DOES, WHOM, HOW))
        for index in range(count)
    ]

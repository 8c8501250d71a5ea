"""What a session needs to go on elsewhere: the little of its state that its client can notice.

Plain data, in the units of `session.py`. What is left out is made again: a window under way is
asked for anew, and what the network made before feet were locked is taken to be what was shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.motion.answers import Answer
from engine.motion.contacts import Contact
from engine.session.config import SessionConfig
from engine.session.direction import Direction
from engine.session.manners import Intent
from engine.session.plan import Frames
from engine.session.player import PlayerState


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionState:
    """A session between two ticks."""

    config: SessionConfig
    direction: Direction
    seed: int
    frame: int
    """The frame that is due now."""
    revision: int
    sent_until: int
    """The last frame that the client holds; it shows that one when it hears no more."""
    tickets: int
    """Windows asked for so far."""
    delays: tuple[int, ...]
    """Frames that the last windows took."""
    floor: float
    """Metres, of the player."""
    player: PlayerState
    plan: Frames
    """From where the next window's history begins, to the end."""
    intent: Intent
    """What the player is about."""
    answer: Answer | None
    """How the partner answers."""
    contacts: tuple[Contact, ...] = ()
    contact_ids: int = 0
    """The last id that a contact was given."""
    due: tuple[int, ...] = (0, 0, 0)
    """Frames that became due, in the order of `Quality`."""
    accepted: int = 0
    failed: int = 0

"""What a session needs to go on elsewhere: the little of its state that its client can notice.

Plain data, in the units of `session.py`. What is left out is made again: a window under way is
asked for anew, and what the network made before feet were locked is taken to be what was shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.arrays import Array
from engine.motion.contacts import Contact
from engine.session.config import SessionConfig
from engine.session.direction import Direction
from engine.session.plan import PlanFrame
from engine.session.player import PlayerStamp


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionState:
    """A session between two ticks.

    rotmats, transl      (n, 22, 3, 3), (n, 3) the player's last frames, oldest first
    newest_rotmats, newest_transl  (22, 3, 3), (3,) his newest pose, fed at `stamp`
    """

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
    player_last: int
    """The frame of the last of the player's."""
    rotmats: Array
    transl: Array
    stamp: PlayerStamp
    newest_rotmats: Array
    newest_transl: Array
    plan: tuple[PlanFrame, ...]
    """From where the next window's history begins, to the end."""
    contacts: tuple[Contact, ...] = ()
    contact_ids: int = 0
    """The last id that a contact was given."""
    due: tuple[int, ...] = (0, 0, 0)
    """Frames that became due, in the order of `Quality`."""
    accepted: int = 0
    failed: int = 0

"""What a tick of a session says: frames to send, windows to denoise, targets that are settled.

Plain data; knows no session.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.motion.contacts import Contact
from engine.sampling.request import WindowRequest
from engine.session.direction import TargetEvent
from engine.session.plan import Frames


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Consecutive frames to send. With a new revision they replace all that the client holds from
    the first of them on; with the same one they follow what it holds."""

    revision: int
    frames: Frames
    contacts: tuple[Contact, ...] = ()
    """All of the plan that are not over yet: those of frames not sent yet too."""


@dataclass(frozen=True, kw_only=True)
class WantedWindow:
    """Denoise this, then `accept(ticket, x0)`, best before `deadline` (seconds of session time)."""

    ticket: int
    request: WindowRequest
    deadline: float


@dataclass(frozen=True, kw_only=True)
class Tick:
    frame: int
    """The frame that is due now."""
    chunk: Chunk | None
    wanted: tuple[WantedWindow, ...]
    events: tuple[TargetEvent, ...] = ()
    """Targets that were reached, or cannot be: they are no longer wanted."""


@dataclass(frozen=True, kw_only=True)
class SessionStatus:
    frame: int
    planned_until: int
    revision: int
    departure: float
    """Mean joint error of the newest player frame against the plan, metres; 0 without any."""
    generated_frames: int
    held_frames: int
    fallback_frames: int
    """Frames by quality, counted when they became due."""
    windows_accepted: int
    windows_failed: int

"""VMC: motion over OSC, as avatars' programs exchange it.

Knows bytes of UDP packets and humanoid bones. Knows no socket, no session and no server.
Sources: protocol.vmc.info (marionette and performer specification), OSC 1.0 (opensoundcontrol.org).
"""

from __future__ import annotations

from engine.vmc.osc import OscError, bundle, message, messages
from engine.vmc.performer import PartnerPackets
from engine.vmc.receiver import PerformerState

__all__ = ["OscError", "PartnerPackets", "PerformerState", "bundle", "message", "messages"]

"""The door: the gateway on its port, where one is wanted.

Its libraries are imported when it is opened, so a server without one needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.serving.access import Access
from engine.serving.gateway.served import Served

if TYPE_CHECKING:
    from engine.serving.gateway.listening import Gateway


def opened_gateway(interface: str, port: int, served: Served, access: Access) -> Gateway:
    """Listening, but not served yet: `start` it. Raises ConfigError if the port is taken."""
    from engine.serving.gateway.app import gateway_app
    from engine.serving.gateway.listening import Gateway

    return Gateway(gateway_app(served, access), interface, port, access.tls)

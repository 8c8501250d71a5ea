"""The door: the gateway on its port, where one is wanted.

Its libraries are imported when it is opened, so a server without one needs none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.serving.access import Access
from engine.serving.gateway.served import Served

if TYPE_CHECKING:
    from engine.serving.gateway.listening import Gateway


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    port: int
    """0: a free one."""
    motion: bytes | None = None
    """A recording, as npz, that the page may begin with."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"http_port is {self.port}, must lie in 0..65535", field="http_port")


def opened_gateway(
    config: GatewayConfig, interface: str, served: Served, access: Access
) -> Gateway:
    """Listening, but not served yet: `start` it. Raises ConfigError if the port is taken."""
    from engine.serving.gateway.app import gateway_app
    from engine.serving.gateway.listening import Gateway

    app = gateway_app(served, access, motion=config.motion)
    return Gateway(app, interface, config.port, access.tls)

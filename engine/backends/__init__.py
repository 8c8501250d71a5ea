"""What executes a bundle's graphs: one protocol, one file per library."""

from engine.backends.open import open_backend
from engine.backends.protocol import Backend, Graph, Loop, Precision

__all__ = ["Backend", "Graph", "Loop", "Precision", "open_backend"]

"""What executes a bundle's graphs: one protocol, one file per library."""

from engine.backends.protocol import Backend, Graph, Loop, Precision, open_backend

__all__ = ["Backend", "Graph", "Loop", "Precision", "open_backend"]

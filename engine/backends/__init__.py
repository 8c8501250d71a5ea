"""What executes a bundle's graphs: one protocol, one file per library.

Knows graphs, arrays and hardware. Knows no pose and no session; each file imports its library
inside itself.
"""

from engine.backends.open import open_backend
from engine.backends.protocol import Backend, Graph, Loop, Precision

__all__ = ["Backend", "Graph", "Loop", "Precision", "open_backend"]

"""The process's one OpenVINO core, shared by all that runs a graph with OpenVINO.

OpenVINO is imported when it is first asked for. Knows no graph.
"""

from __future__ import annotations

import threading
from typing import Any

from engine.errors import BackendError

_lock = threading.Lock()
_cores: list[Any] = []


def openvino_core() -> Any:
    """The ov.Core (an untyped library's), made once and never freed.

    The CPU plugin of a core gives its thread a stack for signal handlers. When it is freed it puts
    back the one that it found, or only unmaps its own if that is not the thread's any more. If two
    are freed in the order in which they were made, the second thus puts back the first's, which is
    unmapped: the next signal that has a handler ends the process with SIGSEGV.
    """
    with _lock:
        if not _cores:
            try:
                import openvino
            except ImportError as exc:
                raise BackendError(
                    "the openvino backend needs OpenVINO: pip install 'contrapose[engine]'",
                    field="backend",
                    reason="EXTRA_MISSING",
                ) from exc
            _cores.append(openvino.Core())
        return _cores[0]

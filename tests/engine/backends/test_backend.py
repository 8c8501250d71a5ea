"""How a backend is chosen: by name, or the best that is here; and what is said of the others."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backends import Backend, open_backend
from engine.backends import open as opening
from engine.backends.driver import has_nvidia_driver
from engine.backends.open import first_that_opens
from engine.errors import BackendError, ConfigError

WITHOUT_DRIVER = not has_nvidia_driver()


def test_names_and_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of auto, openvino, torch, tensorrt"):
        open_backend("tensorflow")
    with pytest.raises(ConfigError, match="auto, f32, bf16"):
        open_backend("openvino", precision="int3")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threads is 0"):
        open_backend("openvino", threads=0)
    with pytest.raises(ConfigError, match="device is -1"):
        open_backend("torch", device=-1)


@pytest.mark.skipif(not WITHOUT_DRIVER, reason="this machine has an NVIDIA driver")
@pytest.mark.usefixtures("openvino")
def test_auto_falls_back_to_the_cpu_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        backend = open_backend(cache_dir=None)
    assert backend.name == "openvino"
    assert caplog.messages == ["backend openvino: this machine has no NVIDIA driver"]


def test_a_processor_without_openvino_runs_pytorch_and_says_why(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "has_nvidia_driver", lambda: False)
    monkeypatch.setattr(opening, "_openvino", lambda _: absent("openvino", "EXTRA_MISSING")())
    with caplog.at_level(logging.INFO):
        backend = open_backend(cache_dir=None, precision="f32")
    assert backend.name == "torch"
    assert caplog.messages == ["backend torch: no NVIDIA driver; openvino is absent"]
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    with pytest.raises(BackendError, match="openvino is absent"):
        open_backend(cache_dir=None)


def absent(name: str, reason: str) -> Callable[[], Backend]:
    def opener() -> Backend:
        raise BackendError(f"{name} is absent", reason=reason)

    return opener


@pytest.mark.usefixtures("openvino")
def test_the_first_that_opens_is_taken_and_the_log_says_what_others_lack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    openers = {
        "tensorrt": absent("tensorrt", "EXTRA_MISSING"),
        "torch": absent("a GPU", "NO_GPU"),
        "openvino": lambda: open_backend("openvino", cache_dir=None),
        "last": absent("last", "EXTRA_MISSING"),
    }
    with caplog.at_level(logging.INFO):
        backend = first_that_opens(openers)
    assert backend.name == "openvino"
    assert caplog.messages == [
        f"backend openvino: tensorrt is absent; a GPU is absent; {backend.device}"
    ]


def test_a_backend_that_is_here_and_broken_is_not_passed_over() -> None:
    openers = {"tensorrt": absent("memory", "BACKEND_FAILED"), "openvino": absent("x", "NO_GPU")}
    with pytest.raises(BackendError, match="memory is absent"):
        first_that_opens(openers)
    with pytest.raises(BackendError, match="no backend opens: x is absent"):
        first_that_opens({"openvino": openers["openvino"]})


@pytest.mark.skipif(not WITHOUT_DRIVER, reason="this machine has an NVIDIA driver")
def test_tensorrt_without_a_gpu_is_refused_at_once_in_one_line() -> None:
    with pytest.raises(BackendError, match="needs an NVIDIA GPU") as caught:
        open_backend("tensorrt")
    assert caught.value.reason == "NO_GPU"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["torch", "onnx"])
def test_the_torch_backend_without_its_libraries_says_what_to_install(library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from engine.backends import open_backend\n"
        "open_backend('torch')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "the torch backend needs PyTorch" in last
    assert "pip install 'contrapose[torch]'" in last

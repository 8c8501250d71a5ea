"""Which extra of ours brings which module: what to say when one is missing.

A module is imported where it is needed and nothing more: `cli.py` turns a missing one into a line.
"""

from __future__ import annotations

EXTRA_OF = {
    "openvino": "engine",
    "tokenizers": "engine",
    "PIL": "engine",
    "av": "engine",
    "grpc_health": "engine",
    "grpc_reflection": "engine",
    "grpc_status": "engine",
    "argcomplete": "engine",
    "tqdm": "engine",
    "starlette": "engine",
    "uvicorn": "engine",
    "websockets": "engine",
    "prometheus_client": "engine",
    "cryptography": "engine",
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "scipy": "train",
    "smplx": "train",
    "igl": "train",
    "tensorboard": "train",
    "nncf": "quantise",
    "onnxruntime": "quantise",
    "ray": "ray",
    "transformers": "clip",
    "anny": "body",
    "pxr": "usd",
    "matplotlib": "plot",
}
"""By top-level module. Backends say themselves what they lack: others may be there instead."""


def advice(error: ImportError) -> str | None:
    """Such as: needs PIL: pip install 'contrapose[engine]'. None if no extra brings the module."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    return extra and f"needs {module}: pip install 'contrapose[{extra}]'"

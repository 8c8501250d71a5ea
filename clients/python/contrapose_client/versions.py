"""Which distribution the client came with: the whole of Contrapose, or the client alone."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTIONS = ("contrapose", "contrapose-client")


def own_version() -> str:
    """Raises ImportError if both are installed, in two versions: the files of one lie over those
    of the other."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if len(set(found.values())) > 1:
        both = " and ".join(f"{name} {number}" for name, number in found.items())
        raise ImportError(f"{both} are both installed; uninstall contrapose-client")
    return next(iter(found.values()), "unknown")

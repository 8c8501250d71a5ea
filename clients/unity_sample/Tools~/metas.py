"""Gives every asset of the Unity project its .meta: `python metas.py [--check]`.

A guid is the hash of the asset's path, so it is stable and unique without Unity; a file that is
moved gets a new one, and scenes that name it are to be written again (`scenes.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
ROOTS = ("Assets", "Packages/com.contrapose.client")
ENDING = "  externalObjects: {}\n  userData:\n  assetBundleName:\n  assetBundleVariant:\n"
SAMPLES = "Samples~"
TEXTS = (".json", ".txt", ".bytes", ".md")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="metas.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if stale")
    args = parser.parse_args(arguments)
    wanted = {meta_path(asset): meta(asset) for asset in assets()}
    there = {path for root in ROOTS for path in (PROJECT / root).rglob("*.meta")}
    lost = sorted(path for path in there - wanted.keys() if not _is_hidden(path))
    stale = [path for path, text in wanted.items() if path not in there or path.read_text() != text]
    if args.check:
        for path in [*stale, *lost]:
            print(f"{path}: stale; run `python metas.py`")
        return int(bool(stale or lost))
    for path in lost:
        path.unlink()
    for path in stale:
        path.write_text(wanted[path])
    return 0


def assets() -> Iterator[Path]:
    """Files and folders that Unity imports: all but hidden ones and what is in folders with `~`. A
    sample's are imported when it is copied, with the metas that they have."""
    for root in ROOTS:
        for path in sorted((PROJECT / root).rglob("*")):
            if path.suffix != ".meta" and not _is_hidden(path):
                yield path


def _is_hidden(path: Path) -> bool:
    parts = path.relative_to(PROJECT).parts
    if SAMPLES in parts:
        at = parts.index(SAMPLES)
        parts = (*parts[:at], *(parts[at + 2 :] or (SAMPLES,)))  # neither the folder nor the sample
    return any(part.startswith(".") or part.endswith("~") for part in parts)


def meta_path(asset: Path) -> Path:
    return asset.with_name(asset.name + ".meta")


def guid(asset: Path) -> str:
    """32 hexadecimal digits."""
    name = "com.contrapose/" + asset.relative_to(PROJECT).as_posix()
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def meta(asset: Path) -> str:
    return f"fileFormatVersion: 2\nguid: {guid(asset)}\n{_importer(asset)}"


def _importer(asset: Path) -> str:
    if asset.is_dir():
        return f"folderAsset: yes\nDefaultImporter:\n{ENDING}"
    if asset.suffix == ".cs":
        return (
            "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n"
            "  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}\n"
            "  userData:\n  assetBundleName:\n  assetBundleVariant:\n"
        )
    if asset.suffix == ".asmdef":
        return f"AssemblyDefinitionImporter:\n{ENDING}"
    if asset.name == "package.json":
        return f"PackageManifestImporter:\n{ENDING}"
    if asset.suffix in TEXTS:
        return f"TextScriptImporter:\n{ENDING}"
    if asset.suffix == ".jslib":
        return _plugin()
    return f"DefaultImporter:\n{ENDING}"


def _plugin() -> str:
    """A plugin of WebGL alone."""
    return (
        "PluginImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  iconMap: {}\n"
        "  executionOrder: {}\n  defineConstraints: []\n  isPreloaded: 0\n  isOverridable: 0\n"
        "  isExplicitlyReferenced: 0\n  validateReferences: 1\n  platformData:\n"
        "  - first:\n      Any:\n    second:\n      enabled: 0\n      settings: {}\n"
        "  - first:\n      Editor: Editor\n    second:\n      enabled: 0\n      settings:\n"
        "        DefaultValueInitialized: true\n"
        "  - first:\n      WebGL: WebGL\n    second:\n      enabled: 1\n      settings: {}\n"
        "  userData:\n  assetBundleName:\n  assetBundleVariant:\n"
    )


if __name__ == "__main__":
    sys.exit(main())

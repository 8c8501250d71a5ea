# PYTHON_ARGCOMPLETE_OK
"""`contrapose ...`: finds the commands, runs one, and turns our errors into one line.

The engine's own command modules are listed here; other packages (the trainer) offer theirs through
the entry-point group `contrapose.commands`, so the engine imports none of them.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points, version
from typing import NoReturn

from engine.errors import ContraposeError
from engine.extras import advice

COMMAND_MODULES = (
    "engine.commands.serve",
    "engine.commands.view",
    "engine.commands.access",
    "engine.commands.play",
    "engine.commands.vmc",
    "engine.commands.replay",
    "engine.commands.generate",
    "engine.commands.kinds",
    "engine.commands.convert",
    "engine.commands.plot",
    "engine.commands.bundle",
)
LATE_MODULES = {"bench": ("engine.bench.commands", "measure this machine")}
"""Groups of commands that take long to import, with their help: imported when one is asked for."""
EXIT_CALLER_MISTAKE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


class Parser(argparse.ArgumentParser):
    """Says of a word that it does not know which known one is nearest."""

    asked = ""
    """The command that is going to be parsed; its options alone are suggested."""

    def error(self, message: str) -> NoReturn:
        """One line, what is near, and exit code 2."""
        found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message, re.DOTALL)
        if found and (near := _nearest(found[1], re.findall(r"'(.*?)'", found[2]))):
            message = message.partition(" (choose from")[0] + f"; did you mean {near}?"
        elif message.startswith("unrecognized arguments: "):
            word = message.removeprefix("unrecognized arguments: ").split()[0]
            if near := _nearest(word.partition("=")[0], list(_options_of(self, self.asked))):
                message += f"; did you mean {near}?"
        super().error(message)


def _nearest(word: str, known: Sequence[str]) -> str:
    """What was probably meant; not the word itself, which another command knows."""
    others = [other for other in known if other != word]
    return "".join(difflib.get_close_matches(word, others, n=1, cutoff=0.6))


def _options_of(parser: argparse.ArgumentParser, asked: str) -> Iterator[str]:
    """Options of a parser and of the asked command below it; of all where that is no such one."""
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            known = action.choices
            for below in [known[asked]] if asked in known else set(known.values()):
                yield from _options_of(below, asked)


def build_parser(asked: str = "") -> argparse.ArgumentParser:
    """asked  the command that is going to be parsed"""
    parser = Parser(prog="contrapose", description="A second body that reacts to yours, live.")
    parser.asked = asked
    parser.add_argument(
        "--version", action="version", version=f"contrapose {version('contrapose')}"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log changes of state")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMAND_MODULES:
        importlib.import_module(name).add_commands(subparsers)
    for name, (module, summary) in LATE_MODULES.items():
        if name == asked:
            importlib.import_module(module).add_commands(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    for entry in sorted(entry_points(group="contrapose.commands"), key=lambda e: e.name):
        entry.load()(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    # Networks have threads of their own; numpy's would wait for more work in a loop beside them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    argv = sys.argv[1:] if argv is None else argv
    asked = next((word for word in argv if not word.startswith("-")), "")
    parser = build_parser(asked)
    if "_ARGCOMPLETE" in os.environ and importlib.util.find_spec("argcomplete"):
        importlib.import_module("argcomplete").autocomplete(parser)
    if not argv:
        parser.print_help()
        return 0
    args = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        return int(args.run(args))
    except ContraposeError as error:
        print(f"contrapose: error: {error}", file=sys.stderr)
        return EXIT_CALLER_MISTAKE
    except ModuleNotFoundError as error:
        needs = advice(error)
        if needs is None:
            raise
        print(f"contrapose: error: {args.command} {needs}", file=sys.stderr)
        return EXIT_CALLER_MISTAKE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED


if __name__ == "__main__":
    sys.exit(main())

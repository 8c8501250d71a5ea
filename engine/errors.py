"""Every error Contrapose raises on purpose, as one tree.

ContraposeError                what a caller may catch
├── InputError                 a file, a pose or an argument of the caller is wrong
├── ConfigError                a setting is out of range or contradicts another
├── BundleError                the bundle cannot be trusted or understood
├── SessionError               messages of a session came in an order that has no meaning
├── AccessError                whoever asks may not: no token, or a page of somebody else's
├── OverloadedError            the request is fine, but there is no room for it now
└── BackendError               a compiled graph failed, or its runtime is missing

A message says where, what was found, what was expected and what to do, in one line: what a library
or a file said over several is joined, and cut where it goes on and on. `field` names the offending
field and `reason` is a stable word for programs; `serving/statuses.py` has one status for each.
"""

from __future__ import annotations

from typing import Self

MOST_CHARACTERS = 1500
"""Of a message: on a terminal it fits one screen, and no header of a transport refuses it."""


class ContraposeError(Exception):
    """Base of all; `reason` is UPPER_SNAKE and never changes once released."""

    reason = "ERROR"

    def __init__(
        self, message: str, *, field: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(one_line(message))
        self.field = field
        if reason is not None:
            self.reason = reason

    @classmethod
    def at(cls, field: str, problem: str, reason: str | None = None) -> Self:
        """One whose message begins with the field: `header.steps: 0, expected 1 to 50`."""
        return cls(f"{field}: {problem}", field=field, reason=reason)

    def within(self, path: str) -> Self:
        """The same, of a part of something larger: `steps` becomes `header.steps`."""
        return type(self)(f"{path}.{self}", field=f"{path}.{self.field}", reason=self.reason)


def one_line(text: str) -> str:
    """The text with every line end and control character as a space, its middle left out if it is
    over MOST_CHARACTERS long; lone surrogates, which no terminal takes, are written as escapes."""
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS - 300]} ... {text[-290:]}"
    text = text.encode("utf-8", "backslashreplace").decode()
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable if printable == text else " ".join(printable.split())


class InputError(ContraposeError):
    reason = "BAD_INPUT"


class ConfigError(ContraposeError):
    reason = "BAD_CONFIG"


class BundleError(ContraposeError):
    reason = "BAD_BUNDLE"


class SessionError(ContraposeError):
    reason = "BAD_ORDER"


class AccessError(ContraposeError):
    reason = "BAD_TOKEN"


class OverloadedError(ContraposeError):
    """`retry_s`: seconds after which it is worth to try again; None: soon."""

    reason = "OVERLOADED"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        reason: str | None = None,
        retry_s: float | None = None,
    ) -> None:
        super().__init__(message, field=field, reason=reason)
        self.retry_s = retry_s


class BackendError(ContraposeError):
    reason = "BACKEND_FAILED"

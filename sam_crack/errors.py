"""Errors a user can act on: what was given, what is acceptable, what to do next."""

from __future__ import annotations

from typing import ClassVar


class SamCrackError(Exception):
    """Base of every error that is shown to a user without a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, given: str, accepted: str = "", todo: str = "") -> None:
        """Join the three clauses into the one sentence that the user reads."""
        self.given, self.accepted, self.todo = given, accepted, todo
        super().__init__("; ".join(clause for clause in (given, accepted, todo) if clause))


class UsageError(SamCrackError):
    """A command line or configuration that cannot be meant as it stands."""

    exit_code: ClassVar[int] = 2


class BadInput(SamCrackError):
    """A file, folder or value from outside that cannot be used."""

    exit_code: ClassVar[int] = 3


class IntegrityError(SamCrackError):
    """A file that is not what it claims to be: wrong hash, missing tensor, truncated."""

    exit_code: ClassVar[int] = 4


class Interrupted(SamCrackError):
    """The user stopped the run; what was finished is saved."""

    exit_code: ClassVar[int] = 130


def memory_is_full(error: BaseException) -> bool:
    """Whether an error says that the CPU's memory is full, as Python or as torch says it."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)

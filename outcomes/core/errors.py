"""One tree of errors, one exit code a kind.

Every message says what is wrong, where, how often, and what to do. It never repeats a value from a
patient's record: a row number finds the value for those who hold the records, and for no one else.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outcomes.core.problems import Problem


class ExitCode(IntEnum):
    """What the command line answers to the shell."""

    FINE = 0
    BUG = 1
    USAGE = 2
    SPEC = 3
    RECORDS = 4
    ESTIMATION = 5
    DISCLOSURE = 6
    INTERRUPTED = 130


class OutcomesError(Exception):
    """Root of everything this package raises on purpose."""

    exit_code = ExitCode.BUG

    @property
    def reason(self) -> str:
        """The message as words within a sentence, as tables hold it: without its full stop."""
        return str(self).removesuffix(".")


class UsageError(OutcomesError, ValueError):
    """The command or the call cannot be understood as given."""

    exit_code = ExitCode.USAGE


class SpecError(OutcomesError, ValueError):
    """``study.toml`` or another request is wrong; ``faults`` lists every place at once."""

    exit_code = ExitCode.SPEC

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class RecordsError(OutcomesError, ValueError):
    """The records cannot be analysed as they are; ``problems`` lists every reason at once."""

    exit_code = ExitCode.RECORDS

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class EstimationError(OutcomesError, RuntimeError):
    """A model could not give a number that deserves to be read."""

    exit_code = ExitCode.ESTIMATION


class NotConverged(EstimationError):  # noqa: N818 - the field's word for it
    """The optimiser did not reach a stationary point."""


class NotEstimable(EstimationError):  # noqa: N818 - the field's word for it
    """The data hold no information on what was asked for."""


class DisclosureError(OutcomesError):
    """A number that could point at a person would have left the house."""

    exit_code = ExitCode.DISCLOSURE

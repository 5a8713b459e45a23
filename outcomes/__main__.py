"""``outcomes`` and ``python -m outcomes``: a command, which Ctrl-C ends with 130 and no traceback.

The command line is imported after Ctrl-C has been seen to, as that is most of a short command.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from outcomes.core.errors import ExitCode


class _Interruption(KeyboardInterrupt):
    """What Ctrl-C raises.

    Where a plain ``KeyboardInterrupt`` has left a text that ``exec`` runs, as the making of a
    dataclass does, CPython ends by the signal although it was caught.
    """


class _CtrlC:
    """Handler of the signal: interrupts a running command, and notes it then and thereafter."""

    def __init__(self) -> None:
        self.running = True
        self.noted = False

    def __call__(self, number: int, frame: object) -> None:
        self.noted = True
        if self.running:
            raise _Interruption


def _show_lost(lost: sys.UnraisableHookArgs) -> None:
    """Show an error that could not be raised, as in a destructor, unless it is Ctrl-C."""
    if not issubclass(lost.exc_type, _Interruption):
        sys.__unraisablehook__(lost)


def main() -> NoReturn:
    """Entry point: runs a command and ends with its exit code.

    A library may make another error of Ctrl-C, as DuckDB does within a query, or lose it where an
    object is being deleted. The exit code tells of it nonetheless.
    """
    ctrl_c = _CtrlC()
    sys.unraisablehook = _show_lost
    try:
        signal.signal(signal.SIGINT, ctrl_c)

        from outcomes.cli import answer

        answer()
        sys.exit()
    except BaseException:
        ctrl_c.running = False  # at once: Python looks for signals at the next call
        # Ending, the interpreter gives a signal its way again unless it is ignored.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not ctrl_c.noted:
            raise
    sys.stderr.write("Aborted.\n")
    sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()

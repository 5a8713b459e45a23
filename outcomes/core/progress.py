"""Stages with names, shown while they run and kept when they are done.

On a terminal one line is rewritten (stage, done of total, time left); elsewhere every stage prints
one plain line. Everything goes to the error stream: results alone belong on standard output.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from outcomes.core.provenance import peak_memory_mb


@dataclass(frozen=True)
class StageRecord:
    """What one stage cost: wall seconds and the process's peak memory after it, in MB."""

    name: str
    seconds: float
    peak_mb: float


@dataclass
class Progress:
    """Says what is going on, unless ``quiet``.

    Attributes
    ----------
    total : int
        Number of stages expected; 0 when unknown.
    records : list of StageRecord
        The stages that are done.
    """

    total: int = 0
    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    records: list[StageRecord] = field(default_factory=list)
    _label: str = ""
    _started: float = 0.0
    _shown: float = 0.0

    @property
    def _live(self) -> bool:
        return not self.quiet and self.stream.isatty()

    @contextmanager
    def stage(self, name: str, label: str) -> Iterator[Progress]:
        """Run one stage; its record is kept even when it fails."""
        self._label = f"[{len(self.records) + 1}/{self.total}] {label}" if self.total else label
        self._started = time.perf_counter()
        self._write(self._label + " ...", end="" if self._live else "\n")
        try:
            yield self
        finally:
            seconds = time.perf_counter() - self._started
            self.records.append(StageRecord(name, seconds, peak_memory_mb()))
            if self._live:
                self._write(f"\r\033[K{self._label}: {seconds:.1f} s")

    def update(self, done: int, total: int) -> None:
        """Say how far the running stage is; at most ten times a second."""
        now = time.perf_counter()
        if not self._live or now - self._shown < 0.1 or done <= 0:
            return
        self._shown = now
        left = (now - self._started) / done * (total - done)
        self._write(f"\r\033[K{self._label}: {done:,}/{total:,}, {left:.0f} s left", end="")

    def message(self, text: str) -> None:
        """One line about something worth knowing."""
        self._write(("\r\033[K" if self._live else "") + text)

    def _write(self, text: str, end: str = "\n") -> None:
        if not self.quiet:
            self.stream.write(text + end)
            self.stream.flush()


SILENT = Progress(quiet=True)

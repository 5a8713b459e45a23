"""One command, measured as a process of its own: wall and CPU seconds, largest memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a process cost."""

    wall: float
    cpu: float
    peak_mb: float


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command to its end and return its cost.

    Raises
    ------
    RuntimeError
        Where the command fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Cost(
        wall=time.perf_counter() - start,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / scale,
    )


def line(name: str, cost: Cost, base: Cost | None = None) -> str:
    """Lay out one row of a table, with ratios of wall and of CPU seconds."""
    ratios = f"{cost.wall / base.wall:10.1f}{cost.cpu / base.cpu:10.1f}" if base else ""
    return f"{name:<44}{cost.wall:10.2f}{cost.cpu:10.2f}{cost.peak_mb:10.0f}{ratios}"


HEAD = f"{'':<44}{'wall s':>10}{'cpu s':>10}{'peak MB':>10}{'x wall':>10}{'x cpu':>10}"

"""Nothing half-written: work under a temporary name beside the target, then rename.

A folder is replaced only when it is empty or carries the marker file that this package writes, so
that ``--out`` can never delete something that was not ours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outcomes.core.errors import UsageError


def _sibling(target: Path) -> Path:
    """Name of a temporary sibling on the same file system."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}. Name another.") from error
    return Path(made)


@contextmanager
def replaced_folder(target: Path, *, marker: str = "manifest.json") -> Iterator[Path]:
    """Yield a temporary folder that becomes ``target`` when the block ends well.

    Raises
    ------
    UsageError
        Where ``target`` exists and is not one of ours.
    """
    target = target.absolute()
    check_replaceable(target, marker=marker)
    partial = _sibling(target)
    try:
        yield partial
        partial.chmod(0o755)
        if target.exists():
            old = _sibling(target)
            target.replace(old / "old")
            partial.replace(target)
            shutil.rmtree(old)
        else:
            partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(target: Path, *, marker: str = "manifest.json") -> None:
    """Refuse a target that cannot be written, is a file, or holds something that is not ours.

    Raises
    ------
    UsageError
    """
    place = next(above for above in target.parents if above.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise UsageError(f"{target} cannot be written: {place} is no folder to write in.")
    if target.is_file():
        raise UsageError(f"{target} is a file; name a folder for the results.")
    if target.is_dir() and any(target.iterdir()) and not (target / marker).is_file():
        raise UsageError(
            f"{target} is not empty and holds no {marker}, so it is left alone. "
            "Name a new folder, or empty this one."
        )


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Yield a temporary file path that becomes ``target`` when the block ends well."""
    target = target.absolute()
    if target.is_dir():
        raise UsageError(f"{target} is a folder; name a file.")
    folder = _sibling(target)
    try:
        partial = folder / target.name
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

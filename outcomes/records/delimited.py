"""Text files as they come: which encoding, which separator, and which lines are broken.

A well-formed UTF-8 file goes straight to DuckDB. Any other is read once by Python's own CSV
reader, which knows the number of every row, and a clean copy is made in a temporary folder: rows
with too many or too few cells are left out there and reported by number. Stray bytes in UTF-8, as
where two files were put together, are read as letters of Windows and reported by number too.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

SEPARATORS: Final = (",", ";", "\t", "|")
_CHUNK: Final = 1 << 20
_SAMPLE: Final = 1 << 16
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8: Final = ("utf-8", "utf-8-sig")
_STRAY: Final = re.compile("[\udc80-\udcff]")
"""Bytes that are not UTF-8, as Python hands them through (``surrogateescape``)."""
_LETTER: Final = re.compile("[^\x00-\x7f\udc80-\udcff]")
_LETTERS: Final = {
    0xDC00 + byte: bytes([byte]).decode("latin-1") for byte in range(0x80, 0x100)
} | {
    0xDC00 + byte: bytes([byte]).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_BINARY: Final = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"SQLite", b"\x89HDF", b"%PDF", b"\xd0\xcf")


@dataclass(frozen=True, kw_only=True)
class Bytes:
    """What one pass over the bytes of a file tells; ``stray`` bytes are not of its encoding."""

    sha256: str
    size: int
    encoding: str
    nul_bytes: int
    binary: bool
    ends_in_newline: bool
    stray: bool = False

    @property
    def is_utf8(self) -> bool:
        """Whether DuckDB can read the file as it is."""
        return self.encoding in _UTF8 and not self.stray


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the text is laid out; ``skip`` lines stand before the header."""

    separator: str
    header: tuple[str, ...]
    skip: int = 0


@dataclass
class Broken:
    """Rows that could not be cut into cells, by number; 1 = first data row."""

    short: list[int] = field(default_factory=list)
    long: list[int] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)
    unclosed: int = 0
    n_rows: int = 0


def read_bytes(path: Path, encoding: str = "") -> Bytes:
    """Hash a file and find its encoding in one pass; ``encoding`` overrules the finding."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, nul, size, last, first = True, 0, 0, b"", b""
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            first = first or chunk[:_SAMPLE]
            size, nul, last = size + len(chunk), nul + chunk.count(0), chunk[-1:]
            utf8 = utf8 and _decodes(decoder, chunk, final=False)
    utf8 = utf8 and _decodes(decoder, b"", final=True)
    found = _plain(encoding) if encoding else _encoding(path, first, utf8=utf8, nul=nul)
    return Bytes(
        sha256=digest.hexdigest(),
        size=size,
        encoding=found,
        nul_bytes=0 if found.startswith(("utf-16", "utf-32")) else nul,
        binary=first.startswith(_BINARY),
        ends_in_newline=last in (b"\n", b"\r", b"\x00", b""),
        stray=found in _UTF8 and not utf8,
    )


def _plain(encoding: str) -> str:
    """Write UTF-8 in one way, however the mapping does."""
    name = codecs.lookup(encoding).name
    return name if name in _UTF8 else encoding


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(path: Path, first: bytes, *, utf8: bool, nul: int) -> str:
    for mark, name in _MARKS:
        if first.startswith(mark):
            return name
    if nul and (wide := _wide(first)):
        return wide
    if utf8 or _mostly_utf8(path):
        return "utf-8"
    # Five bytes have no meaning in cp1252; a file that holds one is read as latin-1, which has all.
    with path.open("rb") as handle:
        windows = not any(
            byte in chunk
            for chunk in iter(lambda: handle.read(_CHUNK), b"")
            for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
        )
    return "cp1252" if windows else "latin-1"


def _mostly_utf8(path: Path) -> bool:
    """Whether more letters are right in UTF-8 than bytes are wrong: other encodings make none."""
    letters = strays = 0
    with _opened(path, "utf-8") as handle:
        while text := handle.read(_CHUNK):
            letters += len(_LETTER.findall(text))
            strays += len(_STRAY.findall(text))
    return letters > strays


def _opened(path: Path, encoding: str) -> TextIO:
    errors = "surrogateescape" if encoding in _UTF8 else "strict"
    return path.open(encoding=encoding, errors=errors, newline="")


def _wide(first: bytes) -> str:
    """UTF-16 without a mark: nearly every other byte of plain text is zero."""
    half = max(len(first) // 2, 1)
    if first[1::2].count(0) > 0.7 * half:
        return "utf-16-le"
    return "utf-16-be" if first[0::2].count(0) > 0.7 * half else ""


def read_layout(path: Path, encoding: str, separator: str = "") -> Layout | None:
    """Find separator and header; None where the file holds no text at all.

    Raises
    ------
    UnicodeError
        Where the text is not in ``encoding``.
    """
    with _opened(path, encoding) as handle:
        text = handle.read(_SAMPLE).translate(_LETTERS)
    text = text.removeprefix("\ufeff")
    skip = 0
    lines = text.splitlines(keepends=True)
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    if skip == len(lines):
        return None
    # Spreadsheets write "sep=;" as a first line of its own.
    if lines[skip].strip().lower().startswith("sep=") and len(lines[skip].strip()) == 5:
        separator = separator or lines[skip].strip()[4]
        skip += 1
    rest = "".join(lines[skip:])
    separator = separator or _separator(rest)
    header: list[str] = next(_rows(rest, separator), [])
    return Layout(separator=separator, header=tuple(header), skip=skip)


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _separator(text: str) -> str:
    """The separator that cuts the first rows into the same number of cells, the more the better."""
    best, best_score = ",", (0.0, 1)
    for separator in SEPARATORS:
        widths = _widths(text, separator)
        wide = widths[0] if widths else 1
        score = (sum(width == wide for width in widths) / max(len(widths), 1), wide)
        if wide > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _widths(text: str, separator: str) -> list[int]:
    rows = _rows(text, separator)
    widths: list[int] = []
    try:
        for row in rows:
            if row:
                widths.append(len(row))
            if len(widths) > 50:
                break
    except csv.Error:
        return widths[:-1] or widths
    # The sample may end in the middle of a row.
    return widths[:-1] if len(widths) > 2 else widths


def clean_copy(path: Path, encoding: str, layout: Layout, target: Path) -> Broken:
    """Write the rows that have the header's number of cells, each after its row number.

    Raises
    ------
    UnicodeError
        Where the text is not in ``encoding``.
    """
    broken = Broken()
    width = len(layout.header)
    with (
        _opened(path, encoding) as handle,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        for _ in range(layout.skip):
            handle.readline()
        reader = csv.reader(handle, delimiter=layout.separator, strict=True)
        next(reader, None)
        writer = csv.writer(copy, quoting=csv.QUOTE_ALL, lineterminator="\n")
        _copy_rows(reader, writer, width, broken)
    return broken


def _copy_rows(reader: Iterator[list[str]], writer: Any, width: int, broken: Broken) -> None:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            broken.n_rows += 1
            if "unexpected end" in str(fault):
                broken.unclosed = broken.n_rows
            else:
                broken.malformed.append(broken.n_rows)
            continue
        if not row:
            continue
        broken.n_rows += 1
        if any(map(_STRAY.search, row)):
            broken.stray.append(broken.n_rows)
            row = [cell.translate(_LETTERS) for cell in row]
        if len(row) == width:
            writer.writerow([broken.n_rows, *row])
        else:
            (broken.short if len(row) < width else broken.long).append(broken.n_rows)

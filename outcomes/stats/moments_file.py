"""Moments as bytes: a magic word, a JSON header with a checksum, and little-endian arrays.

No pickle: reading bytes from elsewhere runs nothing. The header lists the arrays with type and
shape; the arrays follow in that order. A version that is not ours is refused, not guessed at.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError
from outcomes.stats.layout import Layout

_MAGIC = b"OUTCOMES-MOMENTS"
VERSION = 1

_LABELS = ("columns", "visits", "groups")


def pack(layout: Layout, sums: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Bytes that :func:`unpack` reads back to the layout and the named sums."""
    arrays = {"shift": layout.shift, "scale": layout.scale, **sums}
    body = b"".join(_little(a).tobytes() for a in arrays.values())
    header = {
        "version": VERSION,
        "sha256": hashlib.sha256(body).hexdigest(),
        "arrays": [[name, _little(a).dtype.str, list(a.shape)] for name, a in arrays.items()],
        **{name: list(getattr(layout, name)) for name in _LABELS},
    }
    text = json.dumps(header).encode()
    return _MAGIC + struct.pack("<Q", len(text)) + text + body


def unpack(data: bytes) -> tuple[Layout, dict[str, npt.NDArray[Any]]]:
    """Read what :func:`pack` wrote.

    Raises
    ------
    UsageError
        Where the bytes are not moments, are of another version, or are damaged.
    """
    header, body = _open(data)
    if hashlib.sha256(body).hexdigest() != header["sha256"]:
        raise UsageError("These moments are damaged: their checksum does not fit. Make them again.")
    arrays = _read_arrays(header["arrays"], body)
    labels = {name: tuple(header[name]) for name in _LABELS}
    layout = Layout(shift=arrays.pop("shift"), scale=arrays.pop("scale"), **labels)
    return layout, arrays


def _open(data: bytes) -> tuple[dict[str, Any], bytes]:
    start = len(_MAGIC) + 8
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise UsageError("These bytes are not moments written by this program.")
    (length,) = struct.unpack("<Q", data[len(_MAGIC) : start])
    try:
        header = json.loads(data[start : start + length])
    except ValueError as error:
        raise UsageError("These moments are damaged: their header cannot be read.") from error
    if header.get("version") != VERSION:
        raise UsageError(
            f"These moments are of version {header.get('version')}; this program reads version "
            f"{VERSION}. Make them again with this program."
        )
    return header, data[start + length :]


def _read_arrays(listed: list[list[Any]], body: bytes) -> dict[str, npt.NDArray[Any]]:
    arrays, at = {}, 0
    for name, kind, shape in listed:
        dtype = np.dtype(kind)
        size = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(body, dtype, count=size, offset=at)
        arrays[name] = flat.reshape(shape).astype(dtype.newbyteorder("="))
        at += size * dtype.itemsize
    return arrays


def _little(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))

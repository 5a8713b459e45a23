"""Columns of made-up tables: numbers, codes and ids as Arrow arrays, without a loop over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class Streams:
    """One stream of random numbers a subject, so that adding to one table moves no other."""

    seed: int

    def __call__(self, subject: str) -> np.random.Generator:
        """Return the stream of a subject; always from its start."""
        words = [self.seed, *subject.encode()]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


@dataclass(frozen=True)
class Codes:
    """A category as positions in its levels; -1 is missing."""

    codes: Ints
    levels: tuple[str, ...]

    def __getitem__(self, rows: Any) -> Codes:
        return Codes(self.codes[rows], self.levels)

    def is_level(self, *names: str) -> Flags:
        """Whether each row is one of some levels."""
        return np.isin(self.codes, [self.levels.index(name) for name in names])


def drawn(rng: np.random.Generator, n: int, shares: Mapping[str, float]) -> Codes:
    """Draw codes with given shares."""
    weights = np.array(list(shares.values()))
    codes = rng.choice(len(weights), size=n, p=weights / weights.sum())
    return Codes(codes.astype(np.int64), tuple(shares))


def with_gaps(rng: np.random.Generator, codes: Codes, share: float) -> Codes:
    """Lose a share of the codes."""
    lost = rng.random(len(codes.codes)) < share
    return Codes(np.where(lost, -1, codes.codes), codes.levels)


def ids(prefix: str, numbers: Ints, width: int = 7) -> pa.Array:
    """Write ids such as ``E0000012``; a number below 0 is missing."""
    text = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    named = pc.binary_join_element_wise(prefix, text, "")
    return pc.if_else(pa.array(numbers >= 0), named, pa.scalar(None, pa.string()))


def arrow(value: Any) -> pa.Array:
    """Turn a column into an Arrow array: NaN and codes of -1 become null."""
    if isinstance(value, Codes):
        codes = pa.array(value.codes.astype(np.int32), mask=value.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(value.levels)).cast(pa.string())
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return pa.array(value, mask=np.isnan(value))
    return value if isinstance(value, pa.Array | pa.ChunkedArray) else pa.array(value)


def table(**columns: Any) -> pa.Table:
    """Build a table from columns."""
    return pa.table({name: arrow(value) for name, value in columns.items()})


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Put tables with partly different columns under one another."""
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def whole(values: Floats) -> pa.Array:
    """Whole numbers where NaN is missing."""
    gone = np.isnan(values)
    return pa.array(np.where(gone, 0, values).astype(np.int64), mask=gone)


def in_order(found: pa.Table, *keys: str) -> pa.Table:
    """Sort rows by columns, stably."""
    names = "_row"
    numbered = found.append_column(names, pa.array(np.arange(found.num_rows)))
    order = pc.sort_indices(numbered, sort_keys=[(key, "ascending") for key in (*keys, names)])
    return found.take(order)

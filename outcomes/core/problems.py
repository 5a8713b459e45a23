"""What is wrong with a set of records, said once for all of them.

A :class:`Problem` names table, column, rule, how many rows, the first few row numbers and a remedy.
It has no field that could hold a patient's value, and messages must not be built from one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Literal

Severity = Literal["fatal", "error", "warning", "note"]
"""``fatal`` nothing can be analysed; ``error`` rows are set aside, or cells emptied that only
describe; ``warning`` kept, look at it; ``note`` what was done without being asked (a recode, a
default)."""

SEVERITIES: tuple[Severity, ...] = ("fatal", "error", "warning", "note")
FIRST_ROWS = 5


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One kind of fault at one place.

    Attributes
    ----------
    severity : {"fatal", "error", "warning", "note"}
    table, column : str
        Canonical names where known, else the file and column as exported; ``column`` may be empty.
    rule : str
        Stable short name of the rule that was broken, such as ``"range"`` or ``"orphan"``.
    count : int
        Rows concerned; 0 where the fault is not in rows.
    n_rows : int
        Rows looked at.
    rows : tuple of int
        The first few row numbers, 1 = first data row of the file.
    message : str
        What is wrong, without any value of a row.
    remedy : str
        What to do about it.
    source : str
        File name within the records folder, without its path.
    counted : {"rows", "values"}
        What ``count`` and ``n_rows`` are of the file: values, where each makes a row of the table.
    """

    severity: Severity
    table: str
    column: str = ""
    rule: str
    message: str
    remedy: str
    count: int = 0
    n_rows: int = 0
    rows: tuple[int, ...] = ()
    source: str = ""
    counted: Literal["rows", "values"] = "rows"

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        where = f" (first rows {', '.join(map(str, self.rows[:FIRST_ROWS]))})" if self.rows else ""
        file = f"of {self.source} " if self.source and self._other_file else ""
        many = f"{self.count:,} of {self.n_rows:,} {self.counted} {file}"
        many = many if self.count and self.n_rows else ""
        return f"{place}: {many}{self.message}{where}. {self.remedy}"

    @property
    def _other_file(self) -> bool:
        """Whether the name of the table does not say which file the rows are in."""
        return PurePath(self.source).stem != self.table

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and for the problems table."""
        return {**asdict(self), "rows": list(self.rows)}

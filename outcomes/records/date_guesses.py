"""How dates are written: the form that the cells of an export settle, or what has to be asked.

A form is looked for by its shape and by whether the database reads the cell by it. Whether the day
or the month comes first shows only where a part is above 12; all columns answer together, because
one list of forms holds for all of them. Cells are counted and never returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from outcomes.core.errors import SpecError
from outcomes.records.columns import date_text, family, in_years
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident, literal

EXAMPLE: Final = 'such as "%d.%m.%Y" for 31.03.2019, "%d/%m/%Y" for 31/03/2019 or "%m/%d/%Y"'
"""What a form looks like, for messages."""

MOST_SHAPES: Final = 200
_SHAPES: Final = {
    "%d": "[0-9]{1,2}",
    "%m": "[0-9]{1,2}",
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{4,}",
    "%H": "[0-9]{1,2}",
    "%M": "[0-9]{2}",
    "%S": "[0-9]{2}",
    ".": "[.]",
}
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S")
_ISO: Final = ("%Y-%m-%d", "%Y/%m/%d")
_PLAIN: Final = (
    *(f"{day}{clock}" for day in _ISO for clock in (*_CLOCKS, "T%H:%M", "T%H:%M:%S")),
    *(f"%Y.%m.%d{clock}" for clock in _CLOCKS),
    "%Y%m%d",
    *(f"%d{gap}{month}{gap}%Y" for gap in " -" for month in ("%b", "%B")),
    *(f"{month} %d, %Y" for month in ("%b", "%B")),
)


@dataclass(frozen=True)
class _Form:
    """One way of writing, with its twin in which the month comes before the day."""

    first: str
    twin: str = ""

    @property
    def mark(self) -> str:
        """What stands between the parts."""
        return self.first[2]


_FORMS: Final = (
    # In the order in which a mapping should try them: "%Y" would read 19 as the year nineteen.
    *(
        _Form(f"%d{mark}%m{mark}{year}{clock}", f"%m{mark}%d{mark}{year}{clock}")
        for year, marks in (("%y", "./"), ("%Y", "./-"))
        for mark in marks
        for clock in _CLOCKS
    ),
    *(_Form(plain) for plain in _PLAIN),
)


@dataclass(frozen=True, kw_only=True)
class DateForms:
    """The forms to declare, none where dates are read anyway; or what has to be asked.

    ``notes`` name the columns that are read like others without a date of their own to tell.
    """

    forms: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """Cells of one form in one place: read with the day first, the month first, or at all."""

    place: str
    form: _Form
    first: int
    twin: int
    any: int

    @property
    def tells(self) -> bool:
        """Whether a cell shows which part is the day, or a point does."""
        settled = self.first < self.any or self.twin < self.any
        return settled or not self.form.twin or self.form.mark == "."


def guess_forms(connection: Any, columns: Iterable[tuple[Loaded, str]]) -> DateForms:
    """Find how the dates of some columns of sources are written."""
    seen: list[_Seen] = []
    gaps: list[str] = []
    once = {(source.relation, column): (source, column) for source, column in columns}
    for source, column in once.values():
        holds_texts, found = _looked_at(connection, source, column)
        seen += found
        if holds_texts and not found:
            gaps.append(
                f"{_place(source, column)} holds dates in a form that was not recognised: say which"
            )
    return _decided(seen, gaps)


def _decided(seen: list[_Seen], gaps: list[str]) -> DateForms:
    present = [form for form in _FORMS if any(one.form == form for one in seen)]
    if not gaps and all(form.first.startswith(_ISO) for form in present):
        return DateForms()
    forms: list[str] = []
    for form in present:
        same = [one for one in seen if one.form.twin and one.form.mark == form.mark]
        day_first = any(one.twin < one.any for one in same)
        month_first = any(one.first < one.any for one in same)
        if not form.twin:
            forms.append(form.first)
        elif day_first and month_first:
            gaps.append(
                f"some dates are read only as {form.first}, others only as {form.twin}: "
                "mend the export, or say which is meant"
            )
        elif month_first:
            forms.append(form.twin)
        elif day_first or form.mark == ".":
            # With points between the parts the day comes first wherever that is the custom.
            forms.append(form.first)
        else:
            gaps.append(
                f"are dates written {form.first} or {form.twin}? In no part is above 12 to tell"
            )
    telling = {one.place for one in seen if one.tells}
    silent = dict.fromkeys(one.place for one in seen if one.place not in telling)
    notes = [f"no part of {place} is above 12: it is read like the others" for place in silent]
    return DateForms(forms=tuple(forms), gaps=tuple(gaps), notes=tuple(notes))


def _place(source: Loaded, column: str) -> str:
    return f"{column!r} in {source.origin.name}"


def _looked_at(connection: Any, source: Loaded, column: str) -> tuple[bool, list[_Seen]]:
    """Whether a column holds texts, and how many of them are read by every form."""
    if family(source.columns[column]) == "date":
        return False, []
    texts = f"(SELECT DISTINCT {date_text(ident(column))} AS text FROM {source.relation})"
    # One query of the shapes first: to compile every form takes longer than to read most tables.
    shapes = connection.execute(
        "SELECT regexp_replace(regexp_replace(text, '[0-9]', '9', 'g'), '[A-SU-Za-z]', 'a', 'g') "
        f"AS shape FROM {texts} WHERE text IS NOT NULL GROUP BY shape ORDER BY count(*) DESC, shape"
        f" LIMIT {MOST_SHAPES}"
    ).fetchall()
    likely = [form for form in _FORMS if any(_shape(form.first).fullmatch(s) for (s,) in shapes)]
    place = _place(source, column)
    seen = [_counted(connection, texts, place, form) for form in likely]
    seen = [one for one in seen if one.any and not _year_first(connection, texts, one.form)]
    return bool(shapes), seen


def _year_first(connection: Any, texts: str, form: _Form) -> bool:
    """Whether two digits of a year may as well stand first: the last parts differ more.

    Of 24/03/31 and its like either end can be a day, but days differ more than years do.
    """
    if "%y" not in form.first:
        return False
    parts = f"regexp_extract_all(text, '[0-9]+') AS parts FROM {texts}"
    (turned,) = connection.execute(
        "SELECT count(DISTINCT parts[3]) > count(DISTINCT parts[1]) "
        "AND max(CAST(parts[3] AS INTEGER)) <= 31 AND min(CAST(parts[3] AS INTEGER)) > 0 "
        f"FROM (SELECT {parts} WHERE {_fits(form.first)} OR {_fits(form.twin)})"
    ).fetchone()
    return bool(turned)


def _counted(connection: Any, texts: str, place: str, form: _Form) -> _Seen:
    first, twin = _fits(form.first), _fits(form.twin) if form.twin else "FALSE"
    counts = ", ".join(f"count(*) FILTER ({fits})" for fits in (first, twin, f"{first} OR {twin}"))
    return _Seen(place, form, *connection.execute(f"SELECT {counts} FROM {texts}").fetchone())


def _fits(form: str) -> str:
    shape = literal(_shape(form).pattern)
    read = f"({in_years(f'try_strptime(text, {literal(form)})')}) IS NOT NULL"
    return f"coalesce(regexp_full_match(text, {shape}) AND {read}, FALSE)"


def _shape(form: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%.|[.]", lambda part: _SHAPES[part.group()], form))


def check_forms(forms: Iterable[str], *, name: str) -> None:
    """Refuse what is no form of a date, such as ``dd.mm.yyyy``.

    Raises
    ------
    SpecError
        With every form that is none, and a right one.
    """
    faults = [
        f"dates.format: {form!r} does not say where day, month and year stand. Write {_right(form)}"
        for form in forms
        if not _is_form(form)
    ]
    if faults:
        raise SpecError(f"{name}: {faults[0]}", faults)


def _is_form(form: str) -> bool:
    import duckdb

    try:
        duckdb.execute(f"SELECT try_strptime('', {literal(form)})")
    except duckdb.Error:
        return False
    said = set(re.findall(r"%-?([A-Za-z])", form))
    day_of_year = "j" in said or ({"m", "b", "B"} & said and "d" in said)
    return bool({"x", "c"} & said or (day_of_year and {"y", "Y"} & said))


def _right(form: str) -> str:
    """The same in letters that are understood, else an example."""
    meant = form.lower()
    for word, letter in (("yyyy", "%Y"), ("yy", "%y"), ("mm", "%m"), ("dd", "%d")):
        meant = meant.replace(word, letter)
    return f'"{meant}".' if _is_form(meant) else f"one {EXAMPLE}."

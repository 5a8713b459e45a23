"""Short forms for columns that many tables share: ids, days, codes, yes or no, amounts."""

from __future__ import annotations

from outcomes.core.contract import Column


def key(name: str, what: str, *, references: str = "", required: bool = True) -> Column:
    return Column(
        name=name,
        kind="key",
        description=what,
        required=required,
        nullable=not required,
        references=references,
        disclosure="identifier",
    )


def day(what: str = "Days from the start of the episode", *, required: bool = True) -> Column:
    return Column(
        name="day",
        kind="integer",
        description=what,
        required=required,
        nullable=not required,
        unit="d",
        low=-3650,
        high=7300,
        warn_low=-365,
        warn_high=1460,
    )


def code(name: str, what: str, values: tuple[str, ...] = (), *, open_values: bool = True) -> Column:
    return Column(
        name=name,
        kind="category",
        description=what,
        values=values,
        open_values=open_values,
        disclosure="quasi",
    )


def flag(name: str, what: str) -> Column:
    return Column(name=name, kind="boolean", description=what, disclosure="quasi")


def amount(
    name: str,
    what: str,
    unit: str,
    low: float | None = 0,
    high: float | None = None,
    warn_high: float | None = None,
) -> Column:
    return Column(
        name=name,
        kind="number",
        description=what,
        unit=unit,
        low=low,
        high=high,
        warn_high=warn_high,
    )

"""What every part of a report is built from, and the cells of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from outcomes.figures.svg import swatch
from outcomes.report.comparisons import Comparisons, as_number, build_comparisons
from outcomes.report.means import Means, build_means
from outcomes.report.narrative import Narrative
from outcomes.report.study import Study, build_study
from outcomes.results.wording import count, missing, value_text

if TYPE_CHECKING:
    from outcomes.report.release import Release


@dataclass(frozen=True)
class Context:
    """A release with everything that is asked of it more than once."""

    release: Release
    study: Study
    comparisons: Comparisons
    means: Means
    narrative: Narrative

    def swatch(self, exposure: str) -> Markup:
        """Return the marker of a type, to stand beside its name."""
        look = self.study.looks.get(exposure)
        return Markup(swatch(look)) if look else Markup("")

    def slot(self, exposure: str) -> int:
        """Return the place of a type in the study's order."""
        return self.study.looks[exposure].slot


def build_context(release: Release) -> Context:
    """Read a release once for all parts of a report."""
    study = build_study(release.study)
    comparisons = build_comparisons(study, release)
    means = build_means(study, release)
    return Context(release, study, comparisons, means, Narrative(study, comparisons, means))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table: its text, whether it is hidden, and the number behind the text.

    ``n`` says on how many the number rests, where the table is one that shows it.
    """

    text: str = "–"
    hidden: bool = False
    value: float | None = None
    css: str = ""
    n: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with a row a type: heads of the columns, and the cells of each exposure."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


HIDDEN = Cell(text="", hidden=True)
HIDDEN_MARK = "\u25a8"
"""A hidden number inside a text; the page puts the hatch in its place."""


def n_words(study: Study, n: float | None) -> str:
    """Return a count; where small numbers are hidden, one that is not there is marked."""
    return HIDDEN_MARK if n is None and study.threshold else count(n)


def sized(study: Study, cell: Cell, row: Mapping[Any, Any]) -> Cell:
    """Return a cell with how many its number rests on; a hidden cell may leave it out."""
    n = as_number(row.get("n_episodes"))
    return cell if n is None and cell.hidden else replace(cell, n=n_words(study, n))


def value_cell(row: Mapping[Any, Any], *, name: str = "estimate") -> Cell:
    """Return the cell of a described value: hidden, absent or in words."""
    value = as_number(row.get(name))
    if value is None or missing(value):
        return HIDDEN if row.get("suppressed") else Cell()
    words = value_text(value, str(row.get("statistic", "")), str(row.get("unit", "")))
    return Cell(text=words, value=value)


def count_cell(row: Mapping[Any, Any], name: str) -> Cell:
    """Return the cell of a count."""
    value = as_number(row.get(name))
    if value is None:
        return HIDDEN if row.get("suppressed") else Cell()
    return Cell(text=value_text(value, "count", "episodes"), value=value)

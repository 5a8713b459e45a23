"""What a clinic may send instead of rows: moments with their description, and how they add up.

Coding, shift and scale are fixed by the study (:mod:`outcomes.models.covariates`), so two clinics'
moments differ in form only in the levels that occur. A level that a clinic never saw is a column of
zeros in its moments; laid out over the union of all columns, moments of clinics add. Clinics and
providers of different files are different ones even where their numbers agree; those too small for
an effect of their own share one in every file.

The analysis of the sum is the analysis of the pooled rows: both are the same function of the same
sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from outcomes.core.errors import RecordsError
from outcomes.engines import duckdb as duckdb_engine
from outcomes.engines import frame as frame_engine
from outcomes.models.covariates import POOLED, Coded
from outcomes.models.description import Description, describe_rows, read_description
from outcomes.models.layout import code_study, fixed_layout, lay_out

if TYPE_CHECKING:
    import duckdb

    from outcomes.models.layout import OutcomeRows
    from outcomes.stats.moments import Layout, Moments
    from outcomes.study.dataset import StudyDataset

Engine = Literal["duckdb", "frame"]
_ENGINES = {"duckdb": duckdb_engine.sum_moments, "frame": frame_engine.sum_moments}
Part = tuple["Moments", Description]


def sum_outcome(
    rows: OutcomeRows, engine: Engine, connection: duckdb.DuckDBPyConnection | None = None
) -> Moments:
    """Add up the moments of one outcome, grouped by type."""
    return _ENGINES[engine](
        rows.layout,
        rows.subjects(),
        rows.study.dataset.visit_rows,
        response=rows.outcome.id,
        connection=connection,
    )


def study_moments(
    dataset: StudyDataset,
    engine: Engine = "duckdb",
    *,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> dict[str, tuple[Moments, dict[str, Any]]]:
    """Return moments and description of every outcome of a study.

    Parameters
    ----------
    dataset : StudyDataset
    engine : {"duckdb", "frame"}
    connection : duckdb.DuckDBPyConnection, optional

    Returns
    -------
    dict
        Outcome to moments and to a description as JSON values.
    """
    study = code_study(dataset)
    laid = {outcome.id: lay_out(study, outcome) for outcome in dataset.spec.outcomes}
    return {
        name: (sum_outcome(rows, engine, connection), describe_rows(rows).to_json())
        for name, rows in laid.items()
    }


def pool_moments(
    parts: Sequence[tuple[Moments, Mapping[str, Any]]],
) -> tuple[Moments, dict[str, Any]]:
    """Add the moments of one outcome from several places.

    Parameters
    ----------
    parts : sequence
        As one outcome of :func:`study_moments`, in any number.

    Raises
    ------
    RecordsError
        Where they do not come from the same study.
    """
    read = [(moments, read_description(about)) for moments, about in parts]
    _check_same(read)
    own = [_own_units(part, site) for site, part in enumerate(read)] if len(read) > 1 else read
    columns, exposures = _union_columns(own), _union_exposures(own)
    abouts = [_widen(about, columns, exposures) for _, about in own]
    layout = _union_layout(own[0][0].layout, columns, exposures)
    total: Moments | None = None
    for moments, about in own:
        wide = _spread(moments, about, layout, columns, exposures)
        total = wide if total is None else total + wide
    if total is None:
        raise RecordsError("There are no moments to pool. Name at least one file.")
    return total, _add(abouts).to_json()


def _check_same(parts: Sequence[Part]) -> None:
    if len({(about.spec.spec_hash, about.outcome) for _, about in parts}) > 1:
        raise RecordsError(
            "The moments come from different studies: study.toml must be the same everywhere, but "
            "for where the records lie. Compare the files, and make the moments again."
        )


def _own_units(part: Part, site: int) -> Part:
    """Tell the clinics and providers of a place apart from those of others."""
    moments, about = part
    columns = tuple(
        replace(column, name=column.name.replace("=", f"={site + 1}/", 1))
        if column.kind == "unit" and not column.name.endswith(f"={POOLED}")
        else column
        for column in about.columns
    )
    return moments, replace(about, columns=columns)


def _union_columns(parts: Sequence[Part]) -> tuple[Coded, ...]:
    """Columns of all places, covariate by covariate, constant and types first."""
    order: dict[str, dict[str, Coded]] = {}
    for _, about in parts:
        for column in about.columns:
            order.setdefault(column.source, {}).setdefault(column.name, column)
    exposures = _union_exposures(parts)
    order["exposure"] = {e: order["exposure"][f"exposure={e}"] for e in exposures}
    return tuple(column for columns in order.values() for column in columns.values())


def _union_exposures(parts: Sequence[Part]) -> tuple[str, ...]:
    """Types of all places, the reference last."""
    found = list(dict.fromkeys(e for _, about in parts for e in about.exposures))
    reference = parts[0][1].spec.exposure.reference
    return tuple(sorted(found, key=lambda exposure: exposure == reference))


def _union_layout(layout: Layout, columns: tuple[Coded, ...], exposures: tuple[str, ...]) -> Layout:
    first = layout.n_columns
    response = (float(layout.shift[first]), float(layout.scale[first]))
    return fixed_layout(columns, layout.visits, response, exposures)


def _spread(
    moments: Moments,
    about: Description,
    layout: Layout,
    columns: tuple[Coded, ...],
    exposures: tuple[str, ...],
) -> Moments:
    """Lay moments out over more columns: those that are absent are 0 for everyone."""
    place = {column.name: k for k, column in enumerate(columns)}
    z = [1 + place[column.name] for column in about.columns]
    wide = [0, *z, *range(1 + len(columns), layout.wide)]
    shape = (*moments.products.shape[:2], layout.wide, layout.wide)
    products = np.zeros(shape)
    products[:, :, np.array(wide)[:, None], np.array(wide)] = moments.products
    groups = np.array([exposures.index(exposure) for exposure in about.exposures])
    return replace(moments, layout=layout, products=products, group=groups[moments.group])


def _widen(
    about: Description, columns: tuple[Coded, ...], exposures: tuple[str, ...]
) -> Description:
    """Lay a description out over more columns and types."""
    place = {column.name: k for k, column in enumerate(columns)}
    z = [place[column.name] for column in about.columns]
    k = [exposures.index(exposure) for exposure in about.exposures]
    sums, squares = np.zeros((len(exposures), len(columns))), np.zeros(len(columns))
    sums[np.ix_(k, z)], squares[z] = about.sums, about.squares
    episodes = np.zeros((len(about.visits), len(exposures)), dtype=np.int64)
    episodes[:, k] = about.episodes
    return replace(
        about,
        exposures=exposures,
        columns=columns,
        sums=sums,
        squares=squares,
        episodes=episodes,
        patients=tuple(_rename(at, k) for at in about.patients),
        complete=_rename(about.complete, k),
    )


def _rename(counts: dict[int, int], new: Sequence[int]) -> dict[int, int]:
    """Rename the members of sets of types."""
    return {
        sum(1 << new[old] for old in range(len(new)) if types >> old & 1): n
        for types, n in counts.items()
    }


def _add(abouts: Sequence[Description]) -> Description:
    """Add descriptions over the same columns."""
    visits = range(len(abouts[0].visits))
    return replace(
        abouts[0],
        labels={e: label for about in abouts for e, label in about.labels.items()},
        sums=np.sum([about.sums for about in abouts], axis=0),
        squares=np.sum([about.squares for about in abouts], axis=0),
        episodes=np.sum([about.episodes for about in abouts], axis=0),
        patients=tuple(_add_counts([about.patients[t] for about in abouts]) for t in visits),
        complete=_add_counts([about.complete for about in abouts]),
        n_dropped=sum(about.n_dropped for about in abouts),
    )


def _add_counts(parts: Sequence[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for part in parts:
        for key, n in part.items():
            total[key] = total.get(key, 0) + n
    return total

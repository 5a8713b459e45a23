"""Who was studied: the groups at time zero, how alike they were, and who was still measured.

Numbers are described by mean and standard deviation, categories by the share at each level among
those with a value; episodes without one are counted, never dropped in silence.

Balance is the standardised mean difference from the reference group,

    d = (m_1 - m_0) / sqrt((s_1^2 + s_0^2) / 2),

with m and s^2 the mean and sample variance of a number; for a level of a category m is its share p
and s^2 = p (1 - p). It does not grow with the sample, unlike a test. Where both groups are constant
it is 0 if they agree and undefined otherwise. Reference: Austin PC. Balance diagnostics for
comparing the distribution of baseline covariates between treatment groups. Stat Med
2009;28:3083-3107.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.catalog.instruments import instrument
from outcomes.records.schema import EPISODES, PATIENTS
from outcomes.results.tables import build_table
from outcomes.study.groups import COLUMN_LABELS, exposure_order, group_codes, group_masks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.dataset import StudyDataset
    from outcomes.study.outcome_sections import OutcomeSpec

YES: Final = "yes"
UNLISTED: Final = "codes not listed"
BASELINE: Final = "baseline"
ANY_OPIOID: Final = "baseline_any_opioid"
_SCHEMA: Final = {column.name: column for column in (*PATIENTS.columns, *EPISODES.columns)}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A covariate or baseline score, laid out for counting.

    ``codes`` holds the position in ``levels`` (-1 where missing) of a category; ``values`` a number
    with NaN where missing. Exactly one of the two is there.
    """

    name: str
    label: str
    unit: str = ""
    values: NDArray[np.float64] | None = None
    codes: NDArray[np.intp] | None = None
    levels: tuple[str, ...] = ()


def variables(dataset: StudyDataset) -> Iterator[Variable]:
    """Yield what is known at time zero: covariates first, then the outcomes' baseline scores."""
    episodes = dataset.episodes
    for name, label in COLUMN_LABELS.items():
        if name in episodes and episodes[name].notna().any():
            yield _covariate(name, label, episodes[name])
    for outcome in dataset.spec.outcomes:
        name = f"{BASELINE}_{outcome.id}"
        if name in episodes:
            yield Variable(
                name=name,
                label=f"{outcome.name} at time zero",
                unit=outcome_unit(outcome),
                values=episodes[name].to_numpy(dtype=np.float64, na_value=np.nan),
            )
    if ANY_OPIOID in episodes:
        yield _flag(ANY_OPIOID, "Any opioid up to time zero", episodes[ANY_OPIOID])


def outcome_unit(outcome: OutcomeSpec) -> str:
    """Return the unit of an outcome of the study: its instrument's, or that of a daily dose."""
    return instrument(outcome.instrument).unit if outcome.measure == "score" else "MME/day"


def _covariate(name: str, label: str, column: pd.Series) -> Variable:
    declared = _SCHEMA[name]
    if declared.kind == "boolean":
        return _flag(name, label, column)
    if declared.kind == "category":
        return _category(name, label, column, declared.values)
    return Variable(
        name=name,
        label=label,
        unit=declared.unit,
        values=column.to_numpy(dtype=np.float64, na_value=np.nan),
    )


def _flag(name: str, label: str, column: pd.Series) -> Variable:
    """Lay out a yes-or-no column as one level."""
    known = column.astype("boolean")
    codes = np.where(known.isna(), -1, np.where(known.fillna(False), 0, 1))
    return Variable(name=name, label=label, codes=codes.astype(np.intp), levels=(YES,))


def _category(name: str, label: str, column: pd.Series, declared: tuple[str, ...]) -> Variable:
    """Lay out a category: its declared levels in their order, then others by name.

    Where levels are declared, a code that is none of them may be anything that somebody typed, a
    name too: such codes are counted together and not named.
    """
    found, uniques = column.factorize(use_na_sentinel=True)
    names = [str(level) for level in uniques]
    if declared:
        names = [name if name in declared else UNLISTED for name in names]
    levels = [level for level in declared if level in names]
    levels += sorted(set(names) - set(levels))
    place = np.array([levels.index(name) for name in names] + [-1], dtype=np.intp)
    return Variable(name=name, label=label, codes=place[found], levels=tuple(levels))


# --------------------------------------------------------------------------------------- baseline
def baseline_table(dataset: StudyDataset) -> pd.DataFrame:
    """Describe the groups at time zero.

    Parameters
    ----------
    dataset : StudyDataset

    Returns
    -------
    DataFrame
        Contract ``baseline``: a row a variable, level and exposure, and one for all together.
    """
    masks = group_masks(dataset)
    rows = [
        row
        for variable in variables(dataset)
        for exposure, mask in masks
        for row in _baseline_rows(variable, exposure, mask)
    ]
    return build_table("baseline", rows)


def _baseline_rows(
    variable: Variable, exposure: str, mask: NDArray[np.bool_]
) -> Iterator[dict[str, object]]:
    row: dict[str, object] = {
        "variable": variable.name,
        "label": variable.label,
        "unit": variable.unit,
        "exposure": exposure,
    }
    if variable.values is not None:
        values = variable.values[mask]
        known = values[~np.isnan(values)]
        row |= {"n_episodes": len(known), "n_missing": len(values) - len(known)}
        yield row | {"statistic": "mean", "estimate": _mean(known), "std_dev": _spread(known)}
        return
    assert variable.codes is not None
    codes = variable.codes[mask]
    there = codes[codes >= 0]
    counts = np.bincount(there, minlength=len(variable.levels))
    row |= {"n_episodes": len(there), "n_missing": len(codes) - len(there), "statistic": "share"}
    for level, count in zip(variable.levels, counts, strict=False):
        share = count / len(there) if len(there) else np.nan
        yield row | {"level": level, "estimate": share, "count": int(count)}


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _spread(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


# ---------------------------------------------------------------------------------------- balance
def balance_table(dataset: StudyDataset) -> pd.DataFrame:
    """Return the standardised difference of each exposure from the reference, level by level.

    Parameters
    ----------
    dataset : StudyDataset

    Returns
    -------
    DataFrame
        Contract ``balance``; ``smd_weighted`` is left empty.
    """
    codes = group_codes(dataset)
    reference = dataset.exposures[-1]
    rows: list[dict[str, object]] = []
    for variable in variables(dataset):
        for level, moments in _moments(variable, codes, len(dataset.exposures)):
            rows += [
                {
                    "variable": variable.name,
                    "label": variable.label,
                    "level": level,
                    "exposure": exposure,
                    "reference": reference,
                    "smd": standardised_difference(moments[k], moments[-1]),
                }
                for k, exposure in enumerate(dataset.exposures[:-1])
            ]
    return build_table("balance", rows)


def standardised_difference(group: tuple[float, float], reference: tuple[float, float]) -> float:
    """Return the difference of two (mean, variance) pairs in units of their pooled spread."""
    difference = group[0] - reference[0]
    spread = float(np.sqrt((group[1] + reference[1]) / 2))
    if spread > 0:
        return difference / spread
    return 0.0 if difference == 0 else float("nan")


def _moments(
    variable: Variable, codes: NDArray[np.intp], n_groups: int
) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield each level ("" for a number) with mean and variance in every group."""
    if variable.values is not None:
        groups = [variable.values[codes == k] for k in range(n_groups)]
        known = [group[~np.isnan(group)] for group in groups]
        yield "", [(_mean(group), _spread(group) ** 2) for group in known]
        return
    assert variable.codes is not None
    members = [variable.codes[codes == k] for k in range(n_groups)]
    members = [group[group >= 0] for group in members]
    for place, level in enumerate(variable.levels):
        shares = [_mean((group == place).astype(np.float64)) for group in members]
        yield level, [(share, share * (1 - share)) for share in shares]


# ----------------------------------------------------------------------------------- completeness
def completeness_table(dataset: StudyDataset) -> pd.DataFrame:
    """Count who has a usable value of each outcome at time zero and at each visit.

    Parameters
    ----------
    dataset : StudyDataset

    Returns
    -------
    DataFrame
        Contract ``completeness``. The denominator is every analysed episode of the exposure, so
        that who was lost stays in it.
    """
    codes = group_codes(dataset)
    k = len(dataset.exposures)
    size = np.bincount(codes, minlength=k)
    rows = []
    for outcome in dataset.spec.outcomes:
        for visit, seen in _seen(dataset, outcome.id):
            observed = np.bincount(codes[seen], minlength=k)
            for exposure, n, there in zip(
                exposure_order(dataset),
                [*size, size.sum()],
                [*observed, observed.sum()],
                strict=True,
            ):
                rows.append(_completeness_row(outcome, visit, exposure, int(n), int(there)))
    return build_table("completeness", rows)


def _completeness_row(
    outcome: OutcomeSpec, visit: str, exposure: str, n: int, seen: int
) -> dict[str, object]:
    return {
        "outcome": outcome.id,
        "visit": visit,
        "exposure": exposure,
        "planned": visit == BASELINE or not outcome.visits or visit in outcome.visits,
        "n_episodes": n,
        "n_observed": seen,
        "share": seen / n if n else np.nan,
    }


def _seen(dataset: StudyDataset, outcome: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each visit, time zero first, with which rows of ``episodes`` have the outcome."""
    at_zero = f"{BASELINE}_{outcome}"
    if at_zero in dataset.episodes:
        yield BASELINE, dataset.episodes[at_zero].notna().to_numpy()
    rows = dataset.visit_rows
    ids = dataset.episodes["episode_id"].to_numpy()
    for visit in dataset.visits:
        there = rows.loc[(rows["visit"] == visit) & rows[outcome].notna(), "episode_id"]
        yield visit, np.isin(ids, there.to_numpy())

"""The contract between numbers and pictures: every result table, declared once.

Analyses write these tables at full precision; the gate in :mod:`outcomes.results.disclosure` turns
them into the ones that may be shown; figures and reports read nothing else. Column flags say what
the gate must do: a ``count`` is rounded or hidden, a ``measure`` is rounded, a ``label`` passes.

Numeric columns are nullable floats or integers; text that does not apply is the empty string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from outcomes.core.contract import Column, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

SCALES: Final = (
    "change",
    "improvement",
    "mean",
    "risk",
    "risk_difference",
    "risk_ratio",
    "odds_ratio",
    "rate",
)


def _label(name: str, what: str) -> Column:
    return Column(name=name, kind="string", description=what, nullable=False, disclosure="label")


def _measure(name: str, what: str, unit: str = "") -> Column:
    return Column(name=name, kind="number", description=what, unit=unit)


def _count(name: str, what: str) -> Column:
    return Column(name=name, kind="integer", description=what, low=0, disclosure="count")


def _flag(name: str, what: str) -> Column:
    return Column(name=name, kind="boolean", description=what, disclosure="label")


ESTIMATE_COLUMNS: Final[tuple[Column, ...]] = (
    _label("analysis_id", "Which analysis of the study: 'primary', or a sensitivity analysis"),
    _label("outcome", "Outcome of the study, such as 'pain'"),
    _label("estimand", "What is estimated, in one code, such as 'treatment-policy'"),
    _label("population", "Whom it speaks about"),
    _label("method", "How: 'mmrm', 'observed-only', 'missing-is-failure', ..."),
    _label("subgroup", "Subgroup, or empty"),
    _label("scale", f"One of {', '.join(SCALES)}"),
    _label("unit", "Unit of the estimate"),
    _label("term", "Factor of the contrast, such as 'exposure'"),
    _label("contrast", "The comparison in words, such as 'exercise - usual_care'"),
    _label("level", "Level of the term"),
    _label("reference", "Level it is compared against, or empty"),
    _label("visit", "Visit label, or empty"),
    _measure("threshold", "Threshold of a responder share"),
    _label("threshold_unit", "'percent of baseline', or the outcome's unit; empty without one"),
    _measure("estimate", "Point estimate"),
    _measure("std_error", "Standard error"),
    _measure("df", "Degrees of freedom of the t statistic"),
    _measure("statistic", "estimate / std_error"),
    _measure("p_value", "Two-sided"),
    _measure("conf_low", "Lower confidence limit"),
    _measure("conf_high", "Upper confidence limit"),
    _measure("conf_level", "Confidence level, such as 0.95"),
    _measure("p_adjusted", "Adjusted for the family of comparisons, where asked"),
    _measure("conf_low_adjusted", "Lower simultaneous limit"),
    _measure("conf_high_adjusted", "Upper simultaneous limit"),
    _count("n_patients", "Patients with an observed value behind the estimate"),
    _count("n_episodes", "Episodes with an observed value behind the estimate"),
    _label("gate", "'open', or the reason why the estimate is not shown"),
)


def _estimates(name: str, description: str) -> Table:
    return Table(name=name, description=description, columns=ESTIMATE_COLUMNS)


_EXPOSURE = _label("exposure", "Intervention type; empty for all together")

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        Table(
            name="flow",
            description="From records to analysis: what was counted, what was left out and why.",
            columns=(
                Column(
                    name="order",
                    kind="integer",
                    description="Order of the steps",
                    disclosure="label",
                ),
                _label("step", "Stable code of the step"),
                _label("kind", "'kept' (a box) or 'left_out' (a reason beside it)"),
                _label("label", "In words"),
                _count("n_episodes", "Episodes"),
                _count("n_patients", "Patients"),
            ),
        ),
        Table(
            name="baseline",
            description="The groups at time zero.",
            columns=(
                _label("variable", "Covariate or baseline score"),
                _label("label", "In words"),
                _label("unit", "Unit, or empty"),
                _label("statistic", "'mean' or 'share'"),
                _label("level", "Level of a categorical variable, else empty"),
                _EXPOSURE,
                _measure("estimate", "Mean, or share from 0 to 1"),
                _measure("std_dev", "Standard deviation of a mean"),
                _count("count", "Episodes at the level, for a share"),
                _count("n_episodes", "Episodes with a value"),
                _count("n_missing", "Episodes without a value"),
            ),
        ),
        Table(
            name="balance",
            description="Standardised differences from the reference at time zero.",
            columns=(
                _label("variable", "Covariate"),
                _label("label", "In words"),
                _label("level", "Level of a categorical variable, else empty"),
                _EXPOSURE,
                _label("reference", "Compared against"),
                _measure("smd", "Standardised mean difference before adjustment"),
                _measure(
                    "smd_weighted", "The same after weighting; empty where nothing is weighted"
                ),
            ),
        ),
        Table(
            name="completeness",
            description="Who was still measured.",
            columns=(
                _label("outcome", "Outcome"),
                _label("visit", "Visit label; 'baseline' for time zero"),
                _EXPOSURE,
                _flag("planned", "The outcome was planned at the visit"),
                _count("n_episodes", "Episodes at time zero"),
                _count("n_observed", "Episodes with a usable value"),
                _measure("share", "n_observed / n_episodes"),
            ),
        ),
        _estimates("ls_means", "Adjusted means by intervention type and visit."),
        _estimates(
            "contrasts", "Differences between intervention types, all pairs, improvement signed."
        ),
        _estimates("unadjusted", "The same differences without any adjustment: never a result."),
        _estimates("sensitivity", "The main comparisons asked in other ways."),
        _estimates("responders", "Shares reaching a threshold of improvement, and getting worse."),
        _estimates("medication_use", "Shares with any opioid, and with each class of medicine."),
        _estimates(
            "medication_change", "Daily dose and its change; shares stopped, halved, increased."
        ),
        Table(
            name="components",
            description="What was delivered in the exposure window and over the episode.",
            columns=(
                _EXPOSURE,
                _label("intervention", "Id of the intervention catalog, or of its group"),
                _label("label", "In words"),
                _label(
                    "kind",
                    "Top group: manual, modality, exercise, training, education, equipment ...",
                ),
                _label("period", "'window' or 'episode'"),
                _count("n_episodes", "Episodes with it"),
                _count("n_total", "Episodes of the type"),
                _measure("share", "n_episodes / n_total"),
                _measure("median", "Median minutes (or units) among those who had it"),
                _label("unit", "'min', 'units' or 'visits'"),
            ),
        ),
        Table(
            name="combinations",
            description="Which components went together in the exposure window.",
            columns=(
                _label(
                    "combination", "Component groups joined by ' + '; 'other' pools the rare ones"
                ),
                Column(
                    name="size", kind="integer", description="Number of groups", disclosure="label"
                ),
                _count("n_episodes", "Episodes with exactly this combination"),
            ),
        ),
        Table(
            name="dose",
            description="How much: sessions, weeks, minutes, supervision, adherence.",
            columns=(
                _EXPOSURE,
                _label("measure", "Code, such as 'sessions_attended'"),
                _label("label", "In words"),
                _label("unit", "Unit"),
                _label("statistic", "'median' or 'share'"),
                _measure("estimate", "Median or share"),
                _measure("low", "First quartile, or empty"),
                _measure("high", "Third quartile, or empty"),
                _count("n_episodes", "Episodes with a value"),
            ),
        ),
        Table(
            name="harms",
            description="Unwanted events, with what they were counted against.",
            columns=(
                _EXPOSURE,
                _label("event", "Code of the event"),
                _label("label", "In words"),
                _label("severity", "'any', or a grade"),
                _count("n_events", "Events"),
                _count("n_episodes", "Episodes with one or more"),
                _count("n_total", "Episodes at risk"),
                _measure("denominator", "Sessions, patient-years or episodes"),
                _label(
                    "rate_unit",
                    "'per 1,000 sessions', 'per 100 patient-years' or 'per 100 episodes'",
                ),
                _measure("rate", "Events in that unit"),
                _measure("conf_low", "Exact Poisson lower limit"),
                _measure("conf_high", "Exact Poisson upper limit"),
                _measure("conf_level", "Confidence level of the limits"),
            ),
        ),
        Table(
            name="described",
            description="Other outcomes, triggers and quality indicators: described, not compared.",
            columns=(
                _label("domain", "Heading it stands under"),
                _label("measure", "Code of the measure"),
                _label("label", "In words"),
                _EXPOSURE,
                _label("visit", "Visit label, or empty"),
                _label("statistic", "'mean', 'median', 'share', 'rate', 'alpha' or 'icc'"),
                _measure("estimate", "Value"),
                _measure("std_dev", "Standard deviation of a mean"),
                _measure("conf_low", "Lower limit, where one is given"),
                _measure("conf_high", "Upper limit"),
                _measure("conf_level", "Confidence level of the limits, where they are given"),
                _label("unit", "Unit"),
                _count("count", "Episodes with the event, for a share or rate"),
                _count("n_episodes", "Episodes it is counted in"),
            ),
        ),
        Table(
            name="gate",
            description="Checks that had to hold before a difference was shown.",
            columns=(
                _label("outcome", "Outcome"),
                _label("visit", "Visit label"),
                _EXPOSURE,
                _label(
                    "check",
                    "'group_size', 'follow_up', 'measured', 'varies', 'estimable', 'overlap',"
                    " 'converged'",
                ),
                _measure("value", "What was found"),
                _measure("limit", "What was asked"),
                _flag("passed", "Whether it held"),
                _label("reason", "In words, where it did not"),
            ),
        ),
        Table(
            name="problems",
            description="What was wrong in the records, and what was done about it.",
            columns=(
                _label("severity", "'error', 'warning' or 'note'"),
                _label("table", "Table"),
                _label("column", "Column, or empty"),
                _label("rule", "Rule that was broken"),
                _label("message", "What is wrong"),
                _label("remedy", "What to do, or what was done"),
                _count("count", "Rows"),
                _count("n_rows", "Rows looked at"),
            ),
        ),
    )
}

ESTIMATE_TABLES: Final = tuple(
    name for name, table in TABLES.items() if table.columns is ESTIMATE_COLUMNS
)

_DTYPES: Final[dict[Kind, str]] = {"integer": "Int64", "number": "float64", "boolean": "boolean"}


def build_table(name: str, rows: pd.DataFrame | Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Give rows the columns, order and types of the contract.

    Parameters
    ----------
    name : str
        Name of a declared table.
    rows : DataFrame or iterable of mappings
        Columns that are not declared are an error; declared ones that are absent are filled with
        the empty string or a missing number.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        Where a column is not declared.
    """
    import pandas as pd

    table = TABLES[name]
    frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    unknown = [column for column in frame.columns if column not in table]
    if unknown:
        raise ValueError(f"table {name!r} declares no column {', '.join(map(repr, unknown))}")
    built: dict[str, Any] = {}
    for column in table.columns:
        text = column.kind not in _DTYPES
        series = frame.get(
            column.name, pd.Series("" if text else None, index=frame.index, dtype=object)
        )
        if text:
            built[column.name] = series.astype(object).where(series.notna(), "").astype(str)
        elif column.kind == "number":
            built[column.name] = pd.to_numeric(series).astype("float64")
        else:
            built[column.name] = series.astype(pd.api.types.pandas_dtype(_DTYPES[column.kind]))
    return pd.DataFrame(built).reset_index(drop=True)

"""The estimate tables, as coarse as the counts behind them.

An estimate rests on enough episodes in every group it speaks of, or it is hidden. Estimates and
limits stand on a step that five episodes move (5 / n of the standard error), a standard error on
one of its own, so that neither tells n better than the rounded n does. Shares are made again from
released counts, differences and ratios of shares from released shares, statistics from released
estimates. Degrees of freedom are never shown: with some methods they are n less a known number.
The number behind a comparison is the sum of its groups' released numbers.
"""

from __future__ import annotations

import math
from typing import Final

from outcomes.results.coarse_stress import STRESS, main_of, stressed
from outcomes.results.relations_estimates import FAILURE, RISK
from outcomes.results.rounding import BASE, error_step, ladder, significant, smallest_shown, to_step
from outcomes.results.sentences import coarse_text
from outcomes.results.view import View, as_float, level_key
from outcomes.results.wording import NO_RATIO

Numbers = dict[str, object]

MEASURES: Final = (
    "estimate",
    "std_error",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
    "p_adjusted",
    "conf_low_adjusted",
    "conf_high_adjusted",
)
LIMITS: Final = ("conf_low", "conf_high", "conf_low_adjusted", "conf_high_adjusted")
NEVER_SHOWN: Final = frozenset({"df"})
SMALLEST_P: Final = 0.001
OPEN: Final = "open"
RATIOS: Final = ("risk_ratio", "odds_ratio")
_SIDES: Final = ("level", "reference")
_SAME: Final = ("analysis_id", "outcome", "subgroup", "visit")
_EXACTLY: Final = (*_SAME, "estimand", "population", "method", "threshold", "threshold_unit")


def estimate_counts(view: View) -> Numbers:
    """Return the released numbers behind an estimate, of a comparison those of both groups."""
    columns = ("n_episodes", "n_patients")
    if not view.row["reference"]:
        return {column: view.count(column) for column in columns}
    groups = _groups(view)
    if groups is None:
        return dict.fromkeys(columns, math.nan)
    return {column: sum(group.count(column) for group in groups) for column in columns}


def coarse_estimate(view: View) -> Numbers:
    """Return the measures of a row as they may be shown, and why where they are not."""
    row: Numbers = {"df": math.nan, "gate": _words(view)}
    n = _behind(view)
    if n is None or not math.isfinite(view.number("estimate")):
        return row | dict.fromkeys(MEASURES, math.nan)
    if view.row["method"] == STRESS:
        return row | _stress(view, n)
    scale = view.row["scale"]
    if scale == RISK:
        return row | _share(view, n)
    if scale == "risk_difference" or scale in RATIOS:
        return row | _shares_compared(view, n, ratio=scale in RATIOS)
    step = ladder(BASE * _error(view) / n)
    estimate = to_step(view.number("estimate"), step)
    limits = {end: to_step(view.number(end), step) for end in LIMITS}
    return row | {"estimate": estimate} | limits | _test(view, estimate, n)


def _behind(view: View) -> float | None:
    """Return the smallest number of episodes behind an estimate; None where it is too small."""
    exact = view.exact
    if not view.row["reference"]:
        return view.number("n_episodes") if view.enough("n_episodes") else None
    groups = _groups(view)
    if groups is not None:
        least = min(group.number("n_episodes") for group in groups)
        return least if exact.enough(least) else None
    both, seen = view.number("n_episodes"), _seen(view)
    small = any(not exact.enough(n) for n in seen)
    return None if small or not both >= 2 * smallest_shown(exact.threshold) else both / 2


def _groups(view: View) -> tuple[View, View] | None:
    """Return the rows of the two groups of a comparison, of the same analysis."""
    for table, keys in ((view.table, _EXACTLY), (view.table, _SAME), ("ls_means", _SAME)):
        found = [_level(view, table, keys, view.row[side]) for side in _SIDES]
        if None not in found:
            first, second = (group for group in found if group is not None)
            both = first.number("n_episodes") + second.number("n_episodes")
            if not math.isfinite(view.number("n_episodes")) or both == view.number("n_episodes"):
                return first, second
    return None


def _level(view: View, table: str, keys: tuple[str, ...], level: str) -> View | None:
    wanted = level_key(view.row | {"level": level}, keys)
    place = view.exact.levels(table, keys).get(wanted)
    return None if place is None else view.exact.view(table, place)


def _seen(view: View) -> list[float]:
    """Return how many of each group were seen at the visit at all, where that is known."""
    sides = (view.row["level"], view.row["reference"])
    return [
        as_float(row["n_observed"])
        for row in view.exact.rows.get("completeness", [])
        if (row["outcome"], row["visit"]) == (view.row["outcome"], view.row["visit"])
        and row["exposure"] in sides
    ]


# ----------------------------------------------------------------------------------------- numbers
def _error(view: View) -> float:
    """Return the standard error, or a quarter of the interval where there is none."""
    error = view.number("std_error")
    if math.isfinite(error):
        return error
    return (view.number("conf_high") - view.number("conf_low")) / 4


def _share(view: View, n: float) -> Numbers:
    """Put a share and its limits on multiples of five of the people it is of."""
    known, estimate = view.count("n_episodes"), released_risk(view)
    if not math.isfinite(estimate):
        return dict.fromkeys(MEASURES, math.nan)
    step = BASE / known if known > 0 else ladder(BASE / n)
    limits = {end: round(to_step(view.number(end), step), 4) for end in LIMITS}
    return {"estimate": estimate} | limits | _test(view, estimate, n)


def released_risk(view: View) -> float:
    """Return a share made from its released count; NaN where that, or the share, tells too much."""
    count, known = view.count("estimate"), view.count("n_episodes")
    if not math.isfinite(count) or _tells_seen(view):
        return math.nan
    if known > 0:
        return round(count / known, 4)
    if count > 0 and view.told("estimate"):
        return math.nan
    n = view.number("n_episodes")
    return to_step(count / n, ladder(BASE / n))


def _tells_seen(view: View) -> bool:
    """Whether a share with missing counted as failure tells how many were seen, which is hidden.

    It is nearly the share of the seen times seen over all: two thresholds of both told 5 unseen of
    300 to 1 to 10.
    """
    if view.row["method"] != FAILURE:
        return False
    place = {"outcome": view.row["outcome"], "visit": view.row["visit"]}
    seen = view.exact.find("completeness", place | {"exposure": view.row["level"]})
    return view.hidden("n_episodes") or (seen is not None and seen.hidden("n_observed"))


def _shares_compared(view: View, n: float, *, ratio: bool) -> Numbers:
    """Make a difference or ratio of shares from the released ones; its limits move with it."""
    none: Numbers = dict.fromkeys(MEASURES, math.nan)
    groups = _released_pair(view)
    if groups is None:
        return none
    exact = view.number("estimate")
    estimate = _compare(str(view.row["scale"]), *map(released_risk, groups))
    if not math.isfinite(estimate):
        return none
    if not math.isfinite(view.number("std_error")):
        return none | {"estimate": round(estimate, 4)} | _squared_and_added(groups)
    step = ladder(BASE * _error(view) / n)
    if ratio:
        limits = {end: to_step(view.number(end) * estimate / exact, step) for end in LIMITS}
        return none | {"estimate": significant(estimate, 3)} | limits | _error_alone(view, n)
    limits = {end: to_step(view.number(end) + estimate - exact, step) for end in LIMITS}
    return {"estimate": round(estimate, 4)} | limits | _test(view, estimate, n)


def _released_pair(view: View) -> tuple[View, View] | None:
    """Return the rows of the two groups' shares; None where one is hidden or not there."""
    level, reference = (_level(view, view.table, _EXACTLY, view.row[e]) for e in _SIDES)
    if level is None or reference is None:
        return None
    shown = math.isfinite(released_risk(level)) and math.isfinite(released_risk(reference))
    return (level, reference) if shown else None


def _squared_and_added(groups: tuple[View, View]) -> Numbers:
    """Make limits that know no error from the released limits of the two shares.

    Where nobody had the event the limits are exact, and a reader who knows the formula reads the
    number of people from them: at a step of their own, to two or three.
    """
    level, reference = (coarse_estimate(group) for group in groups)
    estimate = as_float(level["estimate"]) - as_float(reference["estimate"])
    below, above = (
        math.hypot(
            as_float(first["estimate"]) - as_float(first["conf_low"]),
            as_float(second["conf_high"]) - as_float(second["estimate"]),
        )
        for first, second in ((level, reference), (reference, level))
    )
    return {"conf_low": round(estimate - below, 4), "conf_high": round(estimate + above, 4)}


def _compare(scale: str, share: float, reference: float) -> float:
    if scale == "risk_difference":
        return share - reference
    odds = scale == "odds_ratio"
    top = share / (1 - share) if odds and share < 1 else share
    under = reference / (1 - reference) if odds and reference < 1 else reference
    broken = under == 0 or (odds and max(share, reference) == 1)
    return math.nan if broken else top / under


def _stress(view: View, n: float) -> Numbers:
    """Make the stress test from its released main comparison."""
    none: Numbers = dict.fromkeys(MEASURES, math.nan)
    main = main_of(view)
    made = {} if main is None else stressed(view, main, coarse_estimate(main), n)
    if not made:
        return none
    return none | _tested(view, made["estimate"], made["std_error"]) | made


def _error_alone(view: View, n: float) -> Numbers:
    error = view.number("std_error")
    return {"std_error": to_step(error, error_step(error, n))}


def _test(view: View, estimate: float, n: float) -> Numbers:
    """Return the standard error, and a test made from what is released."""
    shown = _error_alone(view, n)
    return shown | _tested(view, estimate, as_float(shown["std_error"]))


def _tested(view: View, estimate: float, error: float) -> Numbers:
    """Test a released estimate by its released error: the exact p value tells the exact ratio."""
    tested = math.isfinite(view.number("statistic")) and error > 0
    df = significant(view.number("df"), 1)
    p_value = _two_sided(estimate / error, df) if tested else math.nan
    return {
        "statistic": round(estimate / error, 2) if tested else math.nan,
        "p_value": _p_value(p_value),
        "p_adjusted": _p_value(view.number("p_adjusted")),
    }


def _two_sided(statistic: float, df: float) -> float:
    """Return the p value of a t statistic, NaN without degrees of freedom."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(statistic)))


def _p_value(value: float) -> float:
    return max(significant(value, 2), SMALLEST_P) if math.isfinite(value) else math.nan


# ------------------------------------------------------------------------------------------- words
def _words(view: View) -> str:
    """Return the reason why an estimate is not shown, without what was counted.

    That there is no ratio says that nobody or everybody had the event, so it is not said of a
    share that is hidden.
    """
    words = str(view.row["gate"])
    if words in ("", OPEN):
        return words
    if words == NO_RATIO and _released_pair(view) is None:
        return OPEN
    parts = [view.exact.reasons.get(part, part) for part in words.split("; ")]
    return coarse_text("; ".join(parts), view.exact.threshold)

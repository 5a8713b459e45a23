"""The measures of the descriptive tables, as coarse as the counts beside them.

A share is made again from the released counts; where the number it is of is hidden, it is rounded
to a step that five people move. A mean or a median rests on enough people or is hidden; quartiles
need enough people on either side. Rates and their exact limits are made again from the released
number of events.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from outcomes.results.poisson import poisson_limits, stated_level
from outcomes.results.pooling import share_difference
from outcomes.results.relations import GROUP_SIZE, RATE, SHARE, is_plain_share
from outcomes.results.rounding import (
    error_step,
    ladder,
    mean_step,
    share_step,
    significant,
    to_step,
)
from outcomes.results.sentences import coarse_text, numbers_in
from outcomes.results.view import Row, View, as_float

Numbers = dict[str, object]

MEDIAN_DIGITS: Final = 2
QUARTILE_GROUPS: Final = 4
SMD_STEP: Final = 0.01
COEFFICIENTS: Final = ("alpha", "icc")
COEFFICIENT_STEP: Final = 0.01
COARSE: Final = 0.05
FOLLOW_UP: Final = "follow_up"


def released_share(view: View, column: str, known: str, share: str) -> float:
    """Return a share from the released counts behind it; NaN where its count is hidden.

    A share of a hidden number is rounded to a step that five people move, and is not shown where
    its count is, here or elsewhere: the two would tell the number. It is made from its rounded
    count, too, or two shares on either side of a step would tell that one more is in the one.

    Parameters
    ----------
    view : View
    column, known, share : str
        Columns of the count, of the number it is out of, and of the share.
    """
    if view.hidden(column):
        return math.nan
    known_exact, known_shown = view.number(known), view.count(known)
    if known_shown > 0:
        return round(view.count(column) / known_shown, 4)
    if view.count(column) > 0 and view.told(column):
        return math.nan
    if known_exact > 0:
        return to_step(view.count(column) / known_exact, share_step(known_exact))
    return to_step(view.number(share), share_step(known_exact))


# ---------------------------------------------------------------------------------------- people
def _baseline(view: View) -> Numbers:
    if view.row["statistic"] == SHARE:
        share = released_share(view, "count", "n_episodes", "estimate")
        return {"estimate": share, "count": _count_beside(view)}
    return _mean(view)


def _count_beside(view: View) -> float:
    """Return the count of a share; NaN where the number it is of is hidden, which it would tell."""
    known = view.count("n_episodes") > 0 or view.number("n_episodes") == 0
    return view.count("count") if known else math.nan


def _mean(view: View) -> Numbers:
    """Round a mean and its spread; a spread of zero would tell everybody's value."""
    n, spread = view.number("n_episodes"), view.number("std_dev")
    if not view.enough("n_episodes"):
        return {"estimate": math.nan, "std_dev": math.nan}
    shown = to_step(spread, error_step(spread, n)) if spread > 0 else math.nan
    return {"estimate": to_step(view.number("estimate"), mean_step(spread, n)), "std_dev": shown}


def _balance(view: View) -> Numbers:
    group, reference = _baseline_of(view, "exposure"), _baseline_of(view, "reference")
    weighted = to_step(view.number("smd_weighted"), SMD_STEP)
    hidden: Numbers = {"smd": math.nan, "smd_weighted": math.nan}
    if group is None or reference is None:
        return hidden
    if view.row["level"]:
        shares = [released_share(v, "count", "n_episodes", "estimate") for v in (group, reference)]
        if not all(math.isfinite(share) for share in shares):
            return hidden
        return {"smd": round(share_difference(*shares), 2), "smd_weighted": weighted}
    if not (group.enough("n_episodes") and reference.enough("n_episodes")):
        return hidden
    least = min(group.number("n_episodes"), reference.number("n_episodes"))
    step = ladder(max(SMD_STEP, 2 / least))
    return {"smd": to_step(view.number("smd"), step), "smd_weighted": weighted}


def _baseline_of(view: View, which: str) -> View | None:
    """Return the baseline row that a difference was made from."""
    wanted = (view.row["variable"], view.row["level"], view.row[which])
    for place, row in enumerate(view.exact.rows.get("baseline", [])):
        if (row["variable"], row["level"], row["exposure"]) == wanted:
            return view.exact.view("baseline", place)
    return None


def _completeness(view: View) -> Numbers:
    return {"share": released_share(view, "n_observed", "n_episodes", "share")}


# -------------------------------------------------------------------------------------- delivered
def _components(view: View) -> Numbers:
    share = released_share(view, "n_episodes", "n_total", "share")
    return {"share": share, "median": _median(view, "median")}


def _median(view: View, column: str) -> float:
    """Round a median, where at least the threshold of people stand on either side of it."""
    if view.number("n_episodes") < 2 * view.exact.threshold:
        return math.nan
    return significant(view.number(column), MEDIAN_DIGITS)


def _dose(view: View) -> Numbers:
    if view.row["statistic"] == SHARE:
        return {"estimate": released_share(view, "estimate", "n_episodes", "estimate")}
    quartiles = view.number("n_episodes") >= QUARTILE_GROUPS * view.exact.threshold
    return {
        "estimate": _median(view, "estimate"),
        **{
            end: significant(view.number(end), MEDIAN_DIGITS) if quartiles else math.nan
            for end in ("low", "high")
        },
    }


# ------------------------------------------------------------------------------------------ harms
def _harms(view: View) -> Numbers:
    against = _denominator(view)
    none: Numbers = {"denominator": against, "rate": math.nan}
    none |= {"conf_low": math.nan, "conf_high": math.nan}
    events = view.count("n_events")
    if not (math.isfinite(events) and against > 0 and math.isfinite(view.number("rate"))):
        return none
    per = _per(str(view.row["rate_unit"])) / against
    low, high = poisson_limits(int(events), stated_level(view.number("conf_level")))
    return {
        "denominator": against,
        "rate": significant(per * events, 3),
        "conf_low": significant(per * low, 3),
        "conf_high": significant(per * high, 3),
    }


def _denominator(view: View) -> float:
    """Round what events are counted against: to people, or to what five of them contribute."""
    amount, n = view.number("denominator"), view.number("n_total")
    if abs(amount - n) < 1e-9:
        return view.count("n_total")
    if not view.enough("n_total"):
        return math.nan
    return to_step(amount, ladder(5 * amount / n))


def _per(unit: str) -> float:
    """Read the multiple from words such as 'per 1,000 sessions'."""
    return float(unit.split()[1].replace(",", ""))


# -------------------------------------------------------------------------------------- described
def _described(view: View) -> Numbers:
    statistic = view.row["statistic"]
    if statistic == SHARE:
        return _described_share(view)
    if statistic == RATE:
        return _described_rate(view)
    if statistic == "mean":
        return _described_mean(view)
    if statistic in COEFFICIENTS:
        names = ("estimate", "conf_low", "conf_high")
        return {name: to_step(view.number(name), COEFFICIENT_STEP) for name in names}
    return {"estimate": _median(view, "estimate")}


def _described_mean(view: View) -> Numbers:
    """Leave out a spread of people whose number is hidden.

    The plain standard error of the same scores stands in another table: the two tell the number.
    """
    spread = {} if view.count("n_episodes") > 0 else {"std_dev": math.nan}
    return _mean(view) | spread


def _described_share(view: View) -> Numbers:
    plain = is_plain_share(view.row)
    column = "count" if plain else "estimate"
    hidden = view.hidden("count") or view.hidden("estimate")
    share = math.nan if hidden else released_share(view, column, "n_episodes", "estimate")
    step = share_step(view.number("n_episodes"))
    limits = {
        end: math.nan if hidden else to_step(view.number(end), step)
        for end in ("conf_low", "conf_high")
    }
    return {"estimate": share, "count": _count_beside(view), **limits}


def _described_rate(view: View) -> Numbers:
    """Make a rate again from the released events; the time at risk stays the same."""
    names = ("estimate", "conf_low", "conf_high")
    events = view.count("estimate")
    entry = view.exact.ledger.placed.get((view.table, view.place, "estimate"))
    if view.hidden("count") or entry is None or not math.isfinite(events):
        return dict.fromkeys(names, math.nan)
    exact = view.exact.ledger.entries[entry].value
    if exact == 0:
        return {name: significant(view.number(name), 3) for name in names}
    per = view.number("estimate") / exact
    limits = poisson_limits(int(events), stated_level(view.number("conf_level")))
    return {
        name: significant(per * value, 3)
        for name, value in zip(names, (events, *limits), strict=True)
    }


# ------------------------------------------------------------------------------------------- gate
def _gate(view: View) -> Numbers:
    check = view.row["check"]
    if check == GROUP_SIZE:
        return {"value": view.count("value"), "reason": gate_reason(view.row)}
    if check == FOLLOW_UP:
        return {"value": _follow_up(view), "reason": gate_reason(view.row)}
    return {"value": significant(view.number("value"), 2)}


def _follow_up(view: View) -> float:
    wanted = tuple(view.row[key] for key in ("outcome", "visit", "exposure"))
    for place, row in enumerate(view.exact.rows.get("completeness", [])):
        if (row["outcome"], row["visit"], row["exposure"]) == wanted:
            seen = view.exact.view("completeness", place)
            return released_share(seen, "n_observed", "n_episodes", "share")
    return to_step(view.number("value"), COARSE)


def gate_reason(row: Row) -> str:
    """Return why a check did not hold, by what was asked: what was found is a count or gives one.

    Words that hold no number but the limit stay as they are.
    """
    reason, check, limit = str(row["reason"]), row["check"], as_float(row["limit"])
    if check not in (GROUP_SIZE, FOLLOW_UP) or numbers_in(reason) <= {limit, round(100 * limit, 6)}:
        return reason
    if check == GROUP_SIZE:
        return f"fewer than {limit:g} episodes"
    return f"fewer than {100 * limit:g} % measured"


# --------------------------------------------------------------------------------------- problems
def _problems(view: View) -> Numbers:
    words = ("message", "remedy")
    return {name: coarse_text(str(view.row[name]), view.exact.threshold) for name in words}


DESCRIPTIONS: Final[dict[str, Callable[[View], Numbers]]] = {
    "baseline": _baseline,
    "balance": _balance,
    "completeness": _completeness,
    "components": _components,
    "dose": _dose,
    "harms": _harms,
    "described": _described,
    "gate": _gate,
    "problems": _problems,
}

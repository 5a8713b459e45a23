"""From answers to scores, by the rules of the catalog.

Each instrument declares its scales as data: which items, turned or recoded how, at least how many
answered, and one rule. With m the mean of the answered items on the span low..high and k items,

    sum               times x k x m       (prorated when an allowed number is missing)
    mean              m
    percent           100 (m - low) / (high - low)
    percent_reversed  100 - percent
    single, worst     the answer; the largest answer
    mean_of_scales    the mean of other scales, all needed
    utility           a health profile by a named value set
    chronicity        the two questions of the NIH task force, 1 = chronic

and a sum may pass through a conversion table to a T or interval score. An answer that the form
cannot hold makes the score missing, with a status; it is never clipped, rescaled or guessed. What
the rules leave open (a tolerant number of missing items, a yes/no form, a value set) is a named
``variant``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.catalog.facts import unknown
from outcomes.catalog.instruments import (
    TOTAL,
    Instrument,
    Scale,
    instrument,
    instrument_aliases,
    instrument_ids,
)
from outcomes.core.errors import UsageError
from outcomes.measures.item_columns import item_columns
from outcomes.measures.utility import profile_utility

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

COMPLETED: Final = "completed"
"""Optional column of a tick form: the page was handed in, so that no tick at all means 0."""
SCORED: Final = "scored"
PRORATED: Final = "prorated"
NO_ANSWER: Final = "no_answer"
TOO_FEW: Final = "too_few_answers"
OUT_OF_RANGE: Final = "out_of_range"
CONFLICTING: Final = "conflicting_answers"
NO_VALUE_SET: Final = "no_value_set"
NO_TOTAL: Final = "no_total"
UNKNOWN: Final = "unknown_instrument"
STATUSES: Final = (
    SCORED, PRORATED, NO_ANSWER, TOO_FEW, OUT_OF_RANGE, CONFLICTING, NO_VALUE_SET, NO_TOTAL,
    UNKNOWN,
)  # fmt: skip
"""``prorated``: scored with items missing, as the rule allows. ``no_total``: the instrument has
scales but no score of its own."""

LONG_COLUMNS: Final = ("episode_id", "day", "instrument", "item", "answer")
_CHRONIC_DURATION: Final = 3
_CHRONIC_FREQUENCY: Final = 2


@dataclass(frozen=True)
class ScaleScores:
    """What one scale came to, one element a filled form."""

    score: Floats
    n_answered: npt.NDArray[np.int64]
    status: npt.NDArray[np.object_]
    raw: Floats | None = None


def score_instrument(
    instrument_id: str, items: pd.DataFrame, *, variant: str | None = None
) -> pd.DataFrame:
    """Score filled forms of one instrument.

    Parameters
    ----------
    instrument_id : str
        Id or alias; ``"fabq.work"`` asks for one scale.
    items : DataFrame
        One row a form, one column an item. ``3``, ``"odi_3"``, ``"q3"`` and ``"Item 03"`` are item
        3; an item without a column counts as not answered.
    variant : str, optional
        A named variant of the rule, or the value set of a utility.

    Returns
    -------
    DataFrame
        On the index of ``items``: ``score, n_answered, status``, ``raw`` where a table converts a
        sum, and for every further scale ``<scale>`` and ``<scale>_status``.

    Raises
    ------
    UsageError
        If the instrument, the variant or every column is unknown, or a value set must be named.
    """
    asked = instrument(instrument_id)
    _check_variant(asked, variant)
    answers = item_columns(asked, items)
    completed = items[COMPLETED].fillna(False).astype(bool) if COMPLETED in items else None
    scores = scale_scores(
        asked,
        answers,
        variant=variant,
        completed=None if completed is None else completed.to_numpy(),
    )
    return _wide(scores, items.index)


def _check_variant(asked: Instrument, variant: str | None) -> None:
    known = [*asked.variants, *asked.value_sets]
    if variant is not None and variant not in known:
        raise unknown(f"variant of {asked.id}", variant, known)
    if variant is None and asked.value_sets:
        sets = ", ".join(asked.value_sets)
        raise UsageError(f"{asked.id} needs a named value set: variant= one of {sets}.")


def _wide(scores: Mapping[str, ScaleScores], index: pd.Index) -> pd.DataFrame:
    main = scores.get(TOTAL)
    if main is None:
        size = len(index)
        main = ScaleScores(
            np.full(size, np.nan),
            np.max([one.n_answered for one in scores.values()], axis=0),
            np.full(size, NO_TOTAL, dtype=object),
        )
    columns: dict[str, Any] = {
        "score": main.score,
        "n_answered": main.n_answered,
        "status": main.status,
    }
    for name, one in scores.items():
        if name != TOTAL:
            columns |= {name: one.score, f"{name}_status": one.status}
        if one.raw is not None:
            columns["raw" if name == TOTAL else f"{name}_raw"] = one.raw
    return pd.DataFrame(columns, index=index)


def scale_scores(
    asked: Instrument,
    answers: Floats,
    *,
    variant: str | None = None,
    completed: Flags | None = None,
    conflicting: Flags | None = None,
) -> dict[str, ScaleScores]:
    """Score a matrix of answers, forms x items in the catalog's order; NaN where not answered."""
    answered = ~np.isnan(answers)
    wrong = answered & ~_possible(asked, answers)
    coded = _coded(asked, answers)
    scores: dict[str, ScaleScores] = {}
    for scale in asked.scales:
        chosen = _varied(asked, scale, variant)
        if chosen.rule == "mean_of_scales":
            scores[scale.id] = _mean_of([scores[name] for name in chosen.scales])
            continue
        at = [asked.items.index(name) for name in chosen.items]
        raw = _turned(asked, chosen, coded[:, at])
        result = _scored(asked, chosen, raw, variant, completed)
        status = result.status
        status = np.where(wrong[:, at].any(axis=1), OUT_OF_RANGE, status)
        if conflicting is not None:
            status = np.where(conflicting[:, at].any(axis=1), CONFLICTING, status)
        fine = np.isin(status, (SCORED, PRORATED))
        score = np.where(fine, result.score, np.nan)
        sums = None if result.raw is None else np.where(fine, result.raw, np.nan)
        scores[scale.id] = ScaleScores(score, result.n_answered, status, sums)
    return scores


def scale_items(asked: Instrument, scale: Scale, answers: Floats) -> Floats:
    """Return the items of one scale, all turned the same way; NaN where not answered or impossible.

    Parameters
    ----------
    asked, scale : Instrument, Scale
    answers : (n, items) array
        In the order of ``asked.items``, as of :func:`outcomes.measures.item_columns.item_columns`.

    Returns
    -------
    (n, items of the scale) array
        Where a blank means the lowest answer, it is that on forms with any answer.
    """
    at = [asked.items.index(name) for name in scale.items]
    coded = np.where(_possible(asked, answers), _coded(asked, answers), np.nan)
    items = _turned(asked, scale, coded[:, at])
    if scale.blank_is is None:
        return items
    answered = ~np.isnan(answers[:, at]).all(axis=1, keepdims=True)
    return np.where(np.isnan(answers[:, at]) & answered, scale.blank_is, items)


def _possible(asked: Instrument, answers: Floats) -> Flags:
    low = np.array([asked.item_range[name][0] for name in asked.items])
    high = np.array([asked.item_range[name][1] for name in asked.items])
    inside = (answers >= low) & (answers <= high)
    whole = answers == np.round(answers)
    return np.asarray(inside & whole if asked.integer_items else inside)


def _coded(asked: Instrument, answers: Floats) -> Floats:
    coded = answers.astype(float)
    for name, values in asked.recode.items():
        at = asked.items.index(name)
        step = answers[:, at] - asked.item_range[name][0]
        known = (step >= 0) & (step < len(values)) & (step == np.round(step))
        place = np.where(known, step, 0).astype(int)
        coded[:, at] = np.where(known, np.array(values)[place], np.nan)
    return coded


def _turned(asked: Instrument, scale: Scale, coded: Floats) -> Floats:
    for name in scale.reversed:
        at = scale.items.index(name)
        low, high = asked.item_range[name]
        coded[:, at] = low + high - coded[:, at]
    return coded


def _varied(asked: Instrument, scale: Scale, variant: str | None) -> Scale:
    row = asked.variants.get(variant or "", {})
    if row.get("scale") not in (scale.id, "*"):
        return scale
    changes: dict[str, Any] = {}
    if "min_answered" in row:
        changes["min_answered"] = row["min_answered"]
    if "min_share" in row:
        changes["min_answered"] = int(np.ceil(row["min_share"] * len(scale.items)))
    if "reversed" in row:
        changes["reversed"] = tuple(row["reversed"])
    if "blank_is" in row:
        changes["blank_is"] = None
    return replace(scale, **changes)


def _scored(
    asked: Instrument, scale: Scale, items: Floats, variant: str | None, completed: Flags | None
) -> ScaleScores:
    answered = ~np.isnan(items)
    n_answered = answered.sum(axis=1)
    size = len(scale.items)
    status = np.where(n_answered < size, PRORATED, SCORED).astype(object)
    status[n_answered < scale.min_answered] = TOO_FEW
    if scale.blank_is is not None:
        status[n_answered > 0] = SCORED
    status[n_answered == 0] = NO_ANSWER
    if scale.blank_is is not None and completed is not None:
        status[completed] = SCORED
    if scale.rule == "utility":
        return _utility(asked, scale, items, variant, status)
    if scale.rule == "chronicity":
        return _chronicity(items, n_answered)
    score = _by_rule(asked, scale, items, n_answered)
    if not scale.table:
        return ScaleScores(score, n_answered, status)
    converted = _converted(asked, scale.table, np.where(n_answered == size, score, np.nan))
    return ScaleScores(converted, n_answered, status, score)


def _by_rule(
    asked: Instrument, scale: Scale, items: Floats, n_answered: npt.NDArray[np.int64]
) -> Floats:
    low, high = asked.item_range[scale.items[0]]
    total = np.nansum(items, axis=1)
    divisor = np.maximum(n_answered, 1)
    if scale.rule == "sum":
        share = 1.0 if scale.blank_is is not None else len(scale.items) / divisor
        return np.asarray(scale.times * total * share)
    if scale.rule in ("mean", "single"):
        return np.asarray(total / divisor)
    if scale.rule == "worst":
        return np.asarray(np.max(np.where(np.isnan(items), -np.inf, items), axis=1))
    percent = 100.0 * (total - low * n_answered) / ((high - low) * divisor)
    return np.asarray(100.0 - percent if scale.rule == "percent_reversed" else percent)


def _converted(asked: Instrument, table: str, raw: Floats) -> Floats:
    known = asked.tables[table]
    place = raw - known.raw_min
    inside = (place >= 0) & (place < len(known.value))
    return np.where(inside, np.array(known.value)[np.where(inside, place, 0).astype(int)], np.nan)


def _mean_of(parts: list[ScaleScores]) -> ScaleScores:
    score = np.mean([part.score for part in parts], axis=0)
    n_answered = np.sum([part.n_answered for part in parts], axis=0)
    worst = parts[0].status.copy()
    for part in parts[1:]:
        better = np.isin(worst, (SCORED, PRORATED))
        replaced = better & (part.status != SCORED)
        worst = np.where(replaced, part.status, worst)
    return ScaleScores(score, n_answered, worst)


def _utility(
    asked: Instrument,
    scale: Scale,
    items: Floats,
    variant: str | None,
    status: npt.NDArray[np.object_],
) -> ScaleScores:
    n_answered = (~np.isnan(items)).sum(axis=1)
    if variant is None:
        without = np.full(len(items), np.nan)
        return ScaleScores(without, n_answered, np.full(len(items), NO_VALUE_SET, dtype=object))
    decrements = asked.value_sets[variant].decrements
    complete = np.where((status == SCORED)[:, None], items, 1.0)
    return ScaleScores(profile_utility(complete, scale.items, decrements), n_answered, status)


def _chronicity(items: Floats, n_answered: npt.NDArray[np.int64]) -> ScaleScores:
    """Chronic: long enough and often enough. Either answer alone can rule it out."""
    duration, frequency = items[:, 0], items[:, 1]
    chronic = (duration >= _CHRONIC_DURATION) & (frequency <= _CHRONIC_FREQUENCY)
    ruled_out = (duration < _CHRONIC_DURATION) | (frequency > _CHRONIC_FREQUENCY)
    status = np.where(chronic | ruled_out, SCORED, TOO_FEW).astype(object)
    status[n_answered == 0] = NO_ANSWER
    return ScaleScores(chronic.astype(float), n_answered, status)


def score_items(
    items_long: pd.DataFrame, *, variants: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Score the canonical table of answers.

    Parameters
    ----------
    items_long : DataFrame
        ``episode_id, day, instrument, item, answer``; ``item`` is the number of the item, from 1,
        or its name.
    variants : mapping, optional
        Instrument to variant or value set.

    Returns
    -------
    DataFrame
        ``episode_id, day, instrument, score, n_answered, status``, one row a form and scale; scales
        other than a total are named ``instrument.scale``. Sorted by instrument, episode and day.
    """
    missing = [name for name in LONG_COLUMNS if name not in items_long]
    if missing:
        raise UsageError(f"The items table lacks the columns {', '.join(missing)}.")
    chosen = variants or {}
    parts = []
    names = items_long["instrument"].astype("object")
    for name, rows in items_long.groupby(names, sort=True, observed=True):
        plain = instrument_aliases().get(str(name), str(name))
        known = plain in instrument_ids()
        parts.append(_forms(plain, rows, chosen) if known else _unknown_forms(str(name), rows))
    columns = ["episode_id", "day", "instrument", "score", "n_answered", "status"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def _unknown_forms(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    counted = rows.groupby(["episode_id", "day"])["answer"].count().rename("n_answered")
    return counted.reset_index().assign(instrument=name, score=np.nan, status=UNKNOWN)


def _forms(name: str, rows: pd.DataFrame, variants: Mapping[str, str]) -> pd.DataFrame:
    asked = instrument(name)
    variant = variants.get(name)
    if variant is not None:
        _check_variant(asked, variant)
    episode, episodes = pd.factorize(rows["episode_id"], sort=True)
    day = rows["day"].to_numpy(dtype=np.int64)
    room = int(day.max() - day.min()) + 1
    form, forms = pd.factorize(episode * room + (day - day.min()), sort=True)
    answers, conflicting = _matrix(asked, form, len(forms), rows)
    scores = scale_scores(asked, answers, variant=variant, conflicting=conflicting)
    keys = {"episode_id": episodes[forms // room], "day": forms % room + day.min()}
    return pd.concat(
        [
            pd.DataFrame(
                {
                    **keys,
                    "instrument": name if scale == TOTAL else f"{name}.{scale}",
                    "score": one.score,
                    "n_answered": one.n_answered,
                    "status": one.status,
                }
            )
            for scale, one in scores.items()
        ],
        ignore_index=True,
    )


def _matrix(
    asked: Instrument, form: npt.NDArray[np.intp], n_forms: int, rows: pd.DataFrame
) -> tuple[Floats, Flags]:
    """Return forms x items, and where one form holds two different answers to an item."""
    place = _places(asked, rows["item"])
    answer = pd.to_numeric(rows["answer"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    usable = (place >= 0) & ~np.isnan(answer)
    cell = form[usable] * len(asked.items) + place[usable]
    low = np.full(n_forms * len(asked.items), np.inf)
    high = np.full(n_forms * len(asked.items), -np.inf)
    np.minimum.at(low, cell, answer[usable])
    np.maximum.at(high, cell, answer[usable])
    shape = (n_forms, len(asked.items))
    twice = np.isfinite(low) & (low < high) & (not asked.highest_counts)
    return np.where(np.isfinite(high), high, np.nan).reshape(shape), twice.reshape(shape)


def _places(asked: Instrument, item: pd.Series) -> npt.NDArray[np.int64]:
    """Return the position of every item, -1 where the form has none such.

    A number is the item of that name; on a form without numbered items it is the position.
    """
    names = {name.lower(): at for at, name in enumerate(asked.items)}
    if not any(name.isdigit() for name in names):
        names |= {str(at + 1): at for at in range(len(asked.items))}
    code, known = pd.factorize(item)
    written = [
        str(int(one)) if isinstance(one, (int, float, np.number)) else str(one) for one in known
    ]
    place = np.array([names.get(one.strip().lower(), -1) for one in written], dtype=np.int64)
    return np.where(code < 0, -1, place[code] if len(place) else -1)

"""The sentences under headings that no single comparison decides, and what a page can carry."""

from __future__ import annotations

from typing import Final

from outcomes.report.comparisons import as_number
from outcomes.report.context import Context
from outcomes.report.people import n_analysed
from outcomes.report.study import Study
from outcomes.results.wording import capitalised, count, percent

_TITLES: Final = {
    "estimand": "What is estimated",
    "model": "How it is estimated",
    "missing": "What was not measured",
    "assumptions": "What it assumes, and what would break it",
    "mcid": "What a smallest noticeable change is doing here",
}


def flow_lead(context: Context) -> str:
    """Say how many of the records could be compared."""
    table = context.release.table("flow").sort_values("order")
    boxes = table[table["kind"].eq("kept")]
    first = as_number(boxes["n_episodes"].iloc[0]) if len(boxes) else None
    last = n_analysed(context)
    reasons = "Each reason for leaving one out stands beside the way, none of them an outcome."
    if first is None or last is None:
        return reasons
    return f"Of {count(first)} episodes in the records, {count(last)} could be compared. {reasons}"


def care_lead(context: Context) -> str:
    """Say what names a type, and how many had more than one kind of component."""
    days = context.study.raw.get("window_days")
    named = f"A type is named by what filled most of the first {days} days." if days else ""
    if not days:
        named = "A type is named by what each person was assigned to."
    table = context.release.table("combinations")
    known = table[table["n_episodes"].notna() & table["combination"].ne("other")]
    several = float(known.loc[known["size"].gt(1), "n_episodes"].sum())
    total = float(known["n_episodes"].sum())
    if not total:
        return named
    return (
        f"{named} Of the episodes with a combination listed below, {percent(several / total)} had"
        " more than one kind of component."
    )


def paragraphs(study: Study) -> list[tuple[str, str]]:
    """Return the method in words, each paragraph with its heading."""
    raw = study.raw.get("paragraphs") or {}
    return [(_TITLES.get(k, capitalised(k.replace("_", " "))), text) for k, text in raw.items()]


def can_say(study: Study) -> list[str]:
    """Return what a page of this study can carry."""
    first = (
        "How much better or worse people fared where chance decided who had which type."
        if study.randomised
        else "How much better or worse people fared with one type than similar people with another."
    )
    return [
        first,
        "How precise that is, and whether it holds when the sums are done in other ways.",
        "What was delivered, to whom, and what harm was recorded.",
    ]


def cannot_say(context: Context) -> list[str]:
    """Return what it cannot carry."""
    study = context.study
    cause = (
        "That the same would be seen elsewhere. Those who join a trial are not everyone."
        if study.randomised
        else "That a therapy was the cause. Nobody was randomised; the fourth, dashed bar is kept"
        " for studies that did so."
    )
    said = [
        cause,
        "What suits one person. A difference between groups is an average over people who did well"
        " and badly.",
    ]
    unseen = _unseen(context)
    return [*said, unseen] if unseen else said


def _unseen(context: Context) -> str:
    """Say how many were not measured at the last visit of the main outcome."""
    study = context.study
    table = context.release.table("completeness")
    here = table[table["exposure"].eq("") & table["outcome"].eq(study.primary_outcome)]
    shares = {r["visit"]: as_number(r["share"]) for r in here.to_dict("records")}
    last = next((v for v in reversed(list(study.visits)) if shares.get(v) is not None), None)
    share = shares.get(last) if last else None
    if last is None or share is None or share >= 1:
        return ""
    return (
        f"How those fared who were not measured. At {study.visits[last].phrase} that is"
        f" {percent(1 - share)} of them."
    )

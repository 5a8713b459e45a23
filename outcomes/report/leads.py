"""The sentences under headings that no single comparison decides, and what a page can carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from outcomes.report.analyses import analysis_name, read_unmade
from outcomes.report.comparisons import as_number
from outcomes.report.context import Context
from outcomes.report.people import n_analysed
from outcomes.report.study import Study, unit_words
from outcomes.report.tally import noun
from outcomes.results.wording import capitalised, count, in_sentence, listed, percent

if TYPE_CHECKING:
    import pandas as pd

UNTREATED: Final = "usual_care"
"""Type of those with no therapy on record, where the study has the types of the catalog."""
REVIEWED: Final = "reviewed"
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
    reasons = _reasons(context.study, table)
    if first is None or last is None:
        return reasons
    return f"Of {count(first)} episodes in the records, {count(last)} could be compared. {reasons}"


def _reasons(study: Study, table: pd.DataFrame) -> str:
    """Say how far the reasons for leaving an episode out look ahead."""
    days = study.raw.get("window_days")
    last = f"day {days}" if days else "time zero"
    found = table[table["kind"].eq("left_out") & table["n_episodes"].ne(0)]["step"]
    early = found.str.startswith("ended").any()
    none = "none but a missing later value" if found.eq("no_follow_up").any() else "none"
    said = f"Each reason for leaving one out stands beside the way; {none} looks beyond {last}."
    return f"{said} An early end may itself come from how someone fared." if early else said


def care_lead(context: Context) -> str:
    """Say what names a type, and how many had more than one kind of component."""
    named = _named_by(context.study)
    table = context.release.table("combinations")
    known = table[table["n_episodes"].notna() & table["combination"].ne("other")]
    some = known[known["size"].gt(0)]
    total = float(some["n_episodes"].sum())
    if not total:
        return named
    several = float(some.loc[some["size"].gt(1), "n_episodes"].sum()) / total
    shown = "a combination common enough to show" if context.study.threshold else "any component"
    return (
        f"{named} Of the {count(total)} episodes with {shown}, {percent(several)} had more than"
        " one kind of component."
    )


def _named_by(study: Study) -> str:
    """Say from what a type has its name."""
    days = study.raw.get("window_days")
    if study.raw.get("exposure_source") != "program" and days:
        said = f"A type is named by what filled most of the first {days} days."
        if UNTREATED not in study.looks:
            return said
        untreated = f"{study.name(UNTREATED)} is where no therapy is recorded"
        return (
            f"{said} {untreated}: who had none and whose therapy nobody wrote down cannot be told"
            " apart."
        )
    if study.randomised:
        return "A type is what each person was assigned to, whatever was then delivered."
    return "A type is the program that each person was in, whatever was delivered in it."


def paragraphs(study: Study) -> list[tuple[str, str]]:
    """Return the method in words, each paragraph with its heading."""
    raw = study.raw.get("paragraphs") or {}
    return [(_TITLES.get(k, capitalised(k.replace("_", " "))), text) for k, text in raw.items()]


def data_notes(study: Study) -> list[Markup]:
    """Return what is to be known about the records, with the records' own names as code."""
    return [with_codes(_named(study, note)) for about, note in _notes(study) if not about]


def analysis_notes(study: Study) -> list[Markup]:
    """Return what is to be known about the analyses; what holds for several is said once."""
    found: dict[str, list[str]] = {}
    for about, note in _notes(study):
        if about:
            found.setdefault(_named(study, note), []).append(study.outcomes[about].name)
    return [with_codes(f"{listed(names)}: {in_sentence(note)}") for note, names in found.items()]


_QUOTED: Final = re.compile(r"'([\w<>.+/-]+)'")
"""A name of the records or of a file, as messages quote it: ``'episodes.red_flags'``."""


def with_codes(text: str) -> Markup:
    """Return a text with the names that it quotes as code instead of in quotation marks."""
    parts = _QUOTED.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def facts_words(study: Study) -> str:
    """Say of how many facts the source was read, and how many a clinician has reviewed."""
    facts = [f for f in study.raw.get("facts") or [] if f.get("confidence") != "declared"]
    if not facts:
        return ""
    n, read = len(facts), sum(fact.get("confidence") == "verified" for fact in facts)
    reviewed = sum(fact.get("review") == REVIEWED for fact in facts)
    memory = f", {n - read} from memory" if read < n else ""
    by = f"{reviewed} of {n}" if reviewed else "none"
    return f"{read} of {n} checked against the source{memory}; {by} reviewed by a clinician"


def _notes(study: Study) -> list[tuple[str, str]]:
    """Return each note with the outcome that it begins with, if any."""
    split = []
    for note in study.raw.get("notes") or []:
        unmade = read_unmade(study, str(note))
        if unmade is not None:
            name = in_sentence(analysis_name(unmade.analysis)[0])
            said = f"the check {name} could not be made: {unmade.why}."
            split.append((unmade.outcome, said))
            continue
        head, _, rest = str(note).partition(": ")
        split.append((head, rest) if head in study.outcomes else ("", str(note)))
    return split


def _named(study: Study, note: str) -> str:
    """Return a note with the names of types in the place of their ids."""
    ids = sorted((e for e in study.exposures if len(e) > 2), key=len, reverse=True)
    pattern = "|".join(re.escape(e) for e in ids)
    said = re.sub(rf"(?<![\w+])(?:{pattern})(?![\w+])", lambda m: study.phrase(m[0]), note)
    return re.sub(r"\bpercent(age)? points\b", unit_words("percent points"), said)


def left_out(study: Study) -> list[tuple[str, Markup]]:
    """Return what the records do not hold and why, what has the same reason together."""
    found: dict[str, list[str]] = {}
    for row in study.raw.get("left_out") or []:
        found.setdefault(str(row["why"]), []).append(str(row["what"]))
    return [
        (capitalised(listed([in_sentence(what) for what in names])), with_codes(why))
        for why, names in found.items()
    ]


_ABSENT: Final = {
    "pain": ("Pain", "The study has no pain score, so nothing can be said about pain."),
    "mobility": (
        "Mobility",
        "The study has no score of mobility or disability, so nothing can be said about them.",
    ),
    "medication": (
        "Medication",
        "The study has no record of medicines, so nothing can be said about them.",
    ),
}


def absent_outcomes(study: Study) -> list[tuple[str, str, str]]:
    """Return the main outcomes that the study does not have: role, heading and a sentence."""
    roles = {outcome.role for outcome in study.outcomes.values()}
    return [(role, *words) for role, words in _ABSENT.items() if role not in roles]


def can_say(context: Context) -> list[str]:
    """Return what a page of this study can carry."""
    study = context.study
    first = (
        "How much better or worse people fared where chance decided who had which type."
        if study.randomised
        else "How much better or worse people fared with one type than similar people with another."
    )
    return [
        first,
        "How precise that is, and whether it holds when the sums are done in other ways.",
        _recorded(context),
    ]


def _recorded(context: Context) -> str:
    """Say what the records hold beside outcomes."""
    care, harm = (len(context.release.table(name)) for name in ("components", "harms"))
    if care and harm:
        return "What was delivered, to whom, and what harm was recorded."
    if care:
        return "What was delivered, and to whom."
    return "Who was studied, and who was still measured."


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
    said += [unseen] if unseen else []
    if study.randomised and study.self_reported:
        said.append(
            "How much is expectation. Outcomes that people report of themselves can be moved by it"
            " where they know their group; this study's file does not record blinding."
        )
    return said


def _unseen(context: Context) -> str:
    """Say how many were not measured at the last visit of the main outcome."""
    study = context.study
    shares = context.comparisons.measured(study.primary_outcome)
    last = next(reversed(shares), None)
    share = shares.get(last) if last else None
    if last is None or share is None or share >= 1:
        return ""
    return (
        f"How people fared whose {noun(study.outcomes[study.primary_outcome])} was not measured:"
        f" {percent(1 - share)} of all {study.visits[last].at}."
    )

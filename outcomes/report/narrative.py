"""Sentences by rule: what was found, said from the verdicts alone.

Titles say what was found. The headline counts all types on the primary outcome, so that no result
decides which is named; the other main outcomes follow, then the comparison declared in advance,
which stands on the cards. The change that all groups
share comes before any difference, worsening next to improvement, and no order follows the results.
Observational studies say "went with"; randomised ones "had".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outcomes.report.comparisons import Comparisons, Contrast
from outcomes.report.means import Means
from outcomes.report.study import Outcome, Study, Visit
from outcomes.report.tally import CONSISTENT, noun, stood_apart, unsure, went
from outcomes.results.wording import (
    Code,
    capitalised,
    count,
    counted,
    in_sentence,
    listed,
    number,
    percent,
    unit_after,
)

MOST_ELSEWHERE = 2
"""Findings of other visits that the answer says in full; with more it points to the cards."""
HEADLINE_ROLES = ("pain", "mobility", "medication")


@dataclass(frozen=True)
class Narrative:
    """The sentences of a report."""

    study: Study
    comparisons: Comparisons
    means: Means

    @property
    def verb(self) -> str:
        """How a difference is said."""
        return "had" if self.study.randomised else "went with"

    # ---------------------------------------------------------------------------- the answer
    def headline_contrasts(self) -> list[Contrast]:
        """Return the declared comparison on each main outcome."""
        outcomes = self.study.outcomes.values()
        chosen = [o for role in HEADLINE_ROLES for o in outcomes if o.role == role]
        chosen = chosen or list(outcomes)
        return [self.comparisons.get(o.id, self.study.primary_exposure) for o in chosen[:3]]

    def headline(self) -> str:
        """Return the first sentence of the report: all types, or the one that there is."""
        return capitalised(f"{'; '.join(self._all_types()[:1] or self._declared())}.")

    def _other_outcomes(self) -> str:
        """Count all types on the main outcomes that the headline leaves out."""
        clauses = self._all_types()[1:]
        return capitalised(f"{'; '.join(clauses)}.") if clauses else ""

    def _all_types(self) -> list[str]:
        """Count the types that stood apart from the reference on each main outcome."""
        first_of_all = self.study.primary_outcome
        made = [
            (c.outcome, self._shown(c.outcome.id, self.study.reference, self.study.primary_visit))
            for c in sorted(self.headline_contrasts(), key=lambda c: c.outcome.id != first_of_all)
        ]
        if all(len(shown) < 2 for _, shown in made):
            return []
        first, *others = made
        clauses = [f"{self._by()}, {self._tally(*first, 0, than=True)}"]
        size = 0
        for about, shown in others:
            clauses.append(self._tally(about, shown, size))
            size = size or len(shown)
        return clauses

    def _tally(
        self, about: Outcome, shown: Sequence[Contrast], size: int, *, than: bool = False
    ) -> str:
        """Count the types on one outcome; ``size`` is how many the sentence has spoken of."""
        other = self.study.phrase(self.study.reference)
        if not shown:
            return f"no difference in {noun(about)} can be shown"
        said = stood_apart(shown, self.verb, of=len(shown) != size)
        if said:
            return f"{said}{f' than {other}' if than else ''}{unsure(shown)}"
        if all(c.verdict.code == "same" for c in shown):
            return f"little or no difference in {noun(about)}{f' from {other}' if than else ''}"
        many = "none" if size else f"none of {counted(len(shown))} types"
        return f"{many} stood clearly apart{f' from {other}' if than else ''} on {noun(about)}"

    def _shown(self, outcome: str, reference: str, visit: str) -> list[Contrast]:
        """Return the shown comparisons of all types with one of them, in the study's order."""
        others = [e for e in self.study.exposures if e != reference]
        made = [self.comparisons.get(outcome, e, reference, visit) for e in others]
        return [contrast for contrast in made if contrast.verdict.shown]

    def _declared(self) -> list[str]:
        """Return what the declared comparison shows on each main outcome."""
        found: dict[Code, list[Contrast]] = {}
        for contrast in self.headline_contrasts():
            found.setdefault(contrast.verdict.code, []).append(contrast)
        return [*self._direction_clauses(found), *self._other_clauses(found)]

    def _direction_clauses(self, found: dict[Code, list[Contrast]]) -> list[str]:
        better = listed([went(c) for c in found.get("better", [])])
        worse = listed([went(c) for c in found.get("worse", [])])
        if not better and not worse:
            return []
        than = f"than {self.study.phrase(self.study.reference)} {self._by()}"
        both = f"{better}, but with {worse}" if better and worse else better or worse
        comma = "," if better and worse else ""
        exposure = self.study.phrase(self.study.primary_exposure)
        return [f"{exposure} {self.verb} {both}{comma} {than}"]

    def _other_clauses(self, found: dict[Code, list[Contrast]]) -> list[str]:
        exposure = self.study.phrase(self.study.primary_exposure)
        reference = self.study.phrase(self.study.reference)
        clauses = []
        same = listed([noun(c.outcome) for c in found.get("same", [])])
        if same:
            first = not found.get("better") and not found.get("worse")
            who = f"between {exposure} and {reference} {self._by()}" if first else ""
            clauses.append(f"little or no difference in {same} {who}".rstrip())
        unsure = listed([noun(c.outcome) for c in found.get("uncertain", [])])
        if unsure:
            alone = set(found) == {"uncertain"}
            who = f" {exposure} from {reference}" if alone else ""
            clauses.append(f"on {unsure} the records cannot tell{who}")
        unseen = (*found.get("not_shown", []), *found.get("not_measured", []))
        hidden = listed([noun(c.outcome) for c in unseen])
        if hidden:
            clauses.append(f"no difference in {hidden} can be shown")
        return clauses

    def _by(self) -> str:
        return self.study.visits[self.study.primary_visit].by

    def dek(self) -> list[str]:
        """Return the sentences under the headline."""
        said = (
            self._everyone(),
            self._other_outcomes(),
            *self._cards(),
            *self._elsewhere(),
            *self._caution(),
        )
        return [s for s in said if s]

    def _everyone(self) -> str:
        outcome = self.study.outcomes[self.study.primary_outcome]
        means = self.means.at(outcome.id, self.study.primary_visit)
        gains = [self.means.gain(outcome.id, mean) for mean in means.values()]
        known = [g for g in gains if g is not None]
        reference = means.get(self.study.reference)
        if not known or reference is None:
            return ""
        start = number(self.means.starts[outcome.id], outcome.words.decimals)
        end = number(reference, outcome.words.decimals)
        begun = f"from a common start of {start}"
        course = f"average {noun(outcome)} went to {end} {self._by()}"
        name = self.study.phrase(self.study.reference)
        if all(g > 0 for g in known):
            return f"Every group got better, {name} included: {begun}, its {course}."
        improved = counted(sum(g > 0 for g in known))
        many = f"{capitalised(improved)} of {counted(len(known))} groups got better."
        return f"{many} With {name}, {begun}, {course}."

    def _cards(self) -> list[str]:
        """Say which comparison the cards show and what it found, where the headline does not."""
        if not self._all_types():
            return []
        found = "; ".join(self._declared())
        return [f"The cards show the comparison and visit fixed in advance: {found}."]

    def _caution(self) -> list[str]:
        if not self.study.randomised:
            return [
                "These are associations in routine care, not proof that a therapy was the cause."
            ]
        said = ["Chance assigned the groups. Who stayed to be measured may still differ."]
        if self.study.self_reported:
            said.append(
                "People rated themselves: if they knew their group, what they expected may have"
                " moved their answers."
            )
        return said

    # ---------------------------------------------------------------- beyond the main visit
    def elsewhere(self, contrast: Contrast) -> str:
        """Return what the other visits show of a comparison, visits that show the same together."""
        found: dict[str, list[str]] = {}
        for other in self._others(contrast):
            same = _kind(other) == _kind(contrast)
            words = "the same finding" if same else in_sentence(other.finding)
            if other.verdict.code in ("better", "worse") and _tentative(other):
                words += "" if same and _tentative(contrast) else ", tentatively"
            found.setdefault(words, []).append(self.study.visits[other.visit].phrase)
        said = "; ".join(f"{listed(visits)}: {words}" for words, visits in found.items())
        return capitalised(said)

    def _others(self, contrast: Contrast) -> list[Contrast]:
        return [
            self.comparisons.get(contrast.outcome.id, contrast.exposure, visit=visit)
            for visit in self.study.visits
            if visit != contrast.visit
        ]

    def _elsewhere(self) -> list[str]:
        """Say what differs at the other visits."""
        contrasts = self.headline_contrasts()
        others = [other for c in contrasts for other in self._others(c) if other.verdict.shown]
        if not others or not any(c.verdict.shown for c in contrasts):
            return []
        apart = {
            c.outcome.id: [o for o in self._others(c) if o.verdict.shown and _kind(o) != _kind(c)]
            for c in contrasts
            if c.verdict.shown
        }
        differing = {outcome: found for outcome, found in apart.items() if found}
        if not differing:
            return ["The other visits shown say the same."]
        if sum(len({_kind(o) for o in found}) for found in differing.values()) > MOST_ELSEWHERE:
            about = listed([noun(self.study.outcomes[outcome]) for outcome in differing])
            return [f"Other visits say something else on {about}, as the cards show."]
        declared = {c.outcome.id: c for c in contrasts}
        return [self._at_visits([declared[o], *differing[o]]) for o in differing]

    def _at_visits(self, found: Sequence[Contrast]) -> str:
        """Return what one outcome shows at the declared visit and at those that differ from it."""
        visits: dict[str, list[Visit]] = {}
        for contrast in found:
            visits.setdefault(_said(contrast), []).append(self.study.visits[contrast.visit])
        parts = [f"{words} {_when(here)}" for words, here in visits.items()]
        return f"{found[0].outcome.name}: {', '.join(parts)}."

    def meta(self, n_episodes: float | None) -> str:
        """Return the line about size, what was measured and the declared comparison."""
        s = self.study
        size = "" if n_episodes is None else f"{count(n_episodes)} episodes of care"
        followed = "; ".join(part for part in (size, self._measured()) if part)
        outcome = noun(s.outcomes[s.primary_outcome])
        return (
            f"{f'{capitalised(followed)}. ' if followed else ''}Main comparison fixed in advance: "
            f"{s.phrase(s.primary_exposure)} against {s.phrase(s.reference)}, {outcome} "
            f"{s.visits[s.primary_visit].at}."
        )

    def _measured(self) -> str:
        """Say in how many the main outcome was measured, at the declared visit and at the last."""
        shares = self.comparisons.measured(self.study.primary_outcome)
        if not shares:
            return ""
        visits = dict.fromkeys((self.study.primary_visit, list(shares)[-1]))
        seen = [f"in {percent(shares[v])} {self.study.visits[v].at}" for v in visits if v in shares]
        about = noun(self.study.outcomes[self.study.primary_outcome])
        return f"{about} was measured {listed(seen)}"

    # ------------------------------------------------------------------------- one outcome
    def title(self, outcome: str, reference: str, visit: str) -> str:
        """Return the title of an outcome's section: what was found, by rule."""
        s = self.study
        about = s.outcomes[outcome]
        when = s.visits[visit].at
        than = f"than {s.phrase(reference)} {when}"
        shown = self._shown(outcome, reference, visit)
        if not shown:
            if not self.comparisons.planned.get((outcome, visit), True):
                return f"{about.name} was not measured {when}"
            return f"{about.name} {when}: no difference can be shown"
        said = stood_apart(shown, self.verb)
        if not said:
            return self._flat_title(about, shown, reference, visit)
        if len(shown) == 1:
            one = f"{s.name(shown[0].exposure)} {self.verb} {went(shown[0])} {than}"
            return f"{one}{unsure(shown)}"
        return capitalised(f"{said} {than}{unsure(shown)}")

    def _flat_title(
        self, about: Outcome, shown: Sequence[Contrast], reference: str, visit: str
    ) -> str:
        other, when = self.study.phrase(reference), self.study.visits[visit].at
        if all(c.verdict.code == "same" for c in shown):
            return f"Little or no difference in {noun(about)} from {other} {when}"
        if len(shown) == 1:
            return f"Too uncertain to say whether {noun(about)} differed from {other} {when}"
        return f"No type stood clearly apart from {other} on {noun(about)} {when}"

    def shared(self, outcome: str, visit: str) -> list[str]:
        """Return the sentences on the change that all groups share."""
        about = self.study.outcomes[outcome]
        means = self.means.at(outcome, visit)
        start = self.means.starts.get(outcome)
        gains = [g for g in (self.means.gain(outcome, m) for m in means.values()) if g is not None]
        if start is None or not gains:
            return []
        d = about.words.decimals
        spread = (
            f"between {number(min(means.values()), d)} and {number(max(means.values()), d)}"
            if len(means) > 1
            else f"at {number(next(iter(means.values())), d)}"
        )
        when = self.study.visits[visit].at
        begun = f"Adjusted to a common start of {number(start, d)}"
        return [f"{begun}, the groups stood {spread} {when}.", _shared_part(gains)]

    def templates(self) -> dict[Code, str]:
        """Return the sentence on a difference for each verdict; names are filled in later."""
        pair = "{exposure} against {reference}"
        sure = f"{{amount}} ({self.study.level_text} interval {{interval}})"
        hidden = f"For {pair} no difference is shown: {{reason}}."
        found = f"What differs between the groups: for {pair}, {sure}."
        return {
            "better": found,
            "worse": found,
            "same": f"For {pair} there is little or no difference: {sure}.",
            "uncertain": f"For {pair} it is too uncertain to say: {sure}.",
            "not_shown": hidden,
            "not_measured": hidden,
        }

    def difference(self, contrast: Contrast) -> str:
        """Return the sentence on one difference."""
        return self.templates()[contrast.verdict.code].format(
            exposure=self.study.phrase(contrast.exposure),
            reference=self.study.phrase(contrast.reference),
            amount=contrast.plain_amount,
            interval=contrast.size_interval,
            reason=self.reason(contrast),
        )

    def reason(self, contrast: Contrast) -> str:
        """Return why a contrast is not shown."""
        if contrast.verdict.code == "not_measured":
            return "not measured at this visit"
        return contrast.verdict.reason

    def margin_note(self, outcome: Outcome) -> str:
        """Return what the shaded range of a forest means."""
        if outcome.margin is None:
            return "No smallest difference worth having was declared."
        size = number(outcome.margin, outcome.words.decimals)
        unit = unit_after(outcome.margin, outcome.unit, outcome.words.decimals)
        why = f": {in_sentence(outcome.margin_source)}" if outcome.margin_source else ""
        wide = self.wide_margin(outcome)
        range_ = f"differences of less than {size} {unit} either way{f', {wide}' if wide else ''}"
        return f"Shaded: {range_}, set beforehand as too small to matter{why}."

    def wide_margin(self, outcome: Outcome) -> str:
        """Say that a margin is over half of the mean at the start; empty where it is not.

        Where less is better no group can gain more than that mean, so that few differences could
        ever pass such a margin.
        """
        start = self.means.starts.get(outcome.id)
        if outcome.margin is None or start is None or outcome.higher_is_better:
            return ""
        if outcome.margin <= start / 2:
            return ""
        return f"over half of the mean start of {number(start, outcome.words.decimals)}"


def _kind(contrast: Contrast) -> tuple[Code, bool]:
    """What a comparison found, as far as its heading says it."""
    return contrast.verdict.code, contrast.verdict.slight


def _tentative(contrast: Contrast) -> bool:
    return contrast.verdict.bars < CONSISTENT


def _said(contrast: Contrast) -> str:
    """Return what a comparison found, in a few words."""
    code = contrast.verdict.code
    if code == "same":
        return "little or no difference"
    return "too uncertain to say" if code == "uncertain" else went(contrast)


def _when(visits: Sequence[Visit]) -> str:
    """Return ``at week 6 and week 26``, or each visit with its own word."""
    if all(visit.at == f"at {visit.phrase}" for visit in visits):
        return f"at {listed([visit.phrase for visit in visits])}"
    return listed([visit.at for visit in visits])


def _shared_part(gains: Sequence[float]) -> str:
    if min(gains) <= 0:
        return "Not every group improved."
    if min(gains) >= 0.5 * max(gains):
        return "Most of the change is shared by all groups and is not a sign of any one therapy."
    return "Part of the change is shared by all groups and is not a sign of any one therapy."

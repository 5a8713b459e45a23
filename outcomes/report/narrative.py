"""Sentences by rule: what was found, said from the verdicts alone.

Titles say what was found. The change that all groups share comes before any difference, worsening
next to improvement, and no order follows the results. Observational studies say "went with";
randomised ones "had".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outcomes.report.comparisons import Comparisons, Contrast
from outcomes.report.means import Means
from outcomes.report.study import Outcome, Study
from outcomes.results.wording import (
    Code,
    capitalised,
    count,
    counted,
    finding,
    in_sentence,
    listed,
    number,
    unit_after,
)

_COMPARATIVES = frozenset({"a", "an", "less", "more", "lower", "higher", "fewer", "better"})
MOST_ELSEWHERE = 2
"""Findings of other visits that the answer says in full; with more it points to the cards."""
HEADLINE_ROLES = ("pain", "mobility", "medication")


def noun(outcome: Outcome) -> str:
    """Return what an outcome is about, such as ``pain`` or ``opioid dose``."""
    words = outcome.better.split()
    while words and words[0] in _COMPARATIVES:
        words.pop(0)
    return " ".join(words) if words and words != ["scores"] else in_sentence(outcome.name)


def named(outcome: Outcome, words: str) -> str:
    """Return a direction that says what it is about: ``lower scores`` of what is not enough."""
    about = f"{in_sentence(outcome.name)} scores"
    return words.removesuffix("scores") + about if words.endswith("scores") else words


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
        """Return the first sentence of the report."""
        found: dict[Code, list[Outcome]] = {}
        for contrast in self.headline_contrasts():
            found.setdefault(contrast.verdict.code, []).append(contrast.outcome)
        clauses = [*self._direction_clauses(found), *self._other_clauses(found)]
        return f"{capitalised('; '.join(clauses))}."

    def _direction_clauses(self, found: dict[Code, list[Outcome]]) -> list[str]:
        better = listed([named(o, o.better) for o in found.get("better", [])])
        worse = listed([named(o, o.worse) for o in found.get("worse", [])])
        if not better and not worse:
            return []
        than = f"than {self.study.phrase(self.study.reference)} {self._by()}"
        both = f"{better}, but with {worse}" if better and worse else better or worse
        comma = "," if better and worse else ""
        return [f"{self.study.name(self.study.primary_exposure)} {self.verb} {both}{comma} {than}"]

    def _other_clauses(self, found: dict[Code, list[Outcome]]) -> list[str]:
        exposure = self.study.phrase(self.study.primary_exposure)
        reference = self.study.phrase(self.study.reference)
        clauses = []
        same = listed([noun(o) for o in found.get("same", [])])
        if same:
            first = not found.get("better") and not found.get("worse")
            who = f"between {exposure} and {reference} {self._by()}" if first else ""
            clauses.append(f"little or no difference in {same} {who}".rstrip())
        unsure = listed([noun(o) for o in found.get("uncertain", [])])
        if unsure:
            alone = set(found) == {"uncertain"}
            who = f" {exposure} from {reference}" if alone else ""
            clauses.append(f"on {unsure} the records cannot tell{who}")
        hidden = listed(
            [noun(o) for o in (*found.get("not_shown", []), *found.get("not_measured", []))]
        )
        if hidden:
            clauses.append(f"no difference in {hidden} can be shown")
        return clauses

    def _by(self) -> str:
        return self.study.visits[self.study.primary_visit].by

    def dek(self) -> list[str]:
        """Return the sentences under the headline."""
        said = (self._everyone(), *self._counts(), *self._elsewhere(), *self._caution())
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

    def _counts(self) -> list[str]:
        """Count the types with a difference on each main outcome, worsening after improvement."""
        others = self.study.others
        made = [
            (c.outcome, [self.comparisons.get(c.outcome.id, e).verdict for e in others])
            for c in self.headline_contrasts()
        ]
        by_type = zip(*(verdicts for _, verdicts in made), strict=True)
        compared = sum(any(v.shown for v in verdicts) for verdicts in by_type)
        if compared < 2:
            return []
        better = [
            (sum(v.code == "better" for v in row), named(about, about.better))
            for about, row in made
        ]
        worse = [
            (sum(v.code == "worse" for v in row), named(about, about.worse)) for about, row in made
        ]
        other = "it" if self._everyone() else self.study.phrase(self.study.reference)
        head = f"Of the {counted(compared)} types compared with {other}, "
        said = [f"{head}{_counted_with(better, self.verb)}."]
        if any(n for n, _ in worse):
            found = [pair for pair in worse if pair[0]]
            said.append(f"{capitalised(_counted_with(found, self.verb))}.")
        return said

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
        """Say of which visit the headline speaks, and what differs at the others."""
        main = self.study.visits[self.study.primary_visit]
        contrasts = self.headline_contrasts()
        others = [other for c in contrasts for other in self._others(c) if other.verdict.shown]
        if not others or not any(c.verdict.shown for c in contrasts):
            return []
        apart = {
            c.outcome.id: [o for o in self._others(c) if o.verdict.shown and _kind(o) != _kind(c)]
            for c in contrasts
            if c.verdict.shown
        }
        fixed = f"All this is {main.at}, the visit fixed in advance"
        differing = {outcome: found for outcome, found in apart.items() if found}
        if not differing:
            return [f"{fixed}; the other visits shown say the same."]
        kinds = {(outcome, _kind(o)): o for outcome, found in differing.items() for o in found}
        if len(kinds) > MOST_ELSEWHERE:
            about = listed([noun(self.study.outcomes[outcome]) for outcome in differing])
            return [f"{fixed}; other visits say something else on {about}, as the cards show."]
        return [f"{fixed}.", *(self._at_visits(differing[o], kind) for o, kind in kinds)]

    def _at_visits(self, found: Sequence[Contrast], kind: tuple[Code, bool]) -> str:
        """Return what one outcome shows at the visits with one finding."""
        here = [c for c in found if _kind(c) == kind]
        visits = [self.study.visits[c.visit] for c in here]
        plain = all(visit.at == f"at {visit.phrase}" for visit in visits)
        names = [visit.phrase if plain else visit.at for visit in visits]
        when = capitalised(f"at {listed(names)}" if plain else listed(names))
        about, code = here[0].outcome, kind[0]
        if code == "same":
            return f"{when} there was little or no difference in {noun(about)}."
        if code == "uncertain":
            return f"{when} the records cannot tell on {noun(about)}."
        words = finding(here[0].verdict, about.words, "").removesuffix(" than ")
        exposure = self.study.phrase(self.study.primary_exposure)
        return f"{when} {exposure} {self.verb} {named(about, in_sentence(words))}."

    def meta(self, n_episodes: float | None) -> str:
        """Return the line about size, follow-up and the declared comparison."""
        s = self.study
        last = list(s.visits.values())[-1]
        until = f"followed to {last.phrase}" if last.at != last.phrase else f"measured {last.at}"
        size = "" if n_episodes is None else f"{count(n_episodes)} episodes of care, "
        outcome = noun(s.outcomes[s.primary_outcome])
        return (
            f"{capitalised(f'{size}{until}')}. Main comparison fixed in advance: "
            f"{s.phrase(s.primary_exposure)} against {s.phrase(s.reference)}, {outcome} "
            f"{s.visits[s.primary_visit].at}."
        )

    # ------------------------------------------------------------------------- one outcome
    def title(self, outcome: str, reference: str, visit: str) -> str:
        """Return the title of an outcome's section: what was found, by rule."""
        s = self.study
        about = s.outcomes[outcome]
        when = s.visits[visit].at
        than = f"than {s.phrase(reference)} {when}"
        others = [e for e in s.exposures if e != reference]
        made = [self.comparisons.get(outcome, e, reference, visit) for e in others]
        shown = [c for c in made if c.verdict.shown]
        if not shown:
            if any(c.verdict.code == "not_measured" for c in made):
                return f"{about.name} was not measured {when}"
            return f"{about.name} {when}: no difference can be shown"
        better = [c for c in shown if c.verdict.code == "better"]
        worse = [c for c in shown if c.verdict.code == "worse"]
        if not better and not worse:
            return self._flat_title(about, shown, reference, visit)
        if len(shown) == 1:
            words = named(about, about.better if better else about.worse)
            return f"{s.name(shown[0].exposure)} {self.verb} {words} {than}"
        groups = ((better, named(about, about.better)), (worse, named(about, about.worse)))
        parts = [(capitalised(counted(len(g))), words) for g, words in groups if g]
        both = len(shown) == 2 and len(parts) == 1 and parts[0][0] == "Two"
        who = "Both types" if both else f"{parts[0][0]} of {counted(len(shown))} types"
        first = f"{who} {self.verb} {parts[0][1]} {than}"
        return (
            first
            if len(parts) == 1
            else f"{first}; {in_sentence(parts[1][0])} {self.verb} {parts[1][1]}"
        )

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
        return (
            f"Shaded: differences of less than {size} {unit} either way, set beforehand as too"
            f" small to matter{why}."
        )


def _kind(contrast: Contrast) -> tuple[Code, bool]:
    """What a comparison found, as far as its heading says it."""
    return contrast.verdict.code, contrast.verdict.small


def _shared_part(gains: Sequence[float]) -> str:
    if min(gains) <= 0:
        return "Not every group improved."
    if min(gains) >= 0.5 * max(gains):
        return "Most of the change is shared by all groups and is not a sign of any one therapy."
    return "Part of the change is shared by all groups and is not a sign of any one therapy."


def _counted_with(parts: Iterable[tuple[int, str]], verb: str) -> str:
    """Return ``four went with less pain, three with less disability and none with ...``."""
    links = (verb, verb.removeprefix("went "))
    return listed(
        [f"{counted(n) if n else 'none'} {links[k > 0]} {w}" for k, (n, w) in enumerate(parts)]
    )

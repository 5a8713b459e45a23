"""How far scores can be trusted, and how alike the episodes of one clinic or provider are.

Cronbach's alpha of every scale whose item answers are recorded, over complete forms of the analysed
episodes (the last form up to time zero); ICC(1) of each compared outcome's change at the primary
visit, by clinic and by provider. An ICC near 0 says that places hardly differ, so that little is
lost by not knowing who treated whom; a high one says that they are not exchangeable. Estimated by
:mod:`outcomes.measures.reliability`, an extra: without it they are left out, and that is said.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from outcomes.catalog.instruments import TOTAL, instrument
from outcomes.core.errors import NotEstimable
from outcomes.measures.item_columns import item_columns
from outcomes.measures.score import scale_items
from outcomes.records.sql import literal
from outcomes.study.described_scores import BASELINE, catalog_code
from outcomes.study.description import ALPHA, ICC

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from outcomes.catalog.instruments import Instrument
    from outcomes.measures.reliability import Reliability
    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Description

DOMAIN: Final = "Reliability of the scores"
MIN_FORMS: Final = 30
"""Fewer complete forms, or changes, say little."""
SUMMED: Final = ("sum", "mean", "percent", "percent_reversed")
"""Rules under which items stand for one thing, so that their consistency means something."""
PLACES: Final = {"clinic_id": "clinic", "provider_id": "provider"}


def describe_reliability(opened: Analysed, found: Description) -> None:
    """Describe alpha of the scales with items, and likeness within clinics and providers."""
    if find_spec("pingouin") is None:
        opened.left_out.append((DOMAIN, "The extra 'reliability' is not installed."))
        return
    _describe_items(opened, found)
    _describe_places(opened, found)


# -------------------------------------------------------------------------------- items of a scale
def _describe_items(opened: Analysed, found: Description) -> None:
    if not opened.needs("Consistency of item answers", "items"):
        return
    from outcomes.measures.reliability import cronbach_alpha

    for recorded in opened.fetch("select distinct instrument from items order by 1")["instrument"]:
        code = catalog_code(str(recorded))
        if code is None:
            continue
        asked = instrument(code)
        for scale, items in _scales(asked, _forms(opened, str(recorded))):
            if len(items) < MIN_FORMS:
                continue
            label = f"{asked.label}{scale}: consistency of its {items.shape[1]} items"
            measure = f"alpha_{asked.id}{scale.replace(' ', '_')}"
            alpha = _estimated(cronbach_alpha, items, conf_level=found.conf_level)
            found.add_coefficient(DOMAIN, measure, label, alpha, statistic=ALPHA, visit=BASELINE)


def _scales(asked: Instrument, forms: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (" scale" or "", complete forms with items turned the same way) of every sum."""
    import pandas as pd

    if forms.empty:
        return []
    answers = item_columns(asked, forms)
    return [
        (
            "" if scale.id == TOTAL else f" {scale.id}",
            pd.DataFrame(scale_items(asked, scale, answers)).dropna(),
        )
        for scale in asked.scales
        if scale.rule in SUMMED and len(scale.items) > 1
    ]


def _forms(opened: Analysed, recorded: str) -> pd.DataFrame:
    """Return the last form up to time zero of each analysed episode, one column an item."""
    rows: pd.DataFrame = opened.cursor.execute(_FORMS.format(code=literal(recorded))).df()
    return rows.pivot_table(index="episode_id", columns="item", values="answer", aggfunc="last")


_FORMS: Final = """
with forms as (
  select i.episode_id, max(i.day) as day
  from items i join analysed a on a.episode_id = i.episode_id
  where i.instrument = {code} and i.day <= a.zero_day group by i.episode_id
)
select i.episode_id, cast(i.item as string) as item, i.answer
from items i join forms f on f.episode_id = i.episode_id and f.day = i.day
where i.instrument = {code}
order by i.episode_id, i.item, i.answer nulls first
"""


# ---------------------------------------------------------------------------- clinics and providers
def _describe_places(opened: Analysed, found: Description) -> None:
    from outcomes.measures.reliability import group_icc

    dataset = opened.dataset
    visit = dataset.spec.primary.visit
    at_visit = dataset.visit_rows[dataset.visit_rows["visit"] == visit].set_index("episode_id")
    episodes = dataset.episodes.set_index("episode_id")
    for outcome in dataset.spec.outcomes:
        if f"baseline_{outcome.id}" not in episodes:
            continue
        change = at_visit[outcome.id] - episodes[f"baseline_{outcome.id}"]
        name = outcome.name or outcome.id.capitalize()
        for column, place in PLACES.items():
            if column not in episodes or change.notna().sum() < MIN_FORMS:
                continue
            known = change.index[episodes[column].reindex(change.index).notna()]
            label = f"{name}: likeness of changes within a {place}"
            values = change.loc[known], episodes[column].loc[known]
            icc = _estimated(group_icc, *values, conf_level=found.conf_level)
            measure = f"icc_{outcome.id}_{place}"
            found.add_coefficient(DOMAIN, measure, label, icc, statistic=ICC, visit=visit)


def _estimated(
    estimate: Callable[..., Reliability], *values: object, conf_level: float
) -> Reliability | None:
    try:
        return estimate(*values, conf_level=conf_level)
    except NotEstimable:
        return None

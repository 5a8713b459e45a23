"""Factors whose levels have one mean at a visit, such as randomised arms at baseline.

With the baseline score as the response at a first visit, and not as a covariate, the arms of a
trial have one mean there: the constrained longitudinal data analysis of [1]_ and [2]_. At that
visit every row stands in the formula at the first level of the factor; at all others at its own.
Rows of the reference grid and new rows do the same, so that an adjusted mean at the visit is the
mean they share.

References
----------
.. [1] Liang K-Y, Zeger SL. Longitudinal data analysis of continuous and discrete responses for
   pre-post designs. Sankhya B 2000;62:134-148.
.. [2] Lu K. On efficiency of constrained longitudinal data analysis versus longitudinal analysis of
   covariance. Biometrics 2010;66:891-896.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.categories import label


@dataclass(frozen=True, kw_only=True)
class EqualLevels:
    """Which factors have one mean at which visit.

    Attributes
    ----------
    visit : str
        Name of the visit column.
    at : mapping of str to str
        Factor to visit.
    """

    visit: str
    at: Mapping[str, str] = field(default_factory=dict)

    def check(self, levels: Mapping[str, tuple[str, ...]]) -> None:
        """Raise where a name is no factor of the formula, or no visit.

        Raises
        ------
        UsageError
        """
        if self.at and self.visit not in levels:
            raise UsageError(f"equal_at= is about a visit: the formula needs '{self.visit}'.")
        for factor, visit in self.at.items():
            if factor not in levels or factor == self.visit:
                raise UsageError(f"equal_at= names '{factor}', which is no factor of the formula.")
            if visit not in levels[self.visit]:
                raise UsageError(
                    f"equal_at= names visit '{visit}'; there are "
                    f"{', '.join(map(repr, levels[self.visit]))}."
                )

    def applied(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame as the formula sees it."""
        if not self.at:
            return frame
        changed = {}
        for factor, visit in self.at.items():
            column = frame[factor].array.copy()
            column[(frame[self.visit] == visit).to_numpy()] = column.categories[0]
            changed[factor] = column
        return frame.assign(**changed)


def read_equal_at(asked: Any) -> tuple[tuple[str, str], ...]:
    """Factors and their visits, as a user gives them.

    Raises
    ------
    UsageError
        Where it is no mapping of names.
    """
    if asked is None:
        return ()
    if not isinstance(asked, Mapping):
        raise UsageError(
            f"equal_at={asked!r} must name a factor and a visit, such as {{'arm': 'week 0'}}."
        )
    return tuple((factor, label(visit)) for factor, visit in asked.items())

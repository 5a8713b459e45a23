"""What the assessments can show: episodes and instruments that no change can be seen in.

None of this is a fault of a row. It is said early, because it decides how much of the records an
analysis over time can use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from outcomes.records.placing import Findings
from outcomes.records.rules import known_instrument

MEASURED: Final = {"assessments": "score", "items": "answer"}
"""Tables that hold a measurement, each with its value."""


def check_course(findings: Findings, supplied: Mapping[str, frozenset[str]]) -> None:
    """Report episodes without two days of measurement, and instruments used at one time only."""
    days = " UNION ALL ".join(
        f"SELECT episode_id, day FROM rows_{table} WHERE {value} IS NOT NULL"
        for table, value in MEASURED.items()
        if value in supplied.get(table, ())
    )
    if days:
        _episodes(findings, days)
    if "assessments" in supplied:
        _instruments(findings)


def _episodes(findings: Findings, days: str) -> None:
    findings.place(
        "warning",
        "episodes",
        "no_assessment",
        f"episode_id NOT IN (SELECT episode_id FROM ({days}))",
        "have no score at any time",
        "They count in the flow and in nothing else; are their assessments in another export?",
    )
    findings.place(
        "note",
        "episodes",
        "one_assessment",
        f"episode_id IN (SELECT episode_id FROM ({days}) GROUP BY episode_id "
        "HAVING min(day) = max(day))",
        "have scores on one day only, so no change can be seen in them",
        "Nothing to do, if they were not seen again.",
    )


def _instruments(findings: Findings) -> None:
    """Find instruments of which every score lies on one day, where others have several."""
    rows = findings.connection.execute(
        "SELECT instrument, min(day) = max(day), count(DISTINCT episode_id) FROM rows_assessments "
        "WHERE score IS NOT NULL AND instrument IS NOT NULL GROUP BY instrument ORDER BY instrument"
    ).fetchall()
    single = [name for name, one_day, episodes in rows if one_day and episodes > 1]
    if single and len(single) < len(rows):
        known = [name for name in single if known_instrument(name) is not None]
        names = ", ".join(f"'{name}'" for name in known)
        findings.say(
            "note",
            "assessments",
            "one_time",
            f"has {len(single)} instrument{'s' * (len(single) > 1)} with every score on one day, "
            "so no change can be seen" + (f": {names}" if names else ""),
            "Nothing to do, if it is asked at one time only.",
            "instrument",
        )

"""What to ask for instead, where a covariance asks for more than the data hold."""

from __future__ import annotations

from outcomes.stats.covariance import STRUCTURES, structure
from outcomes.stats.nesting import is_nested


def remedy(covariance: str, n_visits: int, n_groups: int) -> str:
    """A sentence that names what asks for less than this structure with so many groups."""
    ways = ["one covariance for all groups"] if n_groups > 1 else []
    simpler = simpler_structures(covariance, n_visits)
    if simpler:
        ways.append(f"a simpler structure such as {' or '.join(map(repr, simpler))}")
    ways += ["fewer visits"] * (n_visits > 1) + ["fewer terms"]
    return f"Use {', '.join(ways[:-1])}{' or ' if len(ways) > 1 else ''}{ways[-1]}."


def simpler_structures(covariance: str, n_visits: int) -> list[str]:
    """The largest and the smallest structure inside this one, the same ones not twice."""
    inside = [
        name
        for name in STRUCTURES
        if is_nested(name, covariance, n_visits) and not is_nested(covariance, name, n_visits)
    ]
    if not inside:
        return []
    largest, smallest = (
        pick(inside, key=lambda name: structure(name, n_visits).n_parameters) for pick in (max, min)
    )
    return [largest] if is_nested(largest, smallest, n_visits) else [largest, smallest]

"""Adding up what overlaps in time: closed intervals of days in, disjoint intervals with sums out.

Every interval adds its values on its first day and takes them off on the day after its last. Sorted
by key and day, the running sums are constant between the days on which something changes. All
values are integers, so a sum that returns to zero is zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

DAY_ROOM: Final = 1 << 22
"""Days that fit a combined number of key and day; days lie between plus and minus half of it."""


def sweep(key: Ints, start: Ints, end: Ints, values: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Add up overlapping intervals within each key.

    Parameters
    ----------
    key, start, end : (n,) arrays
        Whose interval, its first and last day (both count).
    values : (n, k) array
        What each interval adds on each of its days.

    Returns
    -------
    key, start, end : (m,) arrays
        Disjoint intervals, sorted; neighbours differ in their sums. Stretches on which all sums are
        zero are left out.
    sums : (m, k) array
    """
    place = np.concatenate([combined(key, start), combined(key, end + 1)])
    change = np.concatenate([values, -values])
    order = np.argsort(place, kind="stable")
    place, running = place[order], np.cumsum(change[order], axis=0)
    last = np.flatnonzero(np.append(np.diff(place) > 0, True)) if len(place) else np.arange(0)
    place, running = place[last], running[last]
    differs = np.any(np.diff(running, axis=0, prepend=0) != 0, axis=1)
    place, running = place[differs], running[differs]
    covered = np.flatnonzero(np.any(running != 0, axis=1))
    who, first = divided(place[covered])
    _, following = divided(place[covered + 1])
    return who, first, following - 1, running[covered]


def combined(key: Ints, day: Ints) -> Ints:
    """Return one number that sorts by key, then day."""
    return key * DAY_ROOM + day + DAY_ROOM // 2


def divided(place: Ints) -> tuple[Ints, Ints]:
    """Return key and day of a combined number."""
    return place // DAY_ROOM, place % DAY_ROOM - DAY_ROOM // 2


def total_up_to(key: Ints, start: Ints, end: Ints, value: Ints, at_key: Ints, at_day: Ints) -> Ints:
    """Return value x days of all disjoint sorted intervals up to a key's day, inclusive."""
    whole = np.concatenate([[0], np.cumsum(value * (end - start + 1))])
    place = np.searchsorted(combined(key, start), combined(at_key, at_day), side="right")
    before = np.maximum(place - 1, 0)
    if not len(key):
        return np.zeros(len(place), dtype=np.int64)
    inside = (place > 0) & (key[before] == at_key)
    beyond = np.maximum(end[before] - at_day, 0) * value[before]
    return np.where(inside, whole[place] - beyond, whole[place])


def touches(
    key: Ints, start: Ints, end: Ints, at_key: Ints, at_start: Ints, at_end: Ints
) -> npt.NDArray[np.bool_]:
    """Return for every window whether any of the key's intervals shares a day with it."""
    if not len(key):
        return np.zeros(len(at_key), dtype=bool)
    begun = np.searchsorted(np.sort(combined(key, start)), combined(at_key, at_end), side="right")
    over = np.searchsorted(np.sort(combined(key, end)), combined(at_key, at_start), side="left")
    return np.asarray(begun > over)

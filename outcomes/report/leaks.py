"""Read a finished page back: what is in it that should not be.

The gate decides what a page may be given. This reader trusts nobody: it sees the file alone, as a
stranger would, with the packed data unpacked, and names

- counts of people from 1 to threshold - 1, and counts that are not rounded, under ``strict``;
- what looks like a person: e-mail addresses, phone and social security numbers, record numbers,
  dates other than the page's own, paths of somebody's machine;
- a row for each patient: long lists of numbers, pictures with hundreds of marks;
- whatever would reach outside: addresses in elements, styles and the page's own script, a missing
  or open content security policy, scripts that it does not name, Plotly's upload button.

Pages of the profiles ``internal`` and ``public-data`` may hold exact counts; all else is asked of
them, too. A page can only be judged by what it says: small numbers drawn as lengths, or told in
words, are the gate's to stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from outcomes.report.finished import Finished, read_finished
from outcomes.report.leaks_numbers import find_counts, find_long_lists, find_many_marks
from outcomes.report.leaks_outside import find_outside
from outcomes.report.page import read_packed

PROFILES: Final = ("strict", "internal", "public-data")
THRESHOLD: Final = 11

PERSONAL: Final = {
    "an e-mail address": r"[\w.+-]+@[\w-]+\.[a-z]{2,}",
    "a social security number": r"\b\d{3}-\d{2}-\d{4}\b",
    "a phone number": r"(?:\+\d{1,3}[ -]?)?\(?\b\d{3}\)?[ -]\d{3}[ -]\d{4}\b",
    "a record number": r"\b(?:MRN|NHS|patient_id|episode_id|session_id)\b\W{0,3}\d+",
    "a date": r"\b(?:19|20)\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b"
    r"|\b\d{1,2}/\d{1,2}/(?:19|20)\d{2}\b",
    "a path of a machine": r"(?:/(?:home|Users|root|tmp|var|work|mnt)/[\w.-]+|\b[A-Z]:\\\w+|file://)"
    r"|\bprivate/\w+",
}


def find_leaks(page: str) -> list[str]:
    """Return what should not be in a finished page, one line a finding.

    Parameters
    ----------
    page : str
        A whole HTML document.

    Returns
    -------
    list of str
        Empty where nothing was found. Findings name kinds and places, never the thing itself.
    """
    found = read_finished(page)
    data, faults = _packed_data(page, found)
    profile, threshold = _profile(found)
    texts = [*found.texts, *_strings(data)]
    findings = [*faults, *find_outside(found, data), *_personal(texts)]
    findings += [*find_long_lists(data), *find_many_marks(found)]
    if profile not in PROFILES:
        findings.append("The page does not say under which disclosure profile it was made.")
    if profile not in PROFILES[1:]:
        findings += find_counts(found.cells, texts, threshold)
    return list(dict.fromkeys(findings))


def _packed_data(page: str, found: Finished) -> tuple[Any, list[str]]:
    """Return the data that the page's script reads, and what is wrong with it."""
    import binascii
    import json
    import zlib

    if not any(script.attributes.get("id") == "data" for script in found.scripts):
        return None, []
    try:
        return json.loads(read_packed(page, "data")), []
    except (KeyError, ValueError, EOFError, OSError, zlib.error, binascii.Error):
        return None, ["The data of the page's script cannot be unpacked, so it was not checked."]


def _profile(found: Finished) -> tuple[str, int]:
    """Return the profile and threshold that the page states."""
    words = " ".join(found.texts)
    profile = re.search(r"\bProfile (strict|internal|public-data)\b", words)
    small = re.search(r"from 1 to (\d+) is shown", words)
    return profile[1] if profile else "", int(small[1]) + 1 if small else THRESHOLD


def _strings(data: Any) -> Iterator[str]:
    """Yield every text in JSON values, keys included."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value


def _personal(texts: list[str]) -> Iterator[str]:
    """Yield kinds of personal details; the day on which the page was made may stand in it."""
    for kind, pattern in PERSONAL.items():
        hits = [hit for text in texts for hit in re.findall(pattern, text)]
        if kind == "a date" and len(set(hits)) == 1:
            continue
        if hits:
            yield f"{len(hits)} times something that looks like {kind}."

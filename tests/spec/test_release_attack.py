"""Nothing from 1 to 10 can be narrowed down from what a real run released."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from outcomes.results.audit import audit_release
from tests.spec.release_attack import attack, read_shown

pytestmark = pytest.mark.slow

COUNTS = ("n_episodes", "n_patients", "n_observed", "n_total", "n_events", "n_missing", "n_rows",
          "count")  # fmt: skip
HEADING = re.compile(r"\b(n|episodes|patients|people|events|rows|measured|counted in)\b", re.I)
IN_WORDS = (
    r"\bn (\d[\d,]*)(?![\d.,]*\d| ?%)",
    r"\bagainst (\d[\d,]*)\b",
    r"\b(\d[\d,]*) of \d[\d,]* (?:episodes|patients|people)",
    r"\bof (\d[\d,]*) (?:episodes|patients|people)",
    r"(?<!than )(?<!least )(?<!1 to )\b(\d[\d,]*) (?:episodes|patients|people)\b",
)
SMALLEST = 15
Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def exact(demo: Path) -> Tables:
    return {p.stem: pd.read_parquet(p) for p in (demo / "private" / "tables").glob("*.parquet")}


@pytest.fixture(scope="module")
def shown(demo: Path, exact: Tables) -> Tables:
    return read_shown(demo / "release" / "tables", exact)


@pytest.fixture(scope="module")
def page(demo: Path) -> str:
    return (demo / "report.html").read_text(encoding="utf-8")


def is_coarse(n: float) -> bool:
    return n == 0 or (n >= SMALLEST and n % 5 == 0)


# --------------------------------------------------------------------------------------- the files
def test_the_package_s_own_attacker_finds_nothing(demo: Path, exact: Tables) -> None:
    released = {p.stem: pd.read_parquet(p) for p in (demo / "release" / "tables").glob("*.parquet")}
    assert audit_release(exact, released, threshold=11) == []


def test_an_attacker_of_its_own_finds_nothing(exact: Tables, shown: Tables) -> None:
    made = attack(exact, shown)
    assert sum(1 <= true <= 10 for true in made.true.values()) > 500
    assert made.found() == []


def test_hiding_small_counts_alone_would_be_found(exact: Tables, shown: Tables) -> None:
    naive = {name: table.copy() for name, table in shown.items()}
    for name, share in (("completeness", "share"), ("components", "share")):
        assert len(exact[name]) == len(shown[name])  # so that rows stand side by side
        naive[name][share] = math.nan
        for column in set(COUNTS) & set(exact[name]):
            rounded = 5 * (exact[name][column].astype(float) / 5).round()
            naive[name][column] = rounded.where(rounded.ge(SMALLEST) | exact[name][column].eq(0))
    assert len(attack(exact, naive).found()) > 10


def test_count_columns_hold_no_small_and_no_exact_number(shown: Tables) -> None:
    seen = 0
    for table in shown.values():
        for column in set(COUNTS) & set(table):
            counts = table[column].dropna()
            seen += len(counts)
            assert counts.map(is_coarse).all(), column
    sizes = shown["gate"].loc[lambda t: t["check"].eq("group_size"), "value"].dropna()
    assert sizes.map(is_coarse).all()
    assert seen > 5_000


def test_percentages_are_those_of_coarse_counts(shown: Tables) -> None:
    shares = {"baseline": ("estimate", "n_episodes"), "completeness": ("share", "n_episodes"),
              "components": ("share", "n_total")}  # fmt: skip
    for name, (share, known) in shares.items():
        table = shown[name]
        table = table[table["statistic"].eq("share")] if "statistic" in table else table
        counts = (table[share] * table[known]).dropna()
        assert len(counts) > 50
        near = 5 * (counts / 5).round()
        assert (counts - near).abs().max() < 0.2
        assert near.map(is_coarse).all()
        rest = (table[known] - near).dropna()
        assert (rest.eq(0) | rest.add(4).ge(11)).all()  # either is two away at most


def test_a_stress_test_says_no_more_than_who_is_shown_as_seen(shown: Tables) -> None:
    """Beside its comparison it tells a stated amount times the unseen share that is shown."""
    keys = ["outcome", "level", "reference", "visit"]
    tests = shown["sensitivity"].query("method == 'mmrm-delta'").dropna(subset="estimate")
    both = tests.merge(shown["contrasts"], on=keys, suffixes=("", "_main"))
    moved = both["estimate_main"] - both["estimate"]
    better = both["level"].where(moved > 0, both["reference"])
    cells = pd.MultiIndex.from_arrays([both["outcome"], both["visit"], better])
    seen = shown["completeness"].set_index(["outcome", "visit", "exposure"])["share"]
    unseen = 1 - seen.reindex(cells).to_numpy()
    assert len(both) > 20
    for outcome, amount in (("pain", 2.0), ("mobility", 10.0)):
        here = both["outcome"].eq(outcome)
        assert here.any()
        assert moved[here].abs().to_numpy() == pytest.approx(amount * unseen[here], abs=2e-3)


def test_differences_and_ratios_say_no_more_than_their_shares(shown: Tables) -> None:
    """A difference of two shown shares is theirs; where one is hidden there is none."""
    for name in ("responders", "medication_use"):
        table = shown[name]
        keys = ["analysis_id", "outcome", "estimand", "method", "visit", "threshold",
                "threshold_unit"]  # fmt: skip
        table = table.assign(threshold=table["threshold"].fillna(-1))
        risks = table[table["scale"].eq("risk")].set_index([*keys, "level"])["estimate"]
        pairs = table[table["scale"].eq("risk_difference") & table["estimate"].notna()]
        assert len(pairs) > 20
        for row in pairs.to_dict("records"):
            place = tuple(row[key] for key in keys)
            both = risks[(*place, row["level"])], risks[(*place, row["reference"])]
            assert abs(abs(both[0] - both[1]) - abs(row["estimate"])) < 6e-4


def test_errors_and_spreads_do_not_tell_how_many(exact: Tables, shown: Tables) -> None:
    """From s and s / sqrt(n), each rounded as documented, at least five numbers fit."""
    spreads = shown["described"].loc[lambda t: t["statistic"].eq("mean")]
    spreads = spreads.set_index(["measure", "visit", "exposure"])["std_dev"]
    rows = shown["unadjusted"].assign(exact=exact["unadjusted"]["n_episodes"])
    rows = rows[rows["scale"].eq("mean") & rows["std_error"].notna()]
    right = []
    for row in rows.to_dict("records"):
        measure = {"pain": "nprs", "mobility": "odi"}.get(row["outcome"])
        spread = spreads.get((measure, row["visit"], row["level"]), math.nan)
        if math.isnan(spread):
            continue
        a, b = (ladder(2.5 * value / row["exact"]) / 2 for value in (spread, row["std_error"]))
        low = ((spread - a) / (row["std_error"] + b)) ** 2
        high = ((spread + a) / (row["std_error"] - b)) ** 2
        assert math.floor(high) - math.ceil(low) >= 4
        right.append(low <= row["exact"] <= high)
    assert len(right) > 20
    assert sum(right) > len(right) / 2  # the attack is a good one: the others are of other people


def ladder(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(rung * power for rung in (1, 2, 5, 10) if rung * power >= step * (1 - 1e-9))


def test_degrees_of_freedom_are_never_shown(shown: Tables) -> None:
    assert not any(table["df"].notna().any() for table in shown.values() if "df" in table)


# ---------------------------------------------------------------------------------------- the page
class Reader(HTMLParser):
    """Collects cells below their headings, and all words."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.cells: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.silent = self.in_head = self.in_cell = False
        self.column = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent = tag in ("script", "style")
        if tag == "thead":
            self.in_head, self.heads = True, []
        elif tag == "tr":
            self.column = 0
        elif tag in ("td", "th"):
            self.in_cell = True
            if self.in_head:
                self.heads.append("")
            known = self.heads[self.column] if self.column < len(self.heads) else ""
            self.cells.append((dict(attrs).get("data-l") or known, ""))
            self.column += int(dict(attrs).get("colspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        self.silent = False
        self.in_head = self.in_head and tag != "thead"
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        self.words.append(data)
        if self.in_cell and self.in_head:
            self.heads[-1] += data
        elif self.in_cell:
            heading, text = self.cells[-1]
            self.cells[-1] = (heading, text + data)


def packed(page: str) -> Any:
    """Unpack the data of the page's script."""
    found = re.search(r'id="data" data-bytes="(\d+)">([^\n]*)</script>', page)
    assert found is not None
    return json.loads(gzip.decompress(base64.b85decode(found[2])[: int(found[1])]))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from strings(inner)


def numbers_at(value: Any, key: str) -> Iterator[int]:
    """Yield the whole numbers below every entry of a name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from whole(inner) if name == key else numbers_at(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_at(inner, key)


def whole(value: Any) -> Iterator[int]:
    if isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from whole(inner)
    elif re.fullmatch(r"[\d,]+", str(value)):
        yield int(str(value).replace(",", ""))


def said(texts: list[str]) -> list[int]:
    """Return the numbers of people that texts speak of."""
    hits = [hit for text in texts for words in IN_WORDS for hit in re.findall(words, text)]
    return [int(hit.replace(",", "")) for hit in hits]


def test_the_page_s_tables_hold_no_small_and_no_exact_count(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    counts = [
        int(text.strip().replace(",", ""))
        for heading, text in reader.cells
        if HEADING.search(heading) and re.fullmatch(r"\s*[\d,]+\s*", text)
    ]
    assert len(counts) > 40
    assert [n for n in counts if not is_coarse(n)] == []


def test_the_page_s_words_and_data_hold_no_small_and_no_exact_count(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    data = packed(page)
    counts = [*said(reader.words), *said(list(strings(data))), *numbers_at(data, "n")]
    assert len(counts) > 100
    assert [n for n in counts if not is_coarse(n)] == []


def test_the_study_s_words_hold_no_small_and_no_exact_count(demo: Path) -> None:
    words = json.loads((demo / "release" / "study.json").read_text(encoding="utf-8"))
    free = [*words["notes"], *(text for row in words["left_out"] for text in row.values())]
    assert free
    assert [n for n in said(free) if n < SMALLEST] == []

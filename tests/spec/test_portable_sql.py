"""One text for two engines: what a study asks of DuckDB is read by Spark unchanged, same answers.

Every statement that the package sends while a small study is made is held to a subset of SQL that
both read alike; ``make spark`` also asks Spark and compares answer by answer.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import pyarrow as pa
import pytest

import outcomes.study
from tests.spec.recorded_sql import Step, apart, record_study
from tests.spec.spark_sql import difference, local_spark, replay

FORBIDDEN = (
    (r"::", "write cast(x as type)"),
    (r"\bqualify\b", "number the rows in a with clause and filter there"),
    (r"\bunnest\b|\[|\b(?:list|array|string)_?agg\b", "write joins and sums, there are no arrays"),
    (r"\{|\bstruct\b|\bmap\b", "write columns, there are no nested values"),
    (r"\binterval\b|\bdate_?diff\b|\bdate_?add\b", "days are whole numbers: subtract them"),
    (r"//", "write floor(x / y)"),
    (r"/\s*\d+\.\d", "divide by a whole number: Spark rounds quotients of decimals"),
    (r"/\s*(?!\s|\d|nullif\s*\()", "write x / nullif(y, 0): Spark stops where y is 0"),
    (r"\barg_(?:max|min)\b", "write max_by or min_by"),
    (r"\bilike\b|\bglob\b|\bsimilar\b|~", "write like"),
    (r"\bcolumns\s*\(|\bexclude\b|\*\s*replace\b", "name the columns"),
    (r"\bvarchar\b(?!\s*\()|\btext\b|\bhugeint\b", "write string or bigint"),
    (r"\bgroup\s+by\s+all\b", "name what is grouped by"),
    (r"\border\s+by\s+all\b(?!\s+nulls)", "say where nulls go: the engines differ"),
    (r"^\s*from\b|\basof\b|\bpositional\b|\bpivot\b|\bsample\b", "write a select with joins"),
    (r"\$\w|\?", "write literals: the engines mark parameters differently"),
)
"""What one of the two reads otherwise or not at all, and what to write for it."""

FUNCTIONS = """
    abs avg cast coalesce count covar_pop floor greatest isnan lag lead least max max_by min min_by
    nullif percentile_cont row_number split_part stddev_samp sum try_cast var_pop
"""
"""Functions that were seen to answer alike; before one is added, ``make spark`` has to agree."""
BEFORE_BRACKETS = """
    and as between by case else exists filter from group in join not on or over select sets then
    union when where
"""


def faults(select: str) -> list[str]:
    """Return what in a statement is not in the subset."""
    code = re.sub(r"--[^\n]*", "", re.sub(r"'(?:[^']|'')*'", "''", select)).lower()
    code = re.sub(r'"(?:[^"]|"")*"', "quoted", code)
    found = [
        f"{hit[0]!r}: {advice}" for form, advice in FORBIDDEN if (hit := re.search(form, code))
    ]
    called = set(re.findall(r"\b([a-z_]\w*)\s*\(", code)) - set(BEFORE_BRACKETS.split())
    called -= set(re.findall(r"\b(\w+)\s+as\s+\(", code))
    return found + [
        f"{name}(): is not known to answer alike"
        for name in sorted(called - set(FUNCTIONS.split()))
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    return record_study(tmp_path_factory.mktemp("study"), episodes=300, seed=1)


def test_statements_keep_to_the_subset(recorded: list[Step]) -> None:
    asked = [step for step in recorded if step.effect != "given"]
    assert len(asked) > 100
    outside = {f"{step.origin}: {fault}" for step in asked for fault in faults(step.select)}
    assert not outside, "\n".join(sorted(outside))


def test_every_declared_statement_was_asked(recorded: list[Step]) -> None:
    texts = [_one_line(step.select) for step in recorded]
    missing = [
        name
        for name, text in _declared()
        if not any(re.search(_as_pattern(text), asked) for asked in texts)
    ]
    assert not missing, f"{missing}: the study of record_study does not get there"


def _declared() -> Iterator[tuple[str, str]]:
    """Yield the statements that stand in the modules of ``outcomes.study``."""
    for found in pkgutil.iter_modules(outcomes.study.__path__, "outcomes.study."):
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, str) and re.match(r"\s*(with|select|insert|create)\s", value):
                yield f"{found.name}.{name}", apart(value)[2]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _as_pattern(text: str) -> str:
    """Turn a text with places to fill in into a pattern."""
    return ".+".join(map(re.escape, re.split(r"\{\w+\}", _one_line(text))))


@pytest.mark.parametrize(
    "select",
    [
        "select x::int from t",
        "select * from t qualify row_number() over (partition by a order by b) = 1",
        "select unnest(x) from t",
        "select [1, 2]",
        "select array_agg(x) from t",
        "select {'a': 1}",
        "select day + interval 1 day from t",
        "select datediff('day', a, b) from t",
        "select a // b from t",
        "select a / 7.0 from t",
        "select a / b from t",
        "select sum(a) / (b - c) from t",
        "select arg_max(a, b) from t",
        "select a from t where b ilike 'x'",
        "select columns('a.*') from t",
        "select * exclude (a) from t",
        "select cast(a as varchar) from t",
        "select a, sum(b) from t group by all",
        "select a from t order by all",
        "from t",
        "select a from t where b = $b",
        "select list(a) from t",
        "select regexp_matches(a, 'x') from t",
    ],
)
def test_what_is_outside_the_subset_is_seen(select: str) -> None:
    assert len(faults(select)) >= 1


def test_words_in_texts_and_names_are_no_faults() -> None:
    assert not faults("""select "a::b", 'x // y ?' from t where c in ('[', '$d')""")
    assert not faults("with u as (select a / 7 as b, a / nullif(c, 0) from t) select b from u")


# ------------------------------------------------------------------------------------------- Spark
def _absent() -> str:
    if find_spec("pyspark") is None:
        return "pyspark is not installed; `make spark` installs it"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Spark needs a Java runtime, and there is none"
    return ""


@pytest.mark.slow
@pytest.mark.skipif(bool(_absent()), reason=_absent())
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_gives_the_same_answers(
    recorded: list[Step], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with local_spark(tmp_path_factory.mktemp("spark")) as spark:
        differ = [
            f"{step.origin}: {fault}\n{_one_line(step.select)}"
            for step, fault in replay(spark, recorded)
            if fault
        ]
    assert not differ, "\n\n".join(differ)


ANSWER = pa.table({"id": [1, 2, None], "mean": [0.5, None, 2.0], "kind": ["a", "b", "c"]})


def test_order_and_the_last_digits_are_no_difference() -> None:
    turned = ANSWER.take([2, 0, 1]).set_column(1, "mean", pa.array([2.0, 0.5 + 1e-12, None]))
    assert difference(ANSWER, turned) == ""
    assert "rows differ" in difference(ANSWER, turned, in_order=True)


@pytest.mark.parametrize(
    ("place", "name", "values"),
    [
        (0, "id", [1, 3, None]),
        (0, "id", [1, 2, 0]),
        (1, "mean", [0.5 + 1e-6, None, 2.0]),
        (1, "mean", [0.5, float("nan"), 2.0]),
        (1, "average", [0.5, None, 2.0]),
        (2, "kind", ["a", "b", ""]),
    ],
)
def test_differences_are_seen(place: int, name: str, values: list[object]) -> None:
    assert difference(ANSWER, ANSWER.set_column(place, name, pa.array(values)))


def test_a_row_more_is_seen() -> None:
    assert "4 rows" in difference(ANSWER, pa.concat_tables([ANSWER, ANSWER.slice(0, 1)]))

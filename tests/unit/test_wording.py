"""Numbers and verdicts in words."""

from __future__ import annotations

import pytest

from outcomes.results.wording import (
    NO_RATIO,
    Comparison,
    OutcomeWords,
    amount,
    banned_words,
    count,
    estimate_text,
    finding,
    in_sentence,
    interval,
    judge,
    listed,
    long_sentences,
    number,
    percent,
)

PAIN = OutcomeWords(name="Pain", unit="points", better="less pain", worse="more pain")
DOSE = OutcomeWords(
    name="Medication",
    unit="mg a day (MME)",
    better="a lower opioid dose",
    worse="a higher opioid dose",
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-1.25, 1, "−1.2"),
        (-0.04, 1, "0.0"),
        (12345.678, 0, "12,346"),
        (None, 1, "–"),
        (float("nan"), 1, "–"),
    ],
)
def test_numbers(value: float | None, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


def test_a_bound_that_rounds_to_zero_gets_one_decimal_more() -> None:
    assert interval(-0.02, 0.78) == "−0.02 to 0.78"
    assert interval(0.0, 0.78) == "0.0 to 0.8"
    assert estimate_text(0.9, 0.6, 1.2) == "0.9 (0.6 to 1.2)"


def test_counts_and_shares() -> None:
    assert count(20310) == "20,310"
    assert percent(0.625) == "62\u00a0%"


def test_a_difference_says_its_direction() -> None:
    assert amount(0.91, PAIN) == "0.9 points less pain"
    assert amount(-1.0, PAIN) == "1.0 point more pain"
    assert amount(0.02, PAIN) == "0.0 points apart"
    assert amount(-2.0, DOSE) == "a higher opioid dose by 2.0 mg a day (MME)"


@pytest.mark.parametrize(
    ("low", "high", "fields", "code", "n_bars", "word"),
    [
        (0.6, 1.2, {"planned": False}, "not_measured", 0, "Not measured"),
        (0.6, 1.2, {"reason": "floor"}, "not_shown", 0, "Not shown"),
        (None, None, {}, "not_shown", 0, "Not shown"),
        (
            0.6,
            1.2,
            {"checks": ((0.1, 2),)},
            "better",
            3,
            "Consistent: the only other analysis agrees",
        ),
        (
            0.6,
            1.2,
            {"checks": ((-0.1, 2),)},
            "better",
            2,
            "Tentative: the only other analysis disagrees",
        ),
        (0.6, 1.2, {}, "better", 2, "Tentative: no other analysis was run"),
        (
            -1.2,
            -0.6,
            {"checks": ((-2, -1),)},
            "worse",
            3,
            "Consistent: the only other analysis agrees",
        ),
        (
            -0.2,
            0.3,
            {"checks": ((-0.1, 0.2),)},
            "same",
            3,
            "Little or no difference: the only other analysis agrees",
        ),
        (
            0.1,
            0.4,
            {"checks": ((0.1, 0.3), (-0.1, 0.3))},
            "better",
            2,
            "Tentative, but slight: 1 of 2 other analyses agree",
        ),
        (-0.2, 0.6, {}, "uncertain", 1, "Too uncertain to say"),
    ],
)
def test_the_first_rule_that_holds_gives_the_verdict(
    low: float | None,
    high: float | None,
    fields: dict[str, object],
    code: str,
    n_bars: int,
    word: str,
) -> None:
    verdict = judge(Comparison(low=low, high=high, margin=0.5, **fields))  # type: ignore[arg-type]
    assert (verdict.code, verdict.bars, verdict.word) == (code, n_bars, word)


def test_only_chance_and_two_other_analyses_fill_the_fourth_bar() -> None:
    found = {"low": 0.6, "high": 1.2, "margin": 0.5, "checks": ((0.5, 1.0), (0.4, 1.1))}
    assert judge(Comparison(**found)).bars == 3  # type: ignore[arg-type]
    assert judge(Comparison(**found, randomised=True)).bars == 4  # type: ignore[arg-type]
    one = {**found, "checks": ((0.5, 1.0),)}
    assert judge(Comparison(**one, randomised=True)).bars == 3  # type: ignore[arg-type]


def test_a_check_that_could_not_be_made_is_counted_beside_the_others() -> None:
    found = {"low": 0.6, "high": 1.2, "margin": 0.5}
    blank: tuple[float | None, float | None] = (None, None)
    some = judge(Comparison(**found, checks=((0.5, 1.0), (0.2, 1.0), blank), n_unmade=1))
    assert some.word == "Consistent: 2 of 2 other analyses agree; 2 could not be made or shown"
    none = judge(Comparison(**found, n_unmade=1))
    assert none.word == "Tentative: no other analysis could be made"
    assert none.bars == 2


def test_a_check_that_stands_alone_is_named() -> None:
    found = {"low": 0.6, "high": 1.2, "margin": 0.5}
    names = ("unseen values taken to be worse", "only those seen at every visit")
    one = judge(Comparison(**found, checks=((0.5, 1.0), (None, None)), names=names))
    assert one.alone == "unseen values taken to be worse"
    two = judge(Comparison(**found, checks=((0.5, 1.0), (0.4, 1.0)), names=names))
    assert not two.alone


def test_a_check_agrees_by_its_side_of_zero_however_far_from_it() -> None:
    found = {"low": 0.6, "high": 1.2, "margin": 0.5}
    assert judge(Comparison(**found, checks=((0.01, 0.1), (9.0, 9.9)))).agree == 3
    assert judge(Comparison(**found, checks=((-0.01, 1.9),))).agree == 1


def test_no_ratio_is_not_put_down_to_few_events_where_everybody_had_it() -> None:
    assert "everybody" in NO_RATIO
    assert "few" not in NO_RATIO


def test_an_interval_that_touches_zero_is_not_on_one_side() -> None:
    assert judge(Comparison(low=0.0, high=1.2, margin=0.5)).code == "uncertain"


def test_a_difference_too_small_to_matter_is_called_slight() -> None:
    small = judge(Comparison(low=0.1, high=0.4, margin=0.5, checks=((0.1, 0.3),)))
    assert small.slight
    assert small.short == "Consistent, but slight"
    assert finding(small, PAIN, "Usual care") == "Slightly less pain than usual care"
    assert finding(small, DOSE, "Usual care") == "A slightly lower opioid dose than usual care"


@pytest.mark.parametrize("high", [0.5, 0.6])
def test_an_interval_that_touches_or_passes_the_margin_is_not_slight(high: float) -> None:
    assert not judge(Comparison(low=0.1, high=high, margin=0.5)).slight
    assert judge(Comparison(low=-0.1, high=high, margin=0.5)).code == "uncertain"


def test_headings() -> None:
    better = judge(Comparison(low=0.6, high=1.2, margin=0.5))
    assert finding(better, PAIN, "Usual care") == "Less pain than usual care"
    unsure = judge(Comparison(low=-1, high=1.2, margin=0.5))
    assert finding(unsure, PAIN, "TENS") == "Too uncertain to say whether it differs from TENS"


def test_names_in_sentences_keep_abbreviations() -> None:
    assert in_sentence("Usual care") == "usual care"
    assert in_sentence("TENS and other modalities") == "TENS and other modalities"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_banned_words_are_found_whole() -> None:
    assert banned_words("This proves that it Works.") == ["works", "proves"]
    assert banned_words("It proved nothing; a network.") == []


def test_long_sentences_are_found() -> None:
    assert long_sentences("Short one. " + "word " * 26) != []
    assert long_sentences("Short one. Another short one.") == []

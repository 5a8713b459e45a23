"""What the page says, by rule."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest
from markupsafe import Markup

from outcomes.report.answer import build_cards
from outcomes.report.care import MOST, build_codelivery, build_components, build_dose
from outcomes.report.checks import build_checks, build_conditions, build_gate, gate_words
from outcomes.report.context import HIDDEN_MARK, Context, build_context
from outcomes.report.effects import build_effect
from outcomes.report.harm_words import Event, HarmWords, Rate, _by_chance
from outcomes.report.leads import (
    absent_outcomes,
    analysis_notes,
    can_say,
    cannot_say,
    care_lead,
    data_notes,
    facts_words,
    flow_lead,
    left_out,
    with_codes,
)
from outcomes.report.medicines import build_changes, build_use
from outcomes.report.page import render_page
from outcomes.report.people import build_baseline, build_completeness, build_flow
from outcomes.report.release import Release, with_suppressed
from outcomes.report.responders import build_responders
from outcomes.report.safety import Harms, build_described, build_harms
from outcomes.report.study import Visit, build_study, source_words, unit_words
from outcomes.report.tally import named
from outcomes.results.tables import build_table
from outcomes.results.wording import percent
from tests import report_example, report_variants


@pytest.fixture(scope="module")
def context() -> Context:
    return build_context(report_example.release())


def _released(**tables: pd.DataFrame) -> Context:
    """Return the example with some of its tables changed."""
    release = report_example.release()
    return build_context(Release(release.study, {**release.tables, **tables}))


def test_the_headline_counts_all_types_so_that_no_result_picks_one(context: Context) -> None:
    assert context.narrative.headline() == (
        "By week 12, four of five types went with less pain than usual care (one tentatively)."
    )
    assert context.narrative.dek()[1] == (
        "Four of five types went with less disability (two tentatively); one went with a lower"
        " opioid dose (tentatively)."
    )


def test_the_comparison_on_the_cards_is_said_to_be_the_one_fixed_in_advance(
    context: Context,
) -> None:
    assert context.narrative.dek()[2] == (
        "The cards show the comparison and visit fixed in advance: exercise went with less pain and"
        " less disability than usual care by week 12; on opioid dose the records cannot tell."
    )


def test_a_study_of_one_comparison_has_it_in_the_headline() -> None:
    two = build_context(report_variants.two_types())
    assert two.narrative.headline() == (
        "Exercise went with less pain and less disability than usual care by week 12;"
        " on opioid dose the records cannot tell."
    )
    assert not any("The cards show" in said for said in two.narrative.dek())


def _narrowed(outcome: str, visits: tuple[str, ...], low: float, high: float) -> Context:
    """Return the example with another interval of exercise against usual care."""
    rows = report_example.release().table("contrasts")
    here = rows["outcome"].eq(outcome) & rows["visit"].isin(visits)
    for level, reference, sign in (("exercise", "usual_care", 1), ("usual_care", "exercise", -1)):
        match = here & rows["level"].eq(level) & rows["reference"].eq(reference)
        ends = sorted((sign * low, sign * high))
        values = {"estimate": sum(ends) / 2, "conf_low": ends[0], "conf_high": ends[1]}
        rows = rows.assign(**{name: rows[name].mask(match, v) for name, v in values.items()})
    return _released(contrasts=rows)


def test_a_slight_difference_is_called_slight_wherever_it_is_said() -> None:
    slight = _narrowed("mobility", ("week_12",), 1.0, 3.0)
    contrast = slight.comparisons.get("mobility", "exercise")
    assert contrast.verdict.short.endswith("but slight")
    assert "and slightly less disability than" in slight.narrative.dek()[2]
    assert slight.narrative.title("mobility", "usual_care", "week_12") == (
        "Three of five types went with less and one with slightly less disability than usual care"
        " at week 12 (two tentatively)"
    )
    assert slight.narrative.dek()[1].startswith(
        "Three of five types went with less and one with slightly less disability (two tentatively)"
    )


@pytest.mark.parametrize(
    ("outcome", "reference", "title"),
    [
        ("pain", "exercise", "One of five types went with less and four with more pain than"),
        ("pain", "manual_therapy+exercise", "All five types went with more pain than"),
        (
            "mobility",
            "manual_therapy",
            "One of five types went with less, one with slightly less and one with more disability"
            " than",
        ),
        ("medication", "exercise", "No type stood clearly apart from"),
    ],
)
def test_worse_is_counted_after_better_and_slight_apart_from_both(
    outcome: str, reference: str, title: str, context: Context
) -> None:
    assert context.narrative.title(outcome, reference, "week_12").startswith(f"{title} ")


def test_a_card_says_the_margin_where_it_cuts_the_interval() -> None:
    def margins(low: float, high: float) -> str:
        return build_cards(_narrowed("mobility", ("week_12",), low, high))[1].margin

    cut = "Less than 4.0 was set as too small to matter; the interval lies on both sides."
    assert margins(3.0, 5.0) == margins(-5.0, -3.0) == cut
    assert margins(4.1, 6.0) == ""
    assert margins(1.0, 3.0) == ""


def _with_margin(size: float) -> Context:
    release = report_example.release()
    outcomes = [
        {**o, "margin": size} if o["id"] == "medication" else o for o in release.study["outcomes"]
    ]
    return build_context(Release({**release.study, "outcomes": outcomes}, release.tables))


def test_a_margin_of_more_than_half_of_the_start_is_said_to_be_so() -> None:
    wide = _with_margin(7.5)
    said = "over half of the mean start of 14.3"
    assert build_cards(wide)[2].margin == f"Less than 7.5 ({said}) was set as too small to matter."
    about = wide.study.outcomes["medication"]
    assert f"either way, {said}, set beforehand" in wide.narrative.margin_note(about)
    narrow = _with_margin(7.0)
    assert build_cards(narrow)[2].margin == ""
    assert "half" not in narrow.narrative.margin_note(narrow.study.outcomes["medication"])


def test_a_card_whose_interval_holds_zero_sets_the_interval_first() -> None:
    page = render_page(report_example.release(), audience="board")
    numbers = re.findall(r'<p class="num [^"]*">(.*?)<small>', page)
    assert numbers[:2] == ["0.9", "4.3"]
    assert re.fullmatch(r"−[0-9.]+<em>to</em>[0-9.]+", numbers[2])
    assert "interval around 1.9" in page


def test_every_type_has_its_number_in_the_strips() -> None:
    page = render_page(report_example.release(), audience="board")
    strips = re.findall(r'<span class="es">([^<]*)</span>', page)
    assert strips[:5] == ["0.9", "0.6", "1.2", "0.2", "0.4"]


def test_what_was_measured_when_is_said_of_the_outcome_that_was(context: Context) -> None:
    said = context.narrative.meta(3595)
    assert said.startswith(
        "3,595 episodes of care; pain was measured in 79\u00a0% at week 12 and in 60\u00a0% at"
        " week 52. Main comparison fixed in advance:"
    )
    assert "followed" not in said
    assert cannot_say(context)[-1] == (
        "How people fared whose pain was not measured: 40\u00a0% of all at week 52."
    )
    assert build_flow(context)[-1].label == (
        "with at least one later value of pain, mobility or medication"
    )
    assert build_context(report_variants.empty()).narrative.meta(None).startswith("Main comparison")


def test_the_change_of_all_comes_before_any_difference(context: Context) -> None:
    said = context.narrative.dek()
    assert said[0].startswith("Every group got better, usual care included")
    assert said[-1].startswith("These are associations")


def test_types_that_are_not_shown_are_not_counted_as_compared() -> None:
    release = report_example.release()
    table = release.tables["contrasts"]
    closed = table["level"].eq("exercise") | table["reference"].eq("exercise")
    gated = table.assign(gate=table["gate"].mask(closed, "few were measured"))
    gated.loc[closed, ["estimate", "conf_low", "conf_high"]] = float("nan")
    shown = Release(release.study, {**release.tables, "contrasts": gated})
    said = build_context(shown).narrative.headline()
    assert said.startswith("By week 12, three of four types went with less pain")


def test_the_answer_says_of_which_visit_it_speaks_and_what_the_others_show(
    context: Context,
) -> None:
    said = context.narrative.dek()
    assert said[2].startswith("The cards show the comparison and visit fixed in advance: ")
    assert said[3] == "Mobility: less disability at week 12, slightly less disability at week 6."
    pain = context.narrative.headline_contrasts()[0]
    assert context.narrative.elsewhere(pain) == "Week 6, week 26 and week 52: the same finding"


def test_another_finding_at_another_visit_is_said() -> None:
    changed = _narrowed("pain", ("week_26", "week_52"), 0.1, 0.3)
    pain = changed.narrative.headline_contrasts()[0]
    assert changed.narrative.elsewhere(pain) == (
        "Week 6: the same finding; week 26 and week 52: slightly less pain than usual care"
    )
    said = " ".join(changed.narrative.dek())
    assert "Pain: less pain at week 12, slightly less pain at week 26 and week 52." in said


def test_little_difference_and_a_slight_one_stand_in_one_sentence() -> None:
    release = report_example.release()
    outcomes = [
        {**o, "margin": 9.0} if o["id"] == "medication" else o for o in release.study["outcomes"]
    ]
    tables = _narrowed("medication", ("week_6", "week_26", "week_52"), 0.5, 2.0).release.tables
    changed = build_context(Release({**release.study, "outcomes": outcomes}, tables))
    assert (
        "Medication: little or no difference at week 12, a slightly lower opioid dose at week 6,"
        " week 26 and week 52."
    ) in changed.narrative.dek()


def test_a_trial_says_had_and_may_fill_four_bars() -> None:
    trial = build_context(report_variants.trial())
    assert trial.narrative.headline() == "By week 12, both types had less pain than usual care."
    assert trial.comparisons.get("pain", "exercise").verdict.bars == 4


def test_where_nothing_is_shown_nothing_is_counted() -> None:
    gated = build_context(report_variants.all_gated())
    assert gated.narrative.headline().startswith("No difference in pain")
    assert not any("The cards show" in said for said in gated.narrative.dek())
    effect = build_effect(gated, "pain")
    assert effect.none_shown == "12 % were measured, floor 40 %"
    assert effect.panels is None


def test_a_pair_can_be_read_either_way(context: Context) -> None:
    one = context.comparisons.get("pain", "exercise", "usual_care")
    other = context.comparisons.get("pain", "usual_care", "exercise")
    assert one.row.estimate == -(other.row.estimate or 0)
    assert other.finding == "More pain than exercise"
    assert other.size == one.size
    assert other.size_interval == one.interval


def test_an_uncertain_difference_is_said_to_be_so(context: Context) -> None:
    said = context.narrative.difference(context.comparisons.get("medication", "exercise"))
    assert "it is too uncertain to say" in said


def test_a_gated_difference_gives_its_reason_and_no_number(context: Context) -> None:
    contrast = context.comparisons.get("medication", "modalities", visit="week_52")
    assert contrast.verdict.code == "not_shown"
    assert "floor 40 %" in context.narrative.difference(contrast)
    assert contrast.both == "–"


def test_what_was_not_planned_is_not_measured(context: Context) -> None:
    contrast = context.comparisons.get("mobility", "exercise", visit="week_26")
    assert contrast.verdict.word == "Not measured"


def test_hidden_counts_are_hidden_in_the_flow(context: Context) -> None:
    reasons = build_flow(context)[0].reasons
    assert [cell.hidden for _, cell in reasons] == [False, False, True]
    assert flow_lead(context).startswith("Of 5,410 episodes in the records, 3,595 could")


def test_the_flow_claims_no_more_of_its_reasons_than_holds(context: Context) -> None:
    flow = context.release.table("flow")
    early = "An early end may itself come from how someone fared."
    assert flow_lead(context).endswith(
        f"none but a missing later value looks beyond day 14. {early}"
    )
    kept = flow[flow["step"].ne("no_follow_up")]
    assert flow_lead(_released(flow=kept)).endswith(f"none looks beyond day 14. {early}")
    inside = kept[kept["step"].ne("ended")]
    assert flow_lead(_released(flow=inside)).endswith("none looks beyond day 14.")


def test_parts_of_opioid_use_are_said_to_be_rounded_beside_their_colours(
    context: Context,
) -> None:
    page = render_page(context.release)
    legend = page[page.index('<p class="legend">') :].split("</p>")[0]
    assert "each part rounded by itself" in legend
    assert "many small rises can stand beside a mean that falls" in page
    assert page.count("Means and differences are rounded one by one") == 1


def test_the_largest_imbalance_is_named(context: Context) -> None:
    found = build_baseline(context)
    assert found is not None
    assert found.words[0] == (
        "Before adjustment the largest standardised difference was 0.52"
        " (age, education and posture)."
    )
    hidden = [row for row in found.rows if row.label == "Earlier spine surgery"]
    assert [cell.hidden for e, cell in hidden[0].cells if e == "education_posture"] == [True]


def test_the_baseline_table_says_what_adjustment_does_and_what_it_cannot_show() -> None:
    used = [{"id": "age", "name": "age"}]
    release = report_example.release(covariates={"used": used, "absent": [], "same": []})
    balance = release.table("balance")
    tables = {**release.tables, "balance": balance.assign(smd_weighted=None)}
    found = build_baseline(build_context(Release(release.study, tables)))
    assert found is not None
    assert "this table cannot show how far that closes the gaps" in found.adjustment
    assert {row.label for row in found.rows if row.adjusted} >= {"Age"}
    reason = (
        "Uneven, and not in the model because the study does not list them among its covariates"
    )
    assert f"{reason}: " in found.adjustment
    assert found.adjustment.endswith("with no place in the model: any opioid up to time zero.")
    assert "age" not in found.adjustment.split("Uneven")[1]
    weighted = build_baseline(build_context(report_example.release()))
    assert weighted is not None
    assert weighted.adjustment == ""


def test_completeness_tells_unplanned_from_low(context: Context) -> None:
    found = build_completeness(context)
    assert found is not None
    cells = dict(found.rows)["modalities"]
    assert [cell.low for cell in cells[:4]] == [False, False, False, True]
    assert not cells[6].planned


def test_rare_combinations_are_pooled(context: Context) -> None:
    found = build_codelivery(context)
    assert found is not None
    assert found.rows[0][1] == "610"
    assert ("No therapy recorded", "450") in [row[:2] for row in found.rows]
    assert found.others == (("Rare combinations, pooled for privacy", "370"),)
    assert "not drawn: rare combinations, pooled for privacy: 370 episodes." in found.sub
    assert all(name for name, _, _ in found.rows)


def test_combinations_beyond_the_commonest_are_pooled_with_their_kinds() -> None:
    rows = [
        {"combination": f"Part {k}", "size": 1, "n_episodes": 100 - 5 * k} for k in range(MOST + 2)
    ]
    table = with_suppressed(build_table("combinations", rows))
    found = build_codelivery(_released(combinations=table))
    assert found is not None
    assert len(found.rows) == MOST
    assert found.others == (("Other combinations (2 kinds)", "75"),)


def test_every_component_and_measure_of_dose_is_listed(context: Context) -> None:
    groups = build_components(context)
    assert [row.label for group in groups for row in (*group.tops, *group.rows)] == [
        "Exercise",
        "Strength",
        "Core",
        "Massage",
        "TENS",
        "Posture correction",
        "Pain education",
    ]
    rows = build_dose(context)
    assert len(rows) == 4
    table = context.release.table("dose")
    first = table[table["measure"].eq(table["measure"].iloc[0])].set_index("exposure")
    sizes = {exposure: cell.n for exposure, cell, _, _ in rows[0].cells}
    assert sizes["exercise"] == f"{first['n_episodes']['exercise']:,.0f}"


def test_responders_start_at_the_declared_threshold(context: Context) -> None:
    found = build_responders(context, "pain")
    assert found is not None
    assert found.keys[found.chosen].label == "2 points or more better"
    assert found.keys[0].label == "no worse than at the start"
    assert found.keys[1].label == "1 point or more better"
    assert found.worse is not None
    assert found.keys[found.worse].label == "2 points or more worse"
    assert all(0 < float(line.text.split()[0]) < 20 for line in found.worse_lines)
    assert build_responders(context, "medication") is None


def test_hidden_parts_of_a_bar_are_pooled_with_their_share(context: Context) -> None:
    found = build_changes(context)
    assert found is not None
    bars = {bar.exposure: bar for bar in found.visits[0][2]}
    assert bars["education_posture"].parts[-1].label.endswith("%")
    assert bars["education_posture"].cells[-1].hidden
    assert sum(p.width for p in bars["exercise"].parts) == pytest.approx(100, abs=0.3)


def test_any_opioid_has_panels_and_other_classes_have_tables(context: Context) -> None:
    tables = build_use(context)
    assert [t.name for t in tables] == ["Any opioid", "NSAID", "Gabapentinoid"]
    assert [t.panels is not None for t in tables] == [True, False, False]


def test_harms_stand_with_every_type_and_serious_events_are_said(context: Context) -> None:
    found = build_harms(context)
    assert found is not None
    assert found.serious == "15 serious events in 24,610 sessions over all types."
    listed = [row.label for table in found.tables for row in table.rows if not row.sub]
    assert "Serious adverse event" in listed
    assert all(len(row.cells) == 7 for table in found.tables for row in table.rows)
    assert found.panels[0].by_type["usual_care"].hidden
    assert found.any_hidden


def test_harms_say_the_share_of_episodes_before_the_rate(context: Context) -> None:
    found = build_harms(context)
    assert found is not None
    row = (
        context.release.table("harms").query("exposure == 'exercise' and event == 'flare'").iloc[0]
    )
    flare = next(p for p in found.panels if p.event == "flare").by_type["exercise"]
    assert flare.share == percent(row["n_episodes"] / row["n_total"])
    assert flare.counts == f"{row['n_episodes']:,.0f} of {row['n_total']:,.0f}"
    assert flare.rate == "6.8"
    listed = {r.label: r.cells[0] for table in found.tables for r in table.rows}
    assert listed["Flare"].share.text == flare.share
    assert listed["Serious adverse event"].share.hidden


def _with_harms(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Harms:
    release = report_example.release()
    tables = {**release.tables, "harms": change(release.table("harms").copy())}
    found = build_harms(build_context(Release(release.study, tables)))
    assert found is not None
    return found


def _rates(**intervals: tuple[float, float, float]) -> HarmWords:
    """Return the words on one event whose rates are given by type; the others are hidden."""

    def rewritten(table: pd.DataFrame) -> pd.DataFrame:
        flare = table[table["event"].eq("flare")].copy()
        for column in ("rate", "conf_low", "conf_high"):
            flare[column] = float("nan")
        flare["suppressed"] = ~flare["exposure"].isin(list(intervals))
        for exposure, values in intervals.items():
            row = flare["exposure"].eq(exposure)
            flare.loc[row, ["rate", "conf_low", "conf_high"]] = values
        return flare

    return _with_harms(rewritten).words


def test_harms_that_stand_apart_are_said_with_both_intervals() -> None:
    found = _rates(
        exercise=(4.0, 3.0, 5.3), education_posture=(2.4, 1.3, 3.9), usual_care=(1.9, 1.1, 3.1)
    )
    assert found.finding == (
        "The rate that differs most from usual care is that of flare: higher with exercise."
    )
    assert found.lines[0] == (
        "Flare",
        "More often than with usual care, 1.9 (1.1 to 3.1) per 1,000 sessions: exercise, "
        "4.0 (3.0 to 5.3).",
    )
    assert found.lines[1][0] == "Too few to tell"
    assert found.lines[1][1].startswith(
        "Flare, with manual therapy, manual therapy + exercise and TENS and other modalities."
    )
    assert found.caveat.startswith("Rates are as recorded, not adjusted")
    assert "nothing about cause" in found.caveat


def test_harms_say_how_many_pairs_would_stand_apart_by_chance() -> None:
    own = Rate(exposure="usual_care", value=1.9, low=1.1, high=3.1)
    other = Rate(exposure="exercise", value=4.0, low=3.0, high=5.3)
    event = Event(name="Flare", unit="", reference=own, compared=(other,))
    study = build_context(report_example.release()).study
    assert _by_chance(study, [event], 33) == (
        " Of 33 pairs looked at, one stands apart; about two would by chance alone."
    )
    assert _by_chance(study, [event], 9) == ""


def test_the_same_finding_that_is_less_sure_is_called_tentative() -> None:
    release = report_example.release()
    table = release.tables["sensitivity"]
    late = (
        table["visit"].eq("week_52")
        & table["outcome"].eq("pain")
        & table["analysis_id"].eq("complete_cases")
    )
    against = table.assign(
        estimate=table["estimate"].mask(late, -table["estimate"]),
        conf_low=table["conf_low"].mask(late, -table["conf_high"]),
        conf_high=table["conf_high"].mask(late, -table["conf_low"]),
    )
    told = build_context(Release(release.study, {**release.tables, "sensitivity": against}))
    pain = told.narrative.headline_contrasts()[0]
    assert told.narrative.elsewhere(pain) == (
        "Week 6 and week 26: the same finding; week 52: the same finding, tentatively"
    )


def test_a_lower_rate_is_said_as_less_often() -> None:
    found = _rates(exercise=(3.3, 2.2, 4.7), usual_care=(5.6, 4.1, 7.5))
    assert found.finding.endswith("that of flare: lower with exercise.")
    assert found.lines[0][1].startswith("Less often than with usual care, 5.6 (4.1 to 7.5) per")


def test_rates_whose_difference_may_be_none_are_not_called_apart() -> None:
    found = _rates(exercise=(17.4, 15.0, 20.0), usual_care=(24.3, 16.9, 33.8))
    assert found.finding == (
        "No type's rate of any event stands clearly apart from that of usual care."
    )
    assert found.lines[0][0] == "Not clearly apart"
    assert "does not show that the types are alike" in found.lines[0][1]


def test_nothing_is_compared_where_the_comparator_is_hidden() -> None:
    found = _rates(exercise=(4.0, 3.0, 5.3))
    assert found.finding.startswith("No rate can be compared with that of usual care")
    assert [head for head, _ in found.lines] == ["Too few to tell"]
    assert "chance" not in found.caveat


def test_emergency_visits_stand_among_the_rows_however_rare() -> None:
    def rarest(table: pd.DataFrame) -> pd.DataFrame:
        flare = table[table["event"].eq("flare")]
        names = ("first", "second", "third", "emergency_visit")
        return pd.concat([flare.assign(event=name) for name in names], ignore_index=True)

    assert [panel.event for panel in _with_harms(rarest).panels][-1] == "emergency_visit"


def test_serious_events_are_too_few_or_not_recorded() -> None:
    serious = "serious_adverse_event"

    def without(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["event"].ne(serious)]

    def hidden(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[table["event"].eq(serious), "n_events"] = float("nan")
        table.loc[table["event"].eq(serious), "suppressed"] = True
        return table

    assert _with_harms(hidden).serious == "Serious events: too few to show."
    assert _with_harms(without).serious.startswith("Serious events: not recorded")


def test_every_described_domain_is_a_fold_with_all_its_measures(context: Context) -> None:
    table = context.release.table("described")
    found = build_described(context, all_visits=True)
    assert [d.name for d in found] == list(dict.fromkeys(table["domain"]))
    assert sum(len(d.rows) for d in found) == len(
        table.drop_duplicates(["measure", "visit", "statistic"])
    )
    assert len({d.slug for d in found}) == len(found)


def test_a_hidden_number_measured_is_marked_beside_its_comparison() -> None:
    rows = report_example.release().table("completeness")
    match = rows["outcome"].eq("pain") & rows["exposure"].eq("exercise")
    match &= rows["visit"].eq("week_12")
    found = build_effect(
        _released(completeness=rows.assign(n_observed=rows["n_observed"].mask(match))), "pain"
    )
    assert found.by_type["exercise"].n_text.startswith(f"n {HIDDEN_MARK} against ")
    assert HIDDEN_MARK not in found.by_type["manual_therapy"].n_text
    assert found.any_hidden


def test_described_numbers_say_on_how_many_they_rest(context: Context) -> None:
    table = context.release.table("described")
    first = build_described(context, all_visits=True)[0].rows[0]
    row = table[table["label"].eq(first.label) & table["exposure"].eq("exercise")].iloc[0]
    assert dict(first.cells)["exercise"].n == f"{row['n_episodes']:,.0f}"


def test_checks_put_the_plain_difference_last_and_uncounted(context: Context) -> None:
    found = build_checks(context)
    assert found.title == "The main result stands in all five other analyses"
    assert found.lines[0].main
    assert found.lines[-1].plain
    assert found.n_words == "six analyses"


def test_the_gate_lists_what_failed(context: Context) -> None:
    lines, n_checks = build_gate(context)
    assert [line.what for line in lines] == ["Medication, TENS and other modalities, week 52"]
    assert (
        gate_words(lines, n_checks) == "One of 72 conditions for showing a difference was not met"
    )


def test_the_conditions_are_listed_with_their_limit_and_the_value_nearest_to_it(
    context: Context,
) -> None:
    follow_up = context.release.table("gate").query("check == 'follow_up'")
    line = next(c for c in build_conditions(context) if c.what.startswith("Share of them"))
    assert line.met == f"{len(follow_up) - 1} of {len(follow_up)}"
    assert line.limit == f"{percent(0.4)} or more"
    assert line.closest == percent(follow_up["value"].min())


def test_a_visit_at_which_all_had_the_same_value_is_a_condition_not_met(context: Context) -> None:
    gate = context.release.table("gate")
    alike = gate.head(1).assign(check="varies", passed=False, value=float("nan"), limit=0.0)
    (line,) = build_conditions(_released(gate=alike))
    assert line.what == "Those measured at the visit had more than one value"
    assert (line.met, line.limit, line.closest) == ("0 of 1", "has to hold", "–")


def test_what_it_cannot_say_depends_on_the_design(context: Context) -> None:
    assert cannot_say(context)[0].startswith("That a therapy was the cause")
    assert "elsewhere" in cannot_say(build_context(report_variants.trial()))[0]


def test_a_trial_without_a_word_on_blinding_says_what_expectation_may_do() -> None:
    release = report_variants.trial()
    assert not any("expectation" in said for said in cannot_say(build_context(release)))
    outcomes = [{**o, "self_reported": True} for o in release.study["outcomes"]]
    rated = build_context(Release({**release.study, "outcomes": outcomes}, release.tables))
    assert cannot_say(rated)[-1].startswith("How much is expectation.")
    assert "does not record blinding" in cannot_say(rated)[-1]
    assert "People rated themselves" in rated.narrative.dek()[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "A type is named by what filled most of the first 14 days. Usual care is where no"
            " therapy is recorded: who had none and whose therapy nobody wrote down cannot be told"
            " apart.",
        ),
        ({"exposure_source": "program"}, "A type is the program that each person was in"),
        ({"exposure_source": "program", "design": "randomised"}, "A type is what each person was"),
    ],
)
def test_a_type_is_named_by_what_names_it(changes: dict[str, str], said: str) -> None:
    assert care_lead(build_context(report_example.release(**changes))).startswith(said)


def test_several_components_are_a_share_of_a_number_that_is_given(context: Context) -> None:
    assert "Of the 2,775 episodes with a combination common enough to show, " in care_lead(context)
    open_ = build_context(report_example.release(profile="public-data"))
    assert "Of the 2,775 episodes with any component, " in care_lead(open_)


def test_a_check_that_could_not_be_made_is_told_with_its_reason() -> None:
    notes = ["pain, complete cases: the model did not converge.", "One note on the records."]
    found = build_context(report_example.release(notes=notes))
    checks = build_checks(found)
    assert (
        checks.title
        == "The main result stands in all five other analyses; one could not be made or shown"
    )
    assert checks.unmade == (
        "Complete cases (only those seen at every visit): the model did not converge.",
    )
    assert data_notes(found.study) == ["One note on the records."]
    assert analysis_notes(found.study) == [
        "Pain: the check complete cases could not be made: the model did not converge."
    ]
    assert (
        "; 1 could not be made or shown" in found.comparisons.get("pain", "exercise").verdict.word
    )


def test_names_of_the_records_are_code_and_nothing_else_is() -> None:
    said = with_codes("left out by the filter on 'is_patient' <b>, the patient's own")
    assert said == (
        "left out by the filter on <code>is_patient</code> &lt;b&gt;, the patient&#39;s own"
    )


def test_facts_are_summed_up_in_one_sentence(context: Context) -> None:
    assert facts_words(context.study) == (
        "1 of 2 checked against the source, 1 from memory; none reviewed by a clinician"
    )
    read = [{"confidence": "verified", "review": "reviewed"}]
    study = build_study({**context.study.raw, "facts": read})
    assert facts_words(study) == "1 of 1 checked against the source; 1 of 1 reviewed by a clinician"


def test_what_a_study_does_not_have_is_said_once() -> None:
    trial = build_context(report_variants.trial())
    assert [role for role, _, _ in absent_outcomes(trial.study)] == ["mobility", "medication"]
    assert build_codelivery(trial) is None
    assert "delivered" not in " ".join(can_say(trial))


def test_a_visit_with_a_word_of_time_gets_no_second_one() -> None:
    named = Visit(label="end", name="After treatment", day=28)
    assert (named.at, named.by) == ("after treatment", "after treatment")
    week = Visit(label="week_12", name="Week 12", day=84)
    assert (week.at, week.by) == ("at week 12", "by week 12")


def test_titles_after_a_treatment_read_as_a_sentence() -> None:
    release = report_variants.trial()
    names = {"week_12": "After treatment"}
    visits = [{**v, "name": names.get(v["label"], v["name"])} for v in release.study["visits"]]
    after = build_context(Release({**release.study, "visits": visits}, release.tables))
    assert (
        after.narrative.headline() == "After treatment, both types had less pain than usual care."
    )
    assert after.narrative.title("pain", "usual_care", "week_12") == (
        "Both types had less pain than usual care after treatment"
    )


def test_only_strict_pages_say_that_small_numbers_are_hidden(context: Context) -> None:
    assert context.study.threshold == 11
    public = {**context.study.raw, "profile": "public-data"}
    assert build_study(public).threshold == 0


def test_reasons_that_nobody_had_are_left_out() -> None:
    release = report_example.release()
    flow = release.table("flow").copy()
    reasons = flow["kind"].ne("kept")
    flow.loc[reasons, "n_episodes"] = 0
    flow["suppressed"] = False
    steps = build_flow(build_context(Release(release.study, {**release.tables, "flow": flow})))
    assert all(step.reasons == [] for step in steps)


def test_units_and_sources_are_said_as_words() -> None:
    assert unit_words("percent points") == "points"
    assert source_words("a small difference (ahrq2016)") == "a small difference (AHRQ 2016)"
    assert source_words("ostelo2008") == "Ostelo 2008"


def test_what_everybody_shares_and_second_levels_take_no_row() -> None:
    release = report_example.release()
    rows = [
        {"variable": name, "label": label, "unit": "", "statistic": "share", "level": level}
        | {"exposure": exposure, "estimate": share, "n_episodes": 100}
        for exposure in ("", *build_study(release.study).exposures)
        for name, label, level, share in (
            ("sex", "Sex", "female", 0.55),
            ("sex", "Sex", "male", 0.45),
            ("body_region", "Body region", "low_back", 1.0),
            ("red_flags", "Any red flag at intake", "yes", 0.0),
            ("baseline_any_opioid", "Any opioid up to time zero", "yes", 0.3),
        )
    ]
    baseline = with_suppressed(build_table("baseline", rows))
    tables = {**release.tables, "baseline": baseline}
    found = build_baseline(build_context(Release(release.study, tables)))
    assert found is not None
    assert [row.label for row in found.rows] == ["Any opioid up to time zero", "Sex: female"]
    assert found.constant == ("body region: low back", "no red flag at intake")


def test_notes_on_analyses_are_said_once_and_with_names(context: Context) -> None:
    notes = [
        "One note on the records.",
        *(f"{o}: Too few of usual_care." for o in ("pain", "mobility")),
    ]
    study = build_study({**context.study.raw, "notes": notes})
    assert data_notes(study) == ["One note on the records."]
    assert analysis_notes(study) == ["Pain and Mobility: too few of usual care."]


def test_what_is_left_out_for_one_reason_is_said_together(context: Context) -> None:
    rows = [{"what": w, "why": "No table 'events'."} for w in ("Falls", "Flares")]
    assert left_out(build_study({**context.study.raw, "left_out": rows})) == [
        ("Falls and flares", Markup("No table <code>events</code>."))
    ]


def test_lower_scores_say_of_what(context: Context) -> None:
    pain = context.study.outcomes["pain"]
    assert named(pain, "lower scores") == "lower pain scores"
    assert named(pain, "less pain") == "less pain"


def test_shares_whose_interval_says_nothing_are_not_drawn() -> None:
    release = report_example.release()
    table = release.table("responders").copy()
    table.loc[table["estimand"].eq("worse"), ["conf_low", "conf_high"]] = [0.0, 0.997]
    tables = {**release.tables, "responders": table}
    found = build_responders(build_context(Release(release.study, tables)), "pain")
    assert found is not None
    assert {line.reason for line in found.worse_lines} == {"too few to say"}
    assert {line.reason for line in found.lines} == {""}


def test_a_long_reason_of_a_share_stands_in_a_note_and_not_in_the_cell() -> None:
    release = report_example.release()
    table = release.table("responders").copy()
    why = "it holds for all or none of Exercise"
    rows = table["estimand"].eq("worse") & table["level"].eq("exercise")
    table.loc[rows, ["estimate", "conf_low", "conf_high"]] = float("nan")
    table.loc[rows, "gate"] = why
    tables = {**release.tables, "responders": table}
    found = build_responders(build_context(Release(release.study, tables)), "pain")
    assert found is not None
    line = next(line for line in found.worse_lines if line.exposure == "exercise")
    assert (line.reason, line.why) == ("none or all", why)
    assert [note.split(",")[0] for note in found.notes] == ["Where it says none or all"]
    cells = {cell.text for _, row in found.table for e, cell in row if e == "exercise"}
    assert "none or all" in cells


def test_a_list_of_shares_and_panels_need_something_to_show() -> None:
    gated = build_context(report_variants.all_gated())
    assert build_responders(gated, "pain") is None
    assert all(table.panels is None for table in build_use(gated))


def test_the_page_says_for_whom_shares_hold_and_what_agreeing_means(context: Context) -> None:
    page = re.sub(r"\s+", " ", render_page(context.release))
    assert page.count("for people at large, who may start otherwise, they are too narrow.") == 3
    assert "agrees where its interval lies on the same side of zero" in page
    assert "Words follow the numbers of the released tables" in page
    assert "unrounded" not in page
    assert "Unseen values taken to be worse in the type that fared better" in page

"""The page in a real browser: silent, alone, usable, and the same answer everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report_variants import VARIANTS

pytestmark = pytest.mark.browser
WIDTHS = (1440, 820, 390, 320)
PAPER = 703
"""Pixels between the margins of A4; what is wider makes the browser shrink every page."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PANELS_DRAWN = "document.querySelectorAll('#o-pain .drawn .main-svg').length > 5"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clinic", "board", "methods", *VARIANTS])
def test_a_page_is_silent_alone_and_never_wider_than_the_screen(
    name: str, visit: Any, pages: dict[str, str]
) -> None:
    opened = visit(pages[name])
    if name != "board":
        opened.ready()
        opened.walk()
    assert opened.said == []
    assert opened.asked == [pages[name]]
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 900})
        opened.until(f"{OVERFLOW} === 0")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clinic", "hostile", "twelve_types"])
def test_a_forest_keeps_its_room_at_every_width(
    name: str, visit: Any, pages: dict[str, str]
) -> None:
    opened = visit(pages[name])
    opened.ready()
    least = (
        "Math.min(...[...document.querySelectorAll('.forest:not([hidden]) tbody td.pic')]"
        ".map(cell => cell.getBoundingClientRect().width))"
    )
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 900})
        opened.until(f"{least} > 180")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clinic", "twelve_types"])
def test_nothing_is_wider_than_the_paper(name: str, visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages[name], viewport={"width": PAPER, "height": 1000})
    opened.ready()
    opened.page.emulate_media(media="print")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.until(f"{OVERFLOW} === 0")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clinic", "twelve_types"])
def test_without_scripts_no_page_scrolls_sideways(
    name: str, visit: Any, pages: dict[str, str]
) -> None:
    opened = visit(pages[name], java_script_enabled=False)
    metrics = opened.context.new_cdp_session(opened.page)
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 900})
        size = metrics.send("Page.getLayoutMetrics")["cssContentSize"]
        assert size["width"] <= width


@pytest.mark.slow
def test_another_comparator_changes_words_forest_and_figures(
    visit: Any, pages: dict[str, str]
) -> None:
    opened = visit(pages["clinic"])
    opened.ready()
    page = opened.page
    page.locator("#o-pain figure").first.scroll_into_view_if_needed()
    opened.until(PANELS_DRAWN)
    before = page.locator("#o-pain .lead").inner_text()
    assert "against usual care" in before
    assert "0.9" in page.locator(".read").inner_text()
    page.select_option("#pick-c", "manual_therapy")
    assert "than manual therapy at week 12" in page.locator("#o-pain h2").inner_text()
    assert "for exercise against manual therapy, 0.3 points less pain" in page.locator(
        "#o-pain .lead"
    ).inner_text().replace("\n", " ")
    rows = page.locator("#o-pain .forest tbody th .ty").all_inner_texts()
    assert rows[-1] == "Usual care"
    assert "Manual therapy" not in rows
    assert "c=manual_therapy" in page.url
    opened.until(
        "document.querySelector('#o-pain [data-panel=\"4\"] h4').innerText.includes('Usual care')"
    )


def test_a_choice_in_the_address_is_taken_up(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(f"{pages['clinic']}#f=modalities&c=usual_care&v=week_52&o=medication")
    opened.ready()
    said = opened.page.locator(".read").inner_text()
    assert "Not shown" in said
    assert "floor 40" in said
    assert opened.page.locator("#pick-v").input_value() == "week_52"


def test_choosing_the_comparator_as_type_swaps_the_two(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["clinic"])
    opened.ready()
    opened.page.select_option("#pick-f", "usual_care")
    assert opened.page.locator("#pick-c").input_value() == "exercise"
    assert "0.9 points more pain" in opened.page.locator(".read").inner_text()


def test_the_bar_can_be_worked_with_the_keyboard(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["clinic"])
    opened.ready()
    opened.page.locator("#pick-v").focus()
    opened.page.keyboard.press("ArrowDown")
    assert "week 26" in opened.page.locator("#o-pain h2").inner_text()
    slider = opened.page.locator("#pain-slider")
    slider.focus()
    opened.page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "3 points or more better"
    shown = opened.page.locator("#pain-people [data-r=threshold]").first.inner_text()
    assert shown == "3 points or more better"


def test_a_visit_with_one_threshold_shows_no_empty_curve(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["one_threshold"])
    opened.ready()
    curve = opened.page.locator("#pain-people .curve")
    assert curve.is_visible()
    opened.page.select_option("#pick-v", "week_52")
    assert not curve.is_visible()
    assert opened.page.locator("#pain-people [data-r=dots] tr").count() == 6
    shown = opened.page.locator("#pain-people [data-r=threshold]").first.inner_text()
    assert shown == "2 points or more better"
    opened.page.select_option("#pick-v", "week_12")
    assert curve.is_visible()


def test_without_scripts_the_answer_is_there(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["clinic"], java_script_enabled=False)
    page = opened.page
    assert page.locator(".read").inner_text().startswith("0.9 points less pain")
    assert page.locator("#o-pain .panel svg.pan").count() == 6
    assert page.locator("select:visible").count() == 0
    assert page.locator("#o-pain .forest tbody tr").count() == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "theme", "width"),
    [
        ("clinic", "light", 1440),
        ("clinic", "dark", 390),
        ("methods", "dark", 1440),
        ("methods", "light", 390),
        ("board", "light", 1440),
        ("board", "dark", 390),
    ],
)
def test_axe_finds_nothing_serious(
    name: str, theme: str, width: int, visit: Any, pages: dict[str, str]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened = visit(
        pages[name],
        bypass_csp=True,
        color_scheme=theme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    if name != "board":
        opened.ready()
        opened.walk()
    found = axe.Axe().run(opened.page).response["violations"]
    serious = [
        (v["id"], [n["target"] for n in v["nodes"]][:4])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


def _n_pages(pdf: bytes) -> int:
    return pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("board", 1), ("clinic", 20)])
def test_it_prints_on_few_pages(name: str, most: int, visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages[name])
    if name != "board":
        opened.ready()
        opened.walk()
    printed = opened.page.pdf(prefer_css_page_size=True, print_background=True)
    assert 1 <= _n_pages(printed) <= most


@pytest.mark.slow
def test_figures_take_the_width_of_the_paper_and_go_back(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["clinic"])
    opened.ready()
    opened.page.locator("#o-pain figure").first.scroll_into_view_if_needed()
    opened.until(PANELS_DRAWN)
    width = "document.querySelector('#o-pain .live .main-svg').getBoundingClientRect().width"
    wide = opened.page.evaluate(width)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.until(f"{width} < 240")
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    opened.until(f"{width} === {wide}")
    assert wide > 300


@pytest.mark.slow
def test_tables_and_pictures_can_be_taken_along(visit: Any, pages: dict[str, str]) -> None:
    opened = visit(pages["hostile"], accept_downloads=True)
    opened.ready()
    tools = opened.page.locator("[data-tools='pain-course'] button")
    with opened.page.expect_download() as table:
        tools.nth(0).click()
    text = table.value.path().read_text(encoding="utf-8-sig")
    assert text.splitlines()[0].startswith('"Intervention type","Week 6"')
    assert '"\'=cmd Manual therapy"' in text
    with opened.page.expect_download() as picture:
        tools.nth(1).click()
    drawn = picture.value.path().read_text(encoding="utf-8")
    assert drawn.count("<svg ") > 6
    assert "<script" not in drawn
    assert opened.said == []

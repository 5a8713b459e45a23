"""The page as text: whole, small, closed to the outside, and careful with words and labels."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from outcomes.core.errors import UsageError
from outcomes.report.page import AUDIENCES, LARGEST, read_packed, render_page, write_page
from outcomes.report.release import read_release
from outcomes.results.wording import banned_words, long_sentences
from tests import report_example, report_variants

pytestmark = pytest.mark.slow

NOT_PLOTLY = {"clinic": 380_000, "methods": 380_000, "board": 80_000, "twelve_types": 600_000}
ALL = ("clinic", "board", "methods", *report_variants.VARIANTS)


@cache
def _page(name: str) -> str:
    if name in AUDIENCES:
        return render_page(report_example.release(), audience=name)  # type: ignore[arg-type]
    return render_page(report_variants.VARIANTS[name]())


class Reader(HTMLParser):
    """Collect the words, the ids, the references and the elements left open."""

    VOID = frozenset({"meta", "br", "col", "input", "wbr", "img", "link"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "for") and value:
                self.wanted.add(value.removeprefix("#"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)


@pytest.mark.parametrize("name", ALL)
def test_every_element_is_closed_and_every_reference_found(name: str) -> None:
    reader = Reader(_page(name))
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.wanted <= set(reader.ids)


@pytest.mark.parametrize("name", ALL)
def test_a_page_is_small(name: str) -> None:
    page = _page(name)
    assert len(page.encode()) <= LARGEST
    plotly = re.search(r'id="plotly"[^>]*>[^\n]*', page)
    assert len(page) - (len(plotly.group()) if plotly else 0) <= NOT_PLOTLY.get(name, 420_000)


@pytest.mark.parametrize("name", ALL)
def test_no_page_claims_more_than_a_comparison_carries(name: str) -> None:
    assert banned_words(" ".join(Reader(_page(name)).words)) == []


@pytest.mark.parametrize("name", ["clinic", "board", "two_types", "trial", "all_gated", "empty"])
def test_sentences_of_the_answer_are_short(name: str) -> None:
    page = _page(name)
    answer = page[page.index('id="answer"') : page.index("</section>")]
    blocks = re.findall(r"<(?:p|li|h1|h3)\b[^>]*>(.*?)</(?:p|li|h1|h3)>", answer, re.DOTALL)
    words = [re.sub(r"<[^>]+>", " ", block) for block in blocks]
    assert [s for text in words for s in long_sentences(text)] == []
    leads = re.findall(r'<p class="lead"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert [s for text in leads for s in long_sentences(text)] == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_outside_is_named(name: str) -> None:
    page = re.sub(r'id="(plotly|data)"[^>]*>[^\n]*', "", _page(name))
    markup = page.replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|@import|url\(", markup) == []
    assert not {"img", "link", "iframe", "form", "object", "base"} & Reader(page).tags
    assert "default-src &#39;none&#39;" in page
    assert "connect-src &#39;none&#39;" in page
    assert "unsafe-eval" not in page


def test_labels_stay_labels() -> None:
    page = _page("hostile")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == 3
    data = json.loads(read_packed(page, "data"))
    assert report_variants.HOSTILE in data["types"][0]["name"]


def test_the_packed_parts_come_back_whole() -> None:
    page = _page("clinic")
    assert read_packed(page, "plotly").startswith(b"/**")
    assert json.loads(read_packed(page, "data"))["state"]["o"] == "pain"
    with pytest.raises(KeyError):
        read_packed(_page("board"), "data")


def test_the_board_gets_the_answer_and_the_harms_alone() -> None:
    page = _page("board")
    assert "Harms beside benefit" in page
    assert "script-src &#39;none&#39;" in page
    assert '<section class="s" id="who">' not in page
    assert len(page) < 80_000


def test_every_printed_page_names_the_study_and_no_title_ends_the_style() -> None:
    rule = re.search(r'@bottom-left\{content:"([^"]*)"', _page("hostile"))
    assert rule
    assert re.fullmatch(r"(?:\\[0-9a-f]+ )+", rule.group(1))
    codes = re.findall(r"[0-9a-f]+", rule.group(1))
    title = "".join(chr(int(code, 16)) for code in codes)
    assert report_variants.hostile().study["title"].startswith(title.rstrip("…"))


def test_methods_opens_every_fold() -> None:
    folds = re.findall(r'<details class="(?:fold|grp)[^>]*>', _page("methods"))
    assert folds
    gated = "not shown, and why"
    assert gated in _page("methods")
    assert sum("open" in fold for fold in folds) >= len(folds) - 1


def test_an_unknown_audience_is_named() -> None:
    with pytest.raises(UsageError, match="audience 'press'"):
        render_page(report_example.release(), audience="press")  # type: ignore[arg-type]


def test_a_release_folder_becomes_a_page_file(tmp_path: Path) -> None:
    release = read_release(report_example.write(tmp_path / "release"))
    path = write_page(release, tmp_path / "out" / "report.html", "board")
    assert path.read_text(encoding="utf-8") == _page("board")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_folder_without_study_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no study\.json"):
        read_release(tmp_path)


def test_the_same_release_gives_the_same_bytes() -> None:
    again = render_page(report_example.release(), audience="clinic")
    assert again == _page("clinic")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_made_up_records_are_called_so_on_the_first_screen(audience: str) -> None:
    given = report_example.release()
    plain = render_page(given, audience=audience)  # type: ignore[arg-type]
    assert "Synthetic records" not in plain
    assert "@bottom-right{content:counter" in plain
    made_up = replace(given, study={**given.study, "synthetic": True})
    page = render_page(made_up, audience=audience)  # type: ignore[arg-type]
    answer = page[page.index('id="answer"') :][:2500]
    assert "every person is made up" in answer
    assert page.count("Synthetic") >= 3
    assert '@page{@bottom-right{content:"Synthetic records' in page


def test_an_interval_in_a_sentence_stays_on_one_line() -> None:
    lead = re.search(r'class="lead" data-r="lead">([^<]*)', _page("clinic"))
    assert lead
    brackets = re.findall(r"\([^()]*interval[^()]*\)", lead.group(1))
    assert brackets
    assert not any(" " in bracket for bracket in brackets)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("study.json", "{", "damaged"),
        ("study.json", "[]", "damaged"),
        ("tables/flow.parquet", "PAR1", "damaged"),
    ],
)
def test_a_damaged_release_is_named(name: str, content: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    (folder / "tables").mkdir(parents=True)
    release = report_example.release()
    (folder / "study.json").write_text(json.dumps(release.study))
    for table, rows in release.tables.items():
        rows.to_parquet(folder / "tables" / f"{table}.parquet")
    assert set(read_release(folder).tables) == set(release.tables)
    (folder / name).write_text(content)
    with pytest.raises(UsageError, match=words):
        read_release(folder)

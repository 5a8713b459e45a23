"""A finished page taken apart: its elements, the words in them, scripts, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
SILENT: Final = frozenset({"script", "style", "title"})
BLOCKS: Final = frozenset(
    {"p", "div", "li", "td", "th", "tr", "h1", "h2", "h3", "h4", "h5", "dd", "dt", "section"}
    | {"table", "caption", "summary", "figure", "text", "span", "small"}
)
MARKS: Final = frozenset({"circle", "path", "rect", "line", "polyline", "use"})


@dataclass(frozen=True, kw_only=True)
class Element:
    """One start tag."""

    tag: str
    attributes: dict[str, str]
    line: int


@dataclass(kw_only=True)
class Script:
    """A script element and its text."""

    attributes: dict[str, str]
    text: str = ""

    @property
    def runs(self) -> bool:
        """Whether a browser would run it, rather than keep it as data."""
        return self.attributes.get("type", "text/javascript") in (
            "",
            "module",
            "text/javascript",
            "application/javascript",
        )


@dataclass(kw_only=True)
class CellText:
    """A cell of a table: its words and the heading of its column."""

    heading: str
    text: str = ""


@dataclass(kw_only=True)
class Finished:
    """What stands in a page.

    Attributes
    ----------
    elements : list of Element
    scripts : list of Script
    styles : list of str
    texts : list of str
        Words in reading order, one entry a block.
    cells : list of CellText
        Cells of tables, with their column's heading.
    marks : list of int
        How many marks each picture has.
    """

    elements: list[Element] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    cells: list[CellText] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)


def read_finished(page: str) -> Finished:
    """Take a page apart.

    Parameters
    ----------
    page : str
        A whole HTML document.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    """Collects what a page holds, table headings beside their cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Finished()
        self.open: list[str] = []
        self.heads: list[list[str]] = []
        self.column = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        line = self.getpos()[0]
        self.found.elements.append(Element(tag=tag, attributes=attributes, line=line))
        if tag == "script":
            self.found.scripts.append(Script(attributes=attributes))
        elif tag == "style":
            self.found.styles.append("")
        elif tag == "svg":
            self.found.marks.append(0)
        elif tag in MARKS and self.found.marks and "svg" in self.open:
            self.found.marks[-1] += 1
        self._table(tag, attributes)
        if tag in BLOCKS:
            self.found.texts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def _table(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table":
            self.heads.append([])
        elif tag == "tr":
            self.column = 0
        elif tag in ("td", "th") and self.heads:
            heads = self.heads[-1]
            if "thead" in self.open:
                heads.append("")
            known = heads[self.column] if self.column < len(heads) else ""
            self.found.cells.append(CellText(heading=attributes.get("data-l", known)))
            self.column += int(attributes.get("colspan") or 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open and self.open.pop() != tag:
                pass
        if tag == "table" and self.heads:
            self.heads.pop()
        if tag in BLOCKS:
            self.found.texts.append("")

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "script":
            self.found.scripts[-1].text += data
        elif where == "style":
            self.found.styles[-1] += data
        elif where not in SILENT:
            self._words(data)

    def _words(self, data: str) -> None:
        if not self.found.texts:
            self.found.texts.append("")
        self.found.texts[-1] += data
        inside = [tag for tag in self.open if tag in ("td", "th")]
        if inside and self.heads:
            self.found.cells[-1].text += data
            if inside[-1] == "th" and "thead" in self.open and self.heads[-1]:
                self.heads[-1][-1] += data

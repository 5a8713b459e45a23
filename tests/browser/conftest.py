"""A headless Chromium for the tests of rendered pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from outcomes.report.page import AUDIENCES, render_page
from tests import report_example, report_variants

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def _executable() -> str:
    """Return Debian's Chromium; in CI a missing one is a failure, elsewhere a skip that says so."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    said = "Chromium is missing: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = _executable()
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=path, args=list(SWITCHES))
        yield started
        started.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Address of each rendered page by name."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {a: render_page(report_example.release(), audience=a) for a in AUDIENCES}
    texts |= {name: render_page(make()) for name, make in report_variants.VARIANTS.items()}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


class Visit:
    """One opened page with everything that it said, asked for and stumbled over."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 1000}} | context
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def until(self, question: str, *, patience: int = 100) -> None:
        """Wait until the page answers yes; a strict policy forbids Playwright's own waiting."""
        for _ in range(patience):
            if self.page.evaluate(question):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never true: {question}")

    def ready(self) -> None:
        """Wait until the script runs."""
        self.until("document.documentElement.classList.contains('scripted')")

    def walk(self) -> None:
        """Scroll through the page, so that every figure comes near, and back."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for y in range(0, height, 800):
            self.page.evaluate(f"scrollTo({{top: {y}, behavior: 'instant'}})")
            self.page.wait_for_timeout(40)
        self.page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        self.page.wait_for_timeout(300)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Return a function that opens a page."""
    opened: list[Visit] = []

    def open_page(address: str, **context: Any) -> Visit:
        opened.append(Visit(browser, address, **context))
        return opened[-1]

    yield open_page
    for one in opened:
        one.context.close()

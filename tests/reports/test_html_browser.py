"""The HTML report in a real browser: no console message, no request, accessible charts, and print."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from report_tools import report
from store_tools import Edge

pytest_plugins = ["report_fixtures"]
pytestmark = pytest.mark.long

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; CI must have one."""
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("no Chromium here; `apt-get install chromium` brings one")
    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def file(edge: Edge, tmp_path: Path) -> Path:
    """A report in a file."""
    path = tmp_path / "report.html"
    done = report(edge, tmp_path, "--from", "1", "--format", "html", "--output", str(path))
    assert done.code == 0, done.err
    return path


def opened(browser: Browser, file: Path, messages: list[str], **options: object) -> Page:
    """The open page; its messages and requests are added to a list."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type] # the library's own names
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: messages.append(request.url))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_the_page_opens_without_messages_and_fits(browser: Browser, file: Path, scheme: str, width: int) -> None:
    """Only the file is requested, the console is empty, and the page fits its window."""
    messages: list[str] = []

    page = opened(browser, file, messages, color_scheme=scheme, viewport={"width": width, "height": 800})

    assert messages == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_style_is_applied(browser: Browser, file: Path) -> None:
    """The policy allows the page's style: light and dark differ, and text has a high contrast."""
    backgrounds = set()
    for scheme in ("light", "dark"):
        page = opened(browser, file, [], color_scheme=scheme)
        background, color = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert _contrast(background, color) > 7
        backgrounds.add(background)
    assert len(backgrounds) == 2


def test_each_chart_has_its_table(browser: Browser, file: Path) -> None:
    """Each chart has a role and a name, and its table opens without a script."""
    page = opened(browser, file, [])
    figures = page.locator("figure")

    assert figures.count() == 8
    for n in range(figures.count()):
        figure = figures.nth(n)
        assert figure.get_by_role("img").get_attribute("aria-labelledby")
        table = figure.locator("table").first
        assert not table.is_visible()
        figure.locator("summary").click()
        assert table.is_visible()
        assert table.locator("tbody tr").count() > 0


def test_the_printed_page(browser: Browser, file: Path) -> None:
    """In print, queries are visible, the charts' tables and the navigation are not, and there are several pages."""
    page = opened(browser, file, [])
    page.emulate_media(media="print")

    assert page.locator("pre").first.is_visible()
    assert not page.locator("figure table").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") > 1


def _contrast(first: str, second: str) -> float:
    """Ratio of luminances. Source: WCAG 2.2, relative luminance."""
    brightness = []
    for rgb in (first, second):
        parts = [int(part) / 255 for part in rgb.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        brightness.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    dark, light = sorted(brightness)
    return (light + 0.05) / (dark + 0.05)

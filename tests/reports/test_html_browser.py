"""The page in a real browser: no word in the console, no request, pictures that can be read, and paper with numbers."""

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
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield made
        made.close()


@pytest.fixture
def file(edge: Edge, tmp_path: Path) -> Path:
    """A report in a file."""
    made = tmp_path / "report.html"
    done = report(edge, tmp_path, "--from", "1", "--format", "html", "--output", str(made))
    assert done.code == 0, done.err
    return made


def opened(browser: Browser, file: Path, said: list[str], **options: object) -> Page:
    """The page, with all that the browser says and asks for."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type] # the library's own names
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_it_opens_in_silence_and_fits(browser: Browser, file: Path, scheme: str, width: int) -> None:
    """Nothing is asked for but the file, nothing is complained of, and no page is wider than its window."""
    said: list[str] = []

    page = opened(browser, file, said, color_scheme=scheme, viewport={"width": width, "height": 800})

    assert said == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_its_style_holds(browser: Browser, file: Path) -> None:
    """The policy lets its own style through: light and dark differ, and text stands out from its ground."""
    grounds = set()
    for scheme in ("light", "dark"):
        page = opened(browser, file, [], color_scheme=scheme)
        ground, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert _contrast(ground, ink) > 7
        grounds.add(ground)
    assert len(grounds) == 2


def test_each_picture_has_its_table(browser: Browser, file: Path) -> None:
    """By its role and name, as a screen reader finds it; its table opens without a script."""
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


def test_on_paper(browser: Browser, file: Path) -> None:
    """Findings and queries are open, tables of pictures are not, and there are pages."""
    page = opened(browser, file, [])
    page.emulate_media(media="print")

    assert page.locator("pre").first.is_visible()
    assert not page.locator("figure table").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") > 1


def _contrast(one: str, other: str) -> float:
    """Ratio of luminances. Source: WCAG 2.2, relative luminance."""
    brightness = []
    for color in (one, other):
        parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        brightness.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    dark, light = sorted(brightness)
    return (light + 0.05) / (dark + 0.05)

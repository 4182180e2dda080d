"""The HTML report is complete, inert, the same each time, and has the numbers of the other formats."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from builders import image
from report_tools import NASTY, as_json, report
from store_tools import Edge

from sync.domain.values import iso

pytest_plugins = ["report_fixtures"]
INERT = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "section", "nav", "footer", "div"),
    *("h1", "h2", "h3", "p", "ul", "li", "a", "b", "i", "span", "code", "pre", "bdi", "br", "time"),
    *("figure", "figcaption", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "rect", "path", "line", "text"),
}


class Page(HTMLParser):
    """A parsed page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store the tag and its attributes."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Store the text."""
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements with this tag."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(edge: Edge, tmp_path: Path) -> Page:
    """The report on everything after the first run."""
    return Page(html(edge, tmp_path))


def html(edge: Edge, folder: Path, *arguments: str) -> str:
    """The text of an HTML report, by default on everything after the first run."""
    done = report(edge, folder, "--format", "html", *(arguments or ("--from", "1")))
    assert done.code == 0, done.err
    return done.out


def test_the_page_is_inert(page: Page) -> None:
    """The page has no script, no handler and no external link, and its policy allows only its own style."""
    assert {tag for tag, _ in page.tags} <= INERT
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("src", "style", "action") for name in attributes), tag
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    (policy,) = (meta["content"] or "" for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_the_policy_allows_the_style(edge: Edge, tmp_path: Path) -> None:
    """The digest in the policy is that of the page's style."""
    text = html(edge, tmp_path)

    style = text[text.index("<style>") + 7 : text.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in text


def test_each_chart_is_accessible(edge: Edge, tmp_path: Path) -> None:
    """Each chart has a title, a description and a table."""
    text = html(edge, tmp_path)
    figures = re.findall(r"<figure>(.*?)</figure>", text, re.DOTALL)

    assert len(figures) == 8
    for figure in figures:
        named = re.search(r'<svg [^>]*role="img" aria-labelledby="(\S+) (\S+)">', figure)
        assert named
        assert re.search(rf'<title id="{named[1]}">[^<]+</title><desc id="{named[2]}">[^<]+</desc>', figure)
        assert re.search(r"<table>.*<td.*</table>", figure, re.DOTALL)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_names_stay_text(page: Page, edge: Edge) -> None:
    """Markup, escapes and bidirectional marks in a name are shown as text."""
    assert edge.value("SELECT name FROM inventory.images WHERE id = 'nasty'") == NASTY
    text = " ".join(page.texts)

    assert "</b><script>x</script>" in text
    assert "\\x1b[31m\\u202e\\n" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_a_huge_name_is_cut(edge: Edge, tmp_path: Path) -> None:
    """A huge name is cut and shown with its length, so the page stays small."""
    edge.world.put(image("long", name="x" * 900_000))
    edge.run()

    text = html(edge, tmp_path)

    assert "(900,000 characters)" in text
    assert len(text) < 300_000


def test_the_page_has_the_content_of_the_json(edge: Edge, tmp_path: Path) -> None:
    """The page has the verdict, digests, counts, held deletions and changed images of the JSON."""
    edge.world.delete(40)
    edge.run()
    data, text = as_json(edge, tmp_path, "--from", "1"), html(edge, tmp_path)

    page_text = "".join(Page(text).texts)
    for sentence in data["verdict"]:
        assert sentence in page_text
    for change in data["changes"]:
        assert change["id"] in page_text
    for one in data["evidence"]:
        assert (one["digest"] or "none") in page_text
    for kind, count in data["counts"].items():
        assert (f'<div class="{kind}"><b>{count:,}</b>' in text) == (count > 0 or kind != "invisible")
    assert all(row["id"] in page_text for row in data["held"])


def test_its_queries_give_its_numbers(edge: Edge, tmp_path: Path) -> None:
    """Each query on the page runs as it is, and gives the numbers of the JSON."""
    edge.world.put(image("quoted", name="it's; -- \\"))
    edge.run()
    data = as_json(edge, tmp_path, "--from", "1", "--to", "3")
    text = html(edge, tmp_path, "--from", "1", "--to", "3", "--source", edge.inventory.source.name)
    unescaped = re.findall(r"<summary>([^<]+)</summary><pre>(.*?)</pre>", text, re.DOTALL)

    with psycopg.connect(edge.url, row_factory=psycopg.rows.dict_row) as connection:
        results = {}
        for about, query in unescaped:
            for mark, char in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", '"'), ("&amp;", "&")):
                query = query.replace(mark, char)  # noqa: PLW2901 - step by step
            results[about] = connection.execute(query.encode()).fetchall()
    assert {row["source"]: row["images"] for row in results["Images at the end, by source"]} == data["images"]["to"]
    fields = [(change["id"], field["field"]) for change in data["changes"] for field in change["fields"]]
    assert sorted((row["id"], row["field"]) for row in results["Changes"] if row["field"]) == sorted(fields)
    assert [row["run"] for row in results["Runs"]] == [run["run"] for run in data["runs"]]
    assert results["Evidence at the end"][0]["digest"] == data["evidence"][-1]["digest"]
    rows_by_check = {
        about.removeprefix("Check "): len(rows) for about, rows in results.items() if about.startswith("Check ")
    }
    assert sum(rows_by_check.values()) == len(data["findings"]) > 0


def test_a_page_made_twice_is_the_same(edge: Edge, tmp_path: Path) -> None:
    """A page on the same moments is the same byte for byte, whatever runs follow."""
    moments = ("--from", "1", "--to", "3")
    before = html(edge, tmp_path, *moments)
    edge.world.churn(20)
    edge.run()
    edge.run_unproven()

    assert html(edge, tmp_path, *moments) == before


def test_ten_thousand_changes_fit_a_page(edge: Edge, tmp_path: Path) -> None:
    """Of too many changes the page shows some and their number, and stays under two megabytes."""
    for n in range(10_000):
        edge.world.put(image(f"many-{n}"))
    edge.run(max_growth=1000)

    text = html(edge, tmp_path)

    assert len(text) < 2_000_000
    assert "more images that changed: <code>--format json</code> has all of them" in text


def test_a_time_without_runs(edge: Edge, tmp_path: Path) -> None:
    """Without a run in the time, the page says so at its top and still has its charts."""
    early = html(edge, tmp_path, "--from", "2020-01-01", "--to", "2020-02-01")
    last = edge.value("SELECT max(effective_at) FROM inventory.runs")
    late = html(edge, tmp_path, "--from", iso(last))

    for text in (early, late):
        assert "No run took place in this time" in text[: text.index("<nav")]
        assert len(re.findall("<svg ", text)) == 8
    assert "not known" in early[: early.index("<nav")]

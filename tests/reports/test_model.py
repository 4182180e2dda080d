"""Reports: the same numbers in every format, the same bytes for the same moments, and nothing that could do harm."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cli_tools import Job
from report_tools import NASTY, as_json, report
from store_tools import Edge

from sync.domain.image import iso
from sync.errors import StoreError
from sync.store.approvals import approve

pytest_plugins = ["report_fixtures"]


def test_numbers_are_those_of_the_runs(edge: Edge, tmp_path: Path) -> None:
    """Counts of changes are the sums over the runs, and lead from the first number of images to the last."""
    told = as_json(edge, tmp_path, "--from", "1")
    sums = edge.rows(
        "SELECT sum(created), sum(updated), sum(restored), sum(deleted) FROM inventory.runs WHERE run > 1"
    )[0]
    name = edge.inventory.source.name

    assert tuple(told["counts"].values()) == sums
    assert told["images"]["to"][name] - told["images"]["from"][name] == sums[0] + sums[2] - sums[3]
    assert sum(sum(day.values()) for day in told["days"].values()) == len(told["changes"]) == sum(sums)
    assert told["images"]["to"][name] == edge.value("SELECT count(*) FROM inventory.live_images")
    assert all(sum(share.values()) == told["images"]["to"][name] for share in told["shares"].values())
    assert (told["complete"], len(told["runs"])) == (True, 3)


def test_every_format_tells_the_same(edge: Edge, tmp_path: Path) -> None:
    """CSV has the changes of JSON, field by field; Markdown begins with its verdict."""
    told = as_json(edge, tmp_path, "--from", "1")
    rows = list(csv.DictReader(io.StringIO(report(edge, tmp_path, "--from", "1", "--format", "csv").out)))
    text = report(edge, tmp_path, "--from", "1").out

    parts = {(one["id"], one["run"], field["field"]) for one in told["changes"] for field in one["fields"]}
    assert {(row["id"], int(row["run"]), row["field"]) for row in rows if row["field"]} == parts
    assert {(row["id"], row["kind"]) for row in rows} == {(one["id"], one["kind"]) for one in told["changes"]}
    assert text.splitlines()[1] == told["verdict"][0]
    assert "became public" in text


def test_made_twice_it_is_the_same(edge: Edge, tmp_path: Path) -> None:
    """Byte for byte, whatever runs come later, proven or not."""
    moments = ["--from", "1", "--to", "3"]
    before = [report(edge, tmp_path, *moments, "--format", style).out for style in ("md", "json", "csv")]
    edge.world.churn(20)
    edge.run()
    edge.run_unproven()

    after = [report(edge, tmp_path, *moments, "--format", style).out for style in ("md", "json", "csv")]

    assert after == before


def test_what_is_not_known_stands_at_the_top(edge: Edge, tmp_path: Path) -> None:
    """No run in the time, a time before the first run, a run that proved nothing: the verdict says so."""
    proven = edge.value("SELECT max(effective_at) FROM inventory.runs")
    between = (proven + timedelta(microseconds=1)).isoformat()
    nothing = as_json(edge, tmp_path, "--from", between)
    early = as_json(edge, tmp_path, "--from", "2020-01-01", "--to", "2020-02-01")
    edge.run_unproven()
    unproven = as_json(edge, tmp_path, "--from", between)

    assert "No run took place" in nothing["verdict"][0]
    assert early["complete"] is False
    assert any("not known" in sentence for sentence in early["verdict"])
    assert (unproven["complete"], len(unproven["runs"])) == (False, 1)
    assert any("could not prove" in sentence for sentence in unproven["verdict"])


def test_held_deletions_are_told(edge: Edge, tmp_path: Path) -> None:
    """As long as they wait, and not once the images came back."""
    gone = edge.world.delete(40)
    held = edge.run()

    told = as_json(edge, tmp_path, "--from", "1")
    assert len(told["held"]) == held.plan.held == len(gone)
    assert any("withheld" in sentence for sentence in told["verdict"])


def test_names_do_no_harm(edge: Edge, tmp_path: Path) -> None:
    """Markup, mentions, formulas, escapes and line breaks are text in every format."""
    text = report(edge, tmp_path, "--from", "1").out
    rows = list(csv.DictReader(io.StringIO(report(edge, tmp_path, "--from", "1", "--format", "csv").out)))

    (line,) = (line for line in text.splitlines() if "script" in line)
    assert not re.search(r"(?<!\\)[<>\[\]()@`|]", line)
    assert line.isprintable()
    assert next(row["name"] for row in rows if row["id"] == "nasty") == f"'{NASTY}"


@pytest.mark.parametrize("style", ["md", "html", "csv", "json"])
def test_a_terminal_obeys_no_name(edge: Edge, tmp_path: Path, style: str) -> None:
    """No escape sequence and no mark that turns text around gets to it, in any format."""
    code, shown = Job(tmp_path, edge.url).on_terminal("report", "--from", "1", "--format", style)

    assert (code, bool(re.search(r"1b\\?\[31m", shown))) == (0, True)
    assert not re.search("[\x1b\u202e]", shown)


def test_output_goes_to_a_file_as_a_whole(edge: Edge, tmp_path: Path) -> None:
    """Written at once; a place that can't be written is told with exit code 1, before any work; an old report stays."""
    path = tmp_path / "report.md"

    assert report(edge, tmp_path, "--from", "1", "--output", str(path)).code == 0
    assert path.read_text(encoding="utf-8").splitlines()[1] == report(edge, tmp_path, "--from", "1").out.splitlines()[1]
    assert [one.name for one in tmp_path.iterdir()] == ["report.md"]
    for bad in (tmp_path / "none" / "report.md", tmp_path):
        done = Job(tmp_path, "postgresql://nobody@127.0.0.1:1/none")("report", "--output", str(bad))
        assert (done.code, "can't be written" in done.err) == (1, True)


def test_nothing_is_written_if_nothing_changed(edge: Edge, tmp_path: Path) -> None:
    """With --if-changed: exit code 0, and no file."""
    path = tmp_path / "report.md"

    quiet = report(edge, tmp_path, "--from", "3", "--if-changed", "--output", str(path))
    assert (quiet.code, quiet.out, path.exists()) == (0, "", False)
    assert report(edge, tmp_path, "--from", "2", "--if-changed", "--output", str(path)).code == 0
    assert path.exists()


def test_moments_that_can_not_be(edge: Edge, tmp_path: Path) -> None:
    """Upside down, or not to be understood: exit code 2."""
    assert report(edge, tmp_path, "--from", "3", "--to", "1").code == 2
    assert report(edge, tmp_path, "--from", "whenever").code == 2
    assert datetime.fromisoformat(as_json(edge, tmp_path)["from"])


def test_since_the_last_report_of_a_name(edge: Edge, tmp_path: Path) -> None:
    """Each change is told once to each reader, whatever is committed meanwhile; nothing is lost if writing fails."""
    first = as_json(edge, tmp_path, "--since-last", "ann")
    edge.world.create(2)
    edge.run()
    failed = Job(tmp_path, edge.url)("report", "--since-last", "ann", "--output", str(tmp_path / "none" / "r.md"))
    second = as_json(edge, tmp_path, "--since-last", "ann")
    third = as_json(edge, tmp_path, "--since-last", "ann")
    other = as_json(edge, tmp_path, "--since-last", "bob")

    assert failed.code == 1
    assert (second["from"], second["counts"]["created"]) == (first["to"], 2)
    assert (third["from"], third["changes"]) == (second["to"], [])
    assert len(other["changes"]) == len(first["changes"]) + 2
    assert edge.rows("SELECT name, source FROM inventory.report_bookmarks ORDER BY name") == [("ann", ""), ("bob", "")]
    assert report(edge, tmp_path, "--since-last", "ann", "--from", "1").code == 2


def test_a_reader_who_may_not_write_is_told(edge: Edge, tmp_path: Path) -> None:
    """The report is there all the same; exit code 1 and the reason."""
    edge.do("DO $$ BEGIN CREATE ROLE ann LOGIN IN ROLE inventory_reader; EXCEPTION WHEN OTHERS THEN NULL; END $$")

    done = Job(tmp_path, edge.url.replace("owner@", "ann@"))("report", "--since-last", "ann")

    assert done.code == 1
    assert "image inventory" in done.out.lower()
    assert "remembering where ann stopped" in done.err
    assert "Traceback" not in done.err


def test_a_run_under_way_is_left_for_the_next_report(edge: Edge, tmp_path: Path) -> None:
    """A report ends before the first run that may still change something began; so what that finds is not missed."""
    begun = edge.rows(
        "INSERT INTO inventory.runs (source, status, trigger, deadline_at, epoch, version, host) "
        "SELECT source, 'running', 'command', clock_timestamp() + interval '1 hour', epoch + 1, version, host "
        "FROM inventory.runs ORDER BY run DESC LIMIT 1 RETURNING started_at"
    )[0][0]

    told = as_json(edge, tmp_path, "--from", "1")
    asked = report(edge, tmp_path, "--from", "1", "--to", begun.isoformat())

    assert datetime.fromisoformat(told["to"]) == begun
    assert asked.code == 0
    edge.do("UPDATE inventory.runs SET deadline_at = clock_timestamp() - interval '1 hour' WHERE status = 'running'")
    assert datetime.fromisoformat(as_json(edge, tmp_path, "--from", "1")["to"]) > begun


def test_findings_are_those_of_the_end(edge: Edge, tmp_path: Path) -> None:
    """What the checks found in the images as they were then, and a check that is off is not carried out."""
    then, now = (as_json(edge, tmp_path, "--from", "1", "--to", end) for end in ("1", "last"))
    off = Job(tmp_path, edge.url)("report", "--format", "json", IMAGE_SYNC_CHECKS_DISABLED="exposure-widened")

    assert "exposure-widened" not in {one["check"] for one in then["findings"]}
    assert [one["id"] for one in now["findings"] if one["check"] == "exposure-widened"].count("open") == 1
    assert any("findings of the checks" in sentence for sentence in now["verdict"])
    assert "exposure-widened" not in {one["check"] for one in json.loads(off.out)["checks"]}


def test_digests_are_those_of_the_runs(edge: Edge, tmp_path: Path) -> None:
    """At both moments the digest of the last committed run by then."""
    told = as_json(edge, tmp_path, "--from", "1", "--to", "3")
    digests = dict(edge.rows("SELECT run, encode(digest, 'hex') FROM inventory.runs"))

    assert [(one["last_run"], one["digest"]) for one in told["evidence"]] == [(1, digests[1]), (3, digests[3])]


def test_where_no_one_looked_the_evidence_is_not_complete(edge: Edge, tmp_path: Path) -> None:
    """No run in the time, or a source whose list none proved: the verdict names it."""
    last = iso(edge.value("SELECT max(effective_at) FROM inventory.runs"))
    nothing = as_json(edge, tmp_path, "--from", last)
    edge.do("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('silent', '', '')")
    edge.do(
        "INSERT INTO inventory.runs (source, status, reason, error, trigger, deadline_at, finished_at, epoch, version, "
        "host) SELECT 'silent', 'failed', 'x', 'x', trigger, now(), now(), epoch, version, host FROM inventory.runs LIMIT 1"
    )
    silent = as_json(edge, tmp_path, "--from", "1")

    assert nothing["complete"] is False
    assert not any("evidence is complete" in sentence for sentence in nothing["verdict"] + silent["verdict"])
    assert any("No run of silent proved its list" in sentence for sentence in silent["verdict"])


def test_a_source_that_comes_later_changes_no_report(edge: Edge, tmp_path: Path) -> None:
    """It did not exist then, and says nothing about that time."""
    before = report(edge, tmp_path, "--from", "1", "--to", "3", "--format", "json").out
    edge.do("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('later', '', '')")

    assert report(edge, tmp_path, "--from", "1", "--to", "3", "--format", "json").out == before


def test_approved_deletions_wait_for_no_one(edge: Edge, tmp_path: Path) -> None:
    """From then on they are not among those that a person has to look at."""
    edge.world.delete(40)
    held = edge.run()
    approve(edge.target, held.run or 0, "me")

    told = as_json(edge, tmp_path, "--from", "1")

    assert told["held"] == []
    assert not any("withheld" in sentence for sentence in told["verdict"])


def test_a_run_that_was_given_up_writes_nothing(edge: Edge) -> None:
    """It went on past its deadline for so long that reports no longer waited for it: it may not take effect any more."""
    edge.world.create(1)
    edge.do(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.deadline_at = now() - interval '1 day'; RETURN NEW; END $$"
    )
    edge.do("CREATE TRIGGER late BEFORE INSERT ON inventory.runs FOR EACH ROW EXECUTE FUNCTION late()")

    error = edge.fails(StoreError)

    assert "it was abandoned" in str(error)


def test_a_reader_is_never_past_what_is_still_to_come(edge: Edge, tmp_path: Path) -> None:
    """The clock was set back after a report: a run takes effect later than that report's end all the same."""
    as_json(edge, tmp_path, "--since-last", "ann")
    edge.do("UPDATE inventory.report_bookmarks SET read_to = read_to + interval '1 hour'")
    edge.world.create(1)

    outcome = edge.run()

    assert outcome.effective_at is not None
    assert outcome.effective_at > edge.value("SELECT read_to FROM inventory.report_bookmarks")

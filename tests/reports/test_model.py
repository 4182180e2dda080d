"""Reports have the same numbers in every format, the same bytes for the same times, and can do no harm."""

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

from sync.domain.values import iso
from sync.errors import StoreError
from sync.store.approvals import approve

pytest_plugins = ["report_fixtures"]


def test_numbers_are_those_of_the_runs(edge: Edge, tmp_path: Path) -> None:
    """The counts of changes are the sums over the runs, and lead from the first number of images to the last."""
    data = as_json(edge, tmp_path, "--from", "1")
    sums = edge.rows(
        "SELECT sum(created), sum(updated), sum(restored), sum(deleted), sum(invisible) FROM inventory.runs WHERE run > 1"
    )[0]
    name = edge.inventory.source.name

    assert tuple(data["counts"].values()) == sums
    assert data["images"]["to"][name] - data["images"]["from"][name] == sums[0] + sums[2] - sums[3]
    assert sum(sum(day.values()) for day in data["days"].values()) == len(data["changes"]) == sum(sums)
    assert data["images"]["to"][name] == edge.value("SELECT count(*) FROM inventory.live_images")
    assert all(sum(share.values()) == data["images"]["to"][name] for share in data["shares"].values())
    assert (data["complete"], len(data["runs"])) == (True, 3)


def test_every_format_has_the_same_changes(edge: Edge, tmp_path: Path) -> None:
    """CSV has the changes of the JSON, field by field, and Markdown begins with the verdict."""
    data = as_json(edge, tmp_path, "--from", "1")
    rows = list(csv.DictReader(io.StringIO(report(edge, tmp_path, "--from", "1", "--format", "csv").out)))
    text = report(edge, tmp_path, "--from", "1").out

    parts = {(one["id"], one["run"], field["field"]) for one in data["changes"] for field in one["fields"]}
    assert {(row["id"], int(row["run"]), row["field"]) for row in rows if row["field"]} == parts
    assert {(row["id"], row["kind"]) for row in rows} == {(one["id"], one["kind"]) for one in data["changes"]}
    assert text.splitlines()[1] == data["verdict"][0]
    assert "became visible to more projects" in text


def test_a_report_made_twice_is_the_same(edge: Edge, tmp_path: Path) -> None:
    """A report on the same moments is the same byte for byte, whatever runs follow."""
    moments = ["--from", "1", "--to", "3"]
    before = [report(edge, tmp_path, *moments, "--format", style).out for style in ("md", "json", "csv")]
    edge.world.churn(20)
    edge.run()
    edge.run_unproven()

    after = [report(edge, tmp_path, *moments, "--format", style).out for style in ("md", "json", "csv")]

    assert after == before


def test_the_verdict_says_what_is_not_known(edge: Edge, tmp_path: Path) -> None:
    """The verdict says so if there was no run, no run yet or no proven run in the time."""
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


def test_held_deletions_are_listed(edge: Edge, tmp_path: Path) -> None:
    """Held deletions are in the report and in its verdict."""
    gone = edge.world.delete(40)
    held = edge.run()

    data = as_json(edge, tmp_path, "--from", "1")
    assert len(data["held"]) == held.plan.held == len(gone)
    assert any("withheld" in sentence for sentence in data["verdict"])


def test_names_do_no_harm(edge: Edge, tmp_path: Path) -> None:
    """Markup, mentions, formulas, escapes and line breaks in names stay plain text in every format."""
    text = report(edge, tmp_path, "--from", "1").out
    rows = list(csv.DictReader(io.StringIO(report(edge, tmp_path, "--from", "1", "--format", "csv").out)))

    (line,) = (line for line in text.splitlines() if "script" in line)
    assert not re.search(r"(?<!\\)[<>\[\]()@`|]", line)
    assert line.isprintable()
    assert next(row["name"] for row in rows if row["id"] == "nasty") == f"'{NASTY}"


@pytest.mark.parametrize("style", ["md", "html", "csv", "json"])
def test_names_cannot_control_a_terminal(edge: Edge, tmp_path: Path, style: str) -> None:
    """No escape sequence or bidirectional mark reaches the terminal in any format."""
    code, shown = Job(tmp_path, edge.url).on_terminal("report", "--from", "1", "--format", style)

    assert (code, bool(re.search(r"1b\\?\[31m", shown))) == (0, True)
    assert not re.search("[\x1b\u202e]", shown)


def test_output_is_written_to_a_file_atomically(edge: Edge, tmp_path: Path) -> None:
    """--output writes the complete file; an unwritable path fails with exit code 1 before any work."""
    path = tmp_path / "report.md"

    assert report(edge, tmp_path, "--from", "1", "--output", str(path)).code == 0
    assert path.read_text(encoding="utf-8").splitlines()[1] == report(edge, tmp_path, "--from", "1").out.splitlines()[1]
    assert [one.name for one in tmp_path.iterdir()] == ["report.md"]
    for bad in (tmp_path / "none" / "report.md", tmp_path):
        done = Job(tmp_path, "postgresql://nobody@127.0.0.1:1/none")("report", "--output", str(bad))
        assert (done.code, "can't be written" in done.err) == (1, True)


def test_nothing_is_written_if_nothing_changed(edge: Edge, tmp_path: Path) -> None:
    """With --if-changed and no change, the exit code is 0 and no file is written."""
    path = tmp_path / "report.md"

    quiet = report(edge, tmp_path, "--from", "3", "--if-changed", "--output", str(path))
    assert (quiet.code, quiet.out, path.exists()) == (0, "", False)
    assert report(edge, tmp_path, "--from", "2", "--if-changed", "--output", str(path)).code == 0
    assert path.exists()


def test_invalid_moments_are_refused(edge: Edge, tmp_path: Path) -> None:
    """Moments in the wrong order or that can't be parsed fail with exit code 2."""
    assert report(edge, tmp_path, "--from", "3", "--to", "1").code == 2
    assert report(edge, tmp_path, "--from", "whenever").code == 2
    assert datetime.fromisoformat(as_json(edge, tmp_path)["from"])


def test_since_the_last_report_of_a_name(edge: Edge, tmp_path: Path) -> None:
    """--since-last reports each change once per name, and a report that can't be written loses none."""
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


def test_a_reader_without_the_right_to_write_gets_the_report(edge: Edge, tmp_path: Path) -> None:
    """The report is printed, and the exit code is 1 because the bookmark can't be stored."""
    edge.do("DO $$ BEGIN CREATE ROLE ann LOGIN IN ROLE inventory_reader; EXCEPTION WHEN OTHERS THEN NULL; END $$")

    done = Job(tmp_path, edge.url.replace("owner@", "ann@"))("report", "--since-last", "ann")

    assert done.code == 1
    assert "image inventory" in done.out.lower()
    assert "remembering where ann stopped" in done.err
    assert "Traceback" not in done.err


def test_a_run_under_way_is_left_for_the_next_report(edge: Edge, tmp_path: Path) -> None:
    """A report ends before the start of the first run under way, so that the next report has its changes."""
    started_at = edge.rows(
        "INSERT INTO inventory.runs (source, status, trigger, deadline_at, epoch, version, host) "
        "SELECT source, 'running', 'command', clock_timestamp() + interval '1 hour', epoch + 1, version, host "
        "FROM inventory.runs ORDER BY run DESC LIMIT 1 RETURNING started_at"
    )[0][0]

    data = as_json(edge, tmp_path, "--from", "1")
    with_end = report(edge, tmp_path, "--from", "1", "--to", started_at.isoformat())

    assert datetime.fromisoformat(data["to"]) == started_at
    assert with_end.code == 0
    edge.do("UPDATE inventory.runs SET deadline_at = clock_timestamp() - interval '1 hour' WHERE status = 'running'")
    assert datetime.fromisoformat(as_json(edge, tmp_path, "--from", "1")["to"]) > started_at


def test_findings_are_those_of_the_end(edge: Edge, tmp_path: Path) -> None:
    """The findings are those of the images at the end of the report; a disabled check is left out."""
    then, now = (as_json(edge, tmp_path, "--from", "1", "--to", end) for end in ("1", "last"))
    off = Job(tmp_path, edge.url)("report", "--format", "json", IMAGE_SYNC_CHECKS_DISABLED="exposure-widened")

    assert "exposure-widened" not in {one["check"] for one in then["findings"]}
    assert [one["id"] for one in now["findings"] if one["check"] == "exposure-widened"].count("open") == 1
    assert any("findings of the checks" in sentence for sentence in now["verdict"])
    assert "exposure-widened" not in {one["check"] for one in json.loads(off.out)["checks"]}


def test_digests_are_those_of_the_runs(edge: Edge, tmp_path: Path) -> None:
    """The digest at each moment is that of the last committed run before it."""
    data = as_json(edge, tmp_path, "--from", "1", "--to", "3")
    digests = dict(edge.rows("SELECT run, encode(digest, 'hex') FROM inventory.runs"))

    assert [(one["last_run"], one["digest"]) for one in data["evidence"]] == [(1, digests[1]), (3, digests[3])]


def test_without_a_proven_run_the_evidence_is_incomplete(edge: Edge, tmp_path: Path) -> None:
    """If there was no run, or no proven run of a source, the verdict says so."""
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
    """A source that is added later does not change an earlier report."""
    before = report(edge, tmp_path, "--from", "1", "--to", "3", "--format", "json").out
    edge.do("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('later', '', '')")

    assert report(edge, tmp_path, "--from", "1", "--to", "3", "--format", "json").out == before


def test_approved_deletions_are_not_listed_as_held(edge: Edge, tmp_path: Path) -> None:
    """Approved deletions are no longer listed as held."""
    edge.world.delete(40)
    held = edge.run()
    approve(edge.target, held.run or 0, "me")

    data = as_json(edge, tmp_path, "--from", "1")

    assert data["held"] == []
    assert not any("withheld" in sentence for sentence in data["verdict"])


def test_a_run_that_was_given_up_writes_nothing(edge: Edge) -> None:
    """A run so long past its deadline that reports no longer wait for it cannot take effect."""
    edge.world.create(1)
    edge.do(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.deadline_at = now() - interval '1 day'; RETURN NEW; END $$"
    )
    edge.do("CREATE TRIGGER late BEFORE INSERT ON inventory.runs FOR EACH ROW EXECUTE FUNCTION late()")

    error = edge.fails(StoreError)

    assert "it was abandoned" in str(error)


def test_a_run_takes_effect_after_every_bookmark(edge: Edge, tmp_path: Path) -> None:
    """Even if the clock is set back, a run takes effect later than the end of every report."""
    as_json(edge, tmp_path, "--since-last", "ann")
    edge.do("UPDATE inventory.report_bookmarks SET read_to = read_to + interval '1 hour'")
    edge.world.create(1)

    outcome = edge.run()

    assert outcome.effective_at is not None
    assert outcome.effective_at > edge.value("SELECT read_to FROM inventory.report_bookmarks")

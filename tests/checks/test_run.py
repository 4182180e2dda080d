"""Each check finds its own images and no others, and a user's own checks run like the built-in ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from builders import image
from checkout import CHECKOUT
from cli_tools import Job
from servers import Server, environment
from store_tools import Edge

from sync.checks.run import checks, find, systems
from sync.domain.checks import Check, Severity
from sync.errors import UnknownError, UsageError
from sync.store.queries.inventory import inventory

GOOD: dict[str, Any] = {
    "status": "active",
    "visibility": "private",
    "protected": True,
    "hw_firmware_type": "uefi",
    "__imagetype": "private",
    "__isregistered": True,
    "__os_version": "Debian 99",
    "created_at": "2999-01-01T00:00:00Z",
    "updated_at": "2999-01-01T00:00:00Z",
}
OWN = """\
-- title: Image of ann
-- severity: high
-- why: She has left.
-- do: Find it
--     a new owner.
-- threshold: least = 3 -- shortest name
SELECT source, id, name, owner || ' 100%' AS detail FROM live_images
WHERE owner = 'ann' AND length(name) >= CAST(:least AS int)
"""


def put(edge: Edge, key: str, **changes: Any) -> None:
    """Add an image that no check finds, except for the given changes."""
    edge.world.put(image(key, **(GOOD | {"name": key} | changes)))


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """One image that no check finds, and one for each check."""
    with Edge(server, 0) as edge:
        put(edge, "good")
        put(edge, "widened", visibility="private")
        put(edge, "flaps")
        edge.run()
        put(edge, "widened", visibility="public", __imagetype="gold")
        put(edge, "private-unprotected", protected=False)
        put(edge, "end-of-life", __os_version="CentOS 7.9 64bit")
        put(edge, "end-of-life-not", __os_version="CentOS Stream 99")
        put(edge, "public-private-type", visibility="public")
        put(edge, "stuck", status="saving", updated_at="2020-01-01T00:00:00Z")
        put(edge, "killed", status="killed")
        put(edge, "not-registered", __isregistered=False)
        put(edge, "old", updated_at="2020-01-01T00:00:00Z")
        put(edge, "same-name", name="twice")
        put(edge, "same-name-2", name="twice")
        put(edge, "no-firmware", hw_firmware_type=None)
        for _ in range(2):
            edge.world.remove("flaps")
            edge.run(max_deletions=100)
            put(edge, "flaps")
            edge.run()
        yield edge


def job(edge: Edge, folder: Path, **settings: str) -> Job:
    """The command line for this inventory."""
    return Job(folder, edge.url, **settings)


def test_each_check_finds_its_own(edge: Edge, tmp_path: Path) -> None:
    """Each image is found by the check that it is named after, and the good one by none."""
    rows = job(edge, tmp_path)("check", "--format", "json").rows
    ids_by_check: dict[str, set[str]] = {}
    for row in rows:
        ids_by_check.setdefault(row["check"], set()).add(row["id"])

    names = {check.name for check in checks()}
    several = {"exposure-widened": {"widened"}, "flapping": {"flaps"}, "same-name": {"same-name", "same-name-2"}}
    assert ids_by_check.pop("old") == {"old", "stuck"}
    assert ids_by_check == {name: several.get(name, {name}) for name in names - {"old"}}
    assert [Severity[row["severity"].upper()] for row in rows] == sorted(
        (Severity[row["severity"].upper()] for row in rows), reverse=True
    )


def test_exit_codes_and_severities(edge: Edge, tmp_path: Path) -> None:
    """Findings fail only with --fail-on and from that severity on; --severity shows only findings from it on."""
    run = job(edge, tmp_path)

    assert run("check").code == 0
    assert run("check", "--fail-on", "high").code == 4
    assert (
        run(
            "check", "--fail-on", "high", IMAGE_SYNC_CHECKS_DISABLED="end-of-life,public-private-type,exposure-widened"
        ).code
        == 0
    )
    high = run("check", "--severity", "high", "--format", "json")
    assert {row["severity"] for row in high.rows} == {"high"}
    assert "high" in high.err


def test_thresholds_are_settings(edge: Edge, tmp_path: Path) -> None:
    """Thresholds can be set; an unknown threshold or check is an error that lists the known ones."""
    run = job(edge, tmp_path)

    later = run("check", "--format", "json", IMAGE_SYNC_CHECK_THRESHOLDS="old.days=99999, flapping.returns=3")
    assert {row["check"] for row in later.rows}.isdisjoint({"old", "flapping"})
    wrong = run("check", IMAGE_SYNC_CHECK_THRESHOLDS="old.weeks=3")
    assert (wrong.code, "it has days" in wrong.err) == (2, True)
    assert run("check", IMAGE_SYNC_CHECK_THRESHOLDS="old=3").code == 2
    unknown = run("check", IMAGE_SYNC_CHECKS_DISABLED="odl")
    assert (unknown.code, "there are" in unknown.err) == (2, True)


def test_users_own_checks(edge: Edge, tmp_path: Path) -> None:
    """A file in the folder is a check that cannot write, and any error in it names the check."""
    folder = tmp_path / "own"
    folder.mkdir()
    put(edge, "anns", owner="ann")
    edge.run()
    run = job(edge, tmp_path, IMAGE_SYNC_CHECK_FOLDER=str(folder))

    folder.joinpath("anns.sql").write_text(OWN)
    rows = [row for row in run("check", "--format", "json").rows if row["check"] == "anns"]
    assert [(row["id"], row["detail"], row["severity"]) for row in rows] == [("anns", "ann 100%", "high")]
    for text, error in (
        (OWN.replace("SELECT source", "SELCT source"), "syntax error"),
        (OWN.replace(", name, owner", ", owner"), "it must return source, id, name, detail"),
        (OWN.replace(":least", ":most"), "most"),
        (
            OWN[: OWN.index("SELECT")] + "DELETE FROM inventory.images RETURNING source, id, name, '' AS detail",
            "syntax error",
        ),
        (OWN.replace("owner || ' 100%'", "nextval(pg_get_serial_sequence('inventory.runs', 'run'))"), "read-only"),
        (OWN.replace("-- why: She has left.\n", ""), "lacks `-- why"),
        (OWN.replace("high", "dire"), "none of low, medium, high"),
        (OWN.replace("least = 3", "least"), "threshold"),
    ):
        folder.joinpath("anns.sql").write_text(text)
        done = run("check")
        assert (done.code, error in done.err, "anns" in done.err) == (2, True, True), (error, done.err)
        assert "Traceback" not in done.err


def test_checks_of_a_past_moment(edge: Edge) -> None:
    """Checks of a past moment do not find what happened later."""
    with inventory(edge.target) as reader:
        first, settled = reader.moment(1), reader.settled()
        before = {(one.check, one.id) for one in find(reader, checks(), systems(), first, None)}
        after = {(one.check, one.id) for one in find(reader, checks(), systems(), settled, None)}

    assert before == set()
    assert {("exposure-widened", "widened"), ("flapping", "flaps"), ("killed", "killed")} <= after


def test_sarif_and_junit(edge: Edge, tmp_path: Path) -> None:
    """SARIF and JUnit have the same findings as JSON; names with markup or control characters do no harm."""
    put(edge, "nasty", name='</failure>&"\x1b[31m\u202e', protected=False)
    edge.run()
    run = job(edge, tmp_path)
    rows = run("check", "--format", "json").rows

    sarif = json.loads(run("check", "--format", "sarif").out)["runs"][0]
    assert len(sarif["results"]) == len(rows)
    for result in sarif["results"]:
        assert sarif["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    suite = ET.fromstring(run("check", "--format", "junit").out)  # noqa: S314 - our own
    failed = {case.get("name"): case.find("failure") for case in suite}
    assert len(failed) == len(checks()) == int(suite.get("tests", "0"))
    for row in rows:
        failure = failed[row["check"]]
        assert failure is not None
        assert row["id"] in (failure.text or "")
    assert all(failure is not None for failure in failed.values())


def test_the_list_of_checks(edge: Edge, tmp_path: Path) -> None:
    """--list shows name, severity, title and thresholds of each check without a database."""
    done = Job(tmp_path, "postgresql://nobody@127.0.0.1:1/none")("check", "--list", "--format", "json")

    assert {row["check"] for row in done.rows} == {check.name for check in checks()}
    assert all(row["title"] and row["severity"] for row in done.rows)


def test_page_is_up_to_date() -> None:
    """``docs/checks.md`` is up to date."""
    script = [sys.executable, str(CHECKOUT / "docs" / "make_checks_page.py"), "--check"]

    done = subprocess.run(script, env=environment(PYTHONPATH=str(CHECKOUT)), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_header_of_a_check() -> None:
    """A header line may be continued on the next; an unknown header line is an error."""
    check = Check.parse("anns", OWN)

    assert (check.title, check.severity, check.action) == ("Image of ann", Severity.HIGH, "Find it a new owner.")
    assert (check.thresholds, check.meanings) == ({"least": 3}, {"least": "shortest name"})
    assert check.using({"least": 5}).thresholds == {"least": 5}
    with pytest.raises(UnknownError, match="it has least"):
        check.using({"most": 5})
    with pytest.raises(UsageError, match="Title: x"):
        Check.parse("odd", "-- Title: x\nSELECT 1")


@pytest.mark.parametrize("character", ["\v", "\f", "\x1c", "\x85", "\u2028"])
def test_what_ends_no_line_in_sql_ends_none_in_a_check(character: str) -> None:
    """A text stays as it is, and a comment as long as it is, whatever else may be taken for the end of a line."""
    sql = f"SELECT '{character}' -- {character}:least"
    for end in ("\n", "\r\n", "\r"):
        assert Check.parse("anns", f"{OWN.partition('SELECT')[0].replace(chr(10), end)}{sql}{end}").sql == sql


def test_end_of_life_dates(tmp_path: Path) -> None:
    """The built-in file is valid, each row with its source; an error in a user's file names its line."""
    built_in = systems()
    assert len({row["system"] for row in built_in}) == len(built_in) > 10
    assert all(row["source"] for row in built_in)
    for text in ("system,until\nX,soon\n", "name\nX\n", "system,until\n,2024-01-01\n"):
        tmp_path.joinpath("own.csv").write_text(text)
        with pytest.raises(UsageError, match="line 2"):
            systems(tmp_path / "own.csv")
    with pytest.raises(UsageError, match="can't be read"):
        systems(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is not a folder"):
        checks(tmp_path / "none")

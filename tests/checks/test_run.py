"""The checks: each finds what it is for and nothing else, and a user's own are carried out like the product's."""

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
    """An image without fault, but for the changes."""
    edge.world.put(image(key, **(GOOD | {"name": key} | changes)))


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """One image without fault, and one for each check."""
    with Edge(server, 0) as made:
        put(made, "good")
        put(made, "widened", visibility="private")
        put(made, "flaps")
        made.run()
        put(made, "widened", visibility="public", __imagetype="gold")
        put(made, "private-unprotected", protected=False)
        put(made, "end-of-life", __os_version="CentOS 7.9 64bit")
        put(made, "end-of-life-not", __os_version="CentOS Stream 99")
        put(made, "public-private-type", visibility="public")
        put(made, "stuck", status="saving", updated_at="2020-01-01T00:00:00Z")
        put(made, "killed", status="killed")
        put(made, "not-registered", __isregistered=False)
        put(made, "old", updated_at="2020-01-01T00:00:00Z")
        put(made, "same-name", name="twice")
        put(made, "same-name-2", name="twice")
        put(made, "no-firmware", hw_firmware_type=None)
        for _ in range(2):
            made.world.remove("flaps")
            made.run(max_deletions=100)
            put(made, "flaps")
            made.run()
        yield made


def job(edge: Edge, folder: Path, **settings: str) -> Job:
    """The command line on this inventory."""
    return Job(folder, edge.url, **settings)


def test_each_check_finds_its_own(edge: Edge, tmp_path: Path) -> None:
    """Each image is found by the check it is named for, and the one without fault by none."""
    rows = job(edge, tmp_path)("check", "--format", "json").rows
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["check"], set()).add(row["id"])

    names = {check.name for check in checks()}
    special = {"exposure-widened": {"widened"}, "flapping": {"flaps"}, "same-name": {"same-name", "same-name-2"}}
    assert found.pop("old") == {"old", "stuck"}
    assert found == {name: special.get(name, {name}) for name in names - {"old"}}
    assert [Severity[row["severity"].upper()] for row in rows] == sorted(
        (Severity[row["severity"].upper()] for row in rows), reverse=True
    )


def test_exit_codes_and_severities(edge: Edge, tmp_path: Path) -> None:
    """Findings alone are no failure; with --fail-on they are, if they are so severe; --severity narrows."""
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
    """A number that is set counts; one that no check has is told with those that there are."""
    run = job(edge, tmp_path)

    later = run("check", "--format", "json", IMAGE_SYNC_CHECK_THRESHOLDS="old.days=99999, flapping.returns=3")
    assert {row["check"] for row in later.rows}.isdisjoint({"old", "flapping"})
    wrong = run("check", IMAGE_SYNC_CHECK_THRESHOLDS="old.weeks=3")
    assert (wrong.code, "it has days" in wrong.err) == (2, True)
    assert run("check", IMAGE_SYNC_CHECK_THRESHOLDS="old=3").code == 2
    unknown = run("check", IMAGE_SYNC_CHECKS_DISABLED="odl")
    assert (unknown.code, "there are" in unknown.err) == (2, True)


def test_users_own_checks(edge: Edge, tmp_path: Path) -> None:
    """A file in the folder is a check; it can write nothing; what is wrong with it is told by its name."""
    folder = tmp_path / "own"
    folder.mkdir()
    put(edge, "anns", owner="ann")
    edge.run()
    run = job(edge, tmp_path, IMAGE_SYNC_CHECK_FOLDER=str(folder))

    folder.joinpath("anns.sql").write_text(OWN)
    rows = [row for row in run("check", "--format", "json").rows if row["check"] == "anns"]
    assert [(row["id"], row["detail"], row["severity"]) for row in rows] == [("anns", "ann 100%", "high")]
    for text, said in (
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
        assert (done.code, said in done.err, "anns" in done.err) == (2, True, True), (said, done.err)
        assert "Traceback" not in done.err


def test_a_moment_of_the_past(edge: Edge) -> None:
    """Checks can be asked of what was: what came later, and what became public later, is not found."""
    with inventory(edge.target) as found:
        first, settled = found.moment(1), found.settled()
        before = {(one.check, one.id) for one in find(found, checks(), systems(), first, None)}
        after = {(one.check, one.id) for one in find(found, checks(), systems(), settled, None)}

    assert before == set()
    assert {("exposure-widened", "widened"), ("flapping", "flaps"), ("killed", "killed")} <= after


def test_in_the_formats_of_others(edge: Edge, tmp_path: Path) -> None:
    """SARIF and JUnit tell the same findings; names with markup and controls stay harmless."""
    put(edge, "nasty", name='</failure>&"\x1b[31m\u202e', protected=False)
    edge.run()
    run = job(edge, tmp_path)
    rows = run("check", "--format", "json").rows

    told = json.loads(run("check", "--format", "sarif").out)["runs"][0]
    assert len(told["results"]) == len(rows)
    for result in told["results"]:
        assert told["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    suite = ET.fromstring(run("check", "--format", "junit").out)  # noqa: S314 - our own
    failed = {case.get("name"): case.find("failure") for case in suite}
    assert len(failed) == len(checks()) == int(suite.get("tests", "0"))
    for row in rows:
        failure = failed[row["check"]]
        assert failure is not None
        assert row["id"] in (failure.text or "")
    assert all(failure is not None for failure in failed.values())


def test_the_list_of_checks(edge: Edge, tmp_path: Path) -> None:
    """Name, severity, title and thresholds of each; no database is asked."""
    done = Job(tmp_path, "postgresql://nobody@127.0.0.1:1/none")("check", "--list", "--format", "json")

    assert {row["check"] for row in done.rows} == {check.name for check in checks()}
    assert all(row["title"] and row["severity"] for row in done.rows)


def test_page_is_fresh() -> None:
    """``docs/checks.md`` says what the checks say."""
    script = [sys.executable, str(CHECKOUT / "docs" / "make_checks_page.py"), "--check"]

    done = subprocess.run(script, env=environment(PYTHONPATH=str(CHECKOUT)), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_header_of_a_check() -> None:
    """Continued lines belong to the one before; a line that is no header is told."""
    check = Check.parse("anns", OWN)

    assert (check.title, check.severity, check.action) == ("Image of ann", Severity.HIGH, "Find it a new owner.")
    assert (check.thresholds, check.meanings) == ({"least": 3}, {"least": "shortest name"})
    assert check.using({"least": 5}).thresholds == {"least": 5}
    with pytest.raises(UnknownError, match="it has least"):
        check.using({"most": 5})
    with pytest.raises(UsageError, match="Title: x"):
        Check.parse("odd", "-- Title: x\nSELECT 1")


def test_days_on_which_systems_end(tmp_path: Path) -> None:
    """The product's file is sound, each row with its source; a user's file that is not is told with its line."""
    own = systems()
    assert len({row["system"] for row in own}) == len(own) > 10
    assert all(row["source"] for row in own)
    for text in ("system,until\nX,soon\n", "name\nX\n", "system,until\n,2024-01-01\n"):
        tmp_path.joinpath("own.csv").write_text(text)
        with pytest.raises(UsageError, match="line 2"):
            systems(tmp_path / "own.csv")
    with pytest.raises(UsageError, match="can't be read"):
        systems(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is not a folder"):
        checks(tmp_path / "none")

"""``image-sync demo`` and ``image-sync simulate``: how to try the program without an account or a database."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import CHECKOUT
from cli_tools import Done, Job, finished
from embedded_tools import AS_ROOT, PACKAGES, Shelf, _open_python, account_without_rights
from servers import environment

from sync.store.connection import Target

pytest_plugins = ["embedded_fixtures"]


def as_ordinary_user(shelf: Shelf, *arguments: str, **settings: str) -> Done:
    """Run a command as a user without privileges, from its own home folder."""
    home, account = shelf.path / "home", account_without_rights() if AS_ROOT else None
    if not home.exists():
        home.mkdir()
        if account is not None:
            os.chown(home, account, account)
    python, paths = (_open_python(), [str(PACKAGES)]) if AS_ROOT else (sys.executable, [])
    variables = {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *paths]), **settings}
    process = subprocess.Popen(
        [python, "-m", "sync", *arguments],
        env=environment(**variables),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=account,
        group=account,
        extra_groups=None if account is None else [],
    )
    return finished(process)


def runs(demo: Done) -> list[tuple[int, ...]]:
    """The counts of each run in the demo's table: listed, created, updated, restored, deleted, invisible, held, unchanged."""
    lines = (line.split() for line in demo.out.splitlines())
    return [tuple(map(int, words[3:])) for words in lines if words[:1] == ["demo"] and words[2:3] == ["done"]]


@pytest.mark.long
def test_demo_shows_four_runs_and_can_be_repeated(shelf: Shelf) -> None:
    """An ordinary user sees a load, changes, a return and no change; the demo can be run again."""
    first, second = as_ordinary_user(shelf, "demo"), as_ordinary_user(shelf, "demo")
    folder = re.findall(r"IMAGE_SYNC_DATA_FOLDER=(\S+)", second.out)[0]
    later = as_ordinary_user(shelf, "status", "--format", "json", IMAGE_SYNC_DATA_FOLDER=folder)

    for demo in (first, second):
        assert (demo.code, demo.err) == (0, "")
        load, changes, back, nothing = runs(demo)
        assert load == (2500, 2500, 0, 0, 0, 0, 0, 0)
        _, created, updated, restored, deleted, invisible, held, _ = changes
        assert (created, restored, deleted, invisible, held) == (6, 0, 7, 0, 0)
        assert updated > 0
        assert back[3] > 0
        assert nothing[1:7] == (0, 0, 0, 0, 0, 0)
        assert nothing[0] == nothing[7] == 2500 + created - deleted + back[3]
        assert "restored" in demo.out[demo.out.index("image-sync history") :]
        assert "\x1b" not in demo.out
    assert later.row["live"] == runs(second)[-1][0]
    assert Path(folder).is_relative_to(shelf.path / "home")


def test_demo_needs_an_empty_folder(shelf: Shelf) -> None:
    """The demo runs in the given folder, also as root, and refuses a folder that is not empty."""
    job = Job(shelf.path)
    demo = job("demo", "--folder", str(shelf.path / "demo"), "--seed", "7")
    refused = job("demo", "--folder", str(shelf.path / "demo"))

    assert (demo.code, len(runs(demo))) == (0, 4)
    assert refused.code == 2
    assert "is not empty" in refused.err


def test_simulate_prints_the_settings_of_a_run(tmp_path: Path, target: Target) -> None:
    """A run works with the printed settings; SIGTERM ends the simulator with exit code 0."""
    simulator = Job(tmp_path).start("simulate", "--images", "600")
    assert simulator.stderr is not None
    message = simulator.stderr.readline()
    settings = dict(word.split("=", 1) for word in shlex.split(message.partition("export ")[2]))
    done = Job(tmp_path, target.url, **settings)("run", "--format", "json")
    simulator.send_signal(signal.SIGTERM)
    ended = finished(simulator)

    assert message.startswith("600 images on http://127.0.0.1:")
    assert (done.code, done.row["listed"]) == (0, 600)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_simulate_does_not_print_given_secrets(tmp_path: Path) -> None:
    """A secret from the user is not printed; a missing one is asked for with exit code 2."""
    job = Job(tmp_path)
    secrets = {"IMAGE_SYNC_SIMULATOR_PASSWORD": "canary-1", "IMAGE_SYNC_SIMULATOR_SECRET_KEY": "canary-2"}
    started = [
        job.start("simulate", "--images", "1", *more, **secrets)
        for more in (["--token", "canary-0"], ["--user", "me"], ["--access-key", "AK"])
    ]
    messages = []
    for process in started:
        assert process.stderr is not None
        messages.append(process.stderr.readline())
        process.send_signal(signal.SIGINT)
    results = [finished(process) for process in started]
    missing = job("simulate", "--user", "me")

    assert all("IMAGE_SYNC_ENDPOINT=http://" in line and "canary" not in line for line in messages)
    assert [each.code for each in results] == [0, 0, 0]
    assert (missing.code, "IMAGE_SYNC_SIMULATOR_PASSWORD" in missing.err) == (2, True)

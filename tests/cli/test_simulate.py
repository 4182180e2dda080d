"""``image-sync simulate`` as a process: the settings that it prints, its log-ins and options."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from checkout import CHECKOUT
from click.testing import CliRunner
from simulator_client import Reply, send

from sync.cli.simulate import APPLICATION_SECRET, PASSWORD, SECRET_KEY, simulate
from sync.errors import UsageError
from sync.simulator import PROJECT, START, TOKENS
from sync.simulator.catalog import stamp

START_COMMAND = [sys.executable, "-c", "from sync.cli.simulate import simulate; simulate()"]
SECRETS = (APPLICATION_SECRET, PASSWORD, SECRET_KEY)


@contextmanager
def running(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of ``image-sync simulate`` and the first line of its output; it is killed at the end."""
    environ = {**os.environ, **environment}
    with subprocess.Popen(
        [*START_COMMAND, *options], cwd=CHECKOUT, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            yield process, process.stderr.readline()
        finally:
            process.kill()


def exported(line: str, name: str) -> str:
    """A variable of the export line."""
    return re.search(rf"{name}=(\S+)", line)[1]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(signal_number: signal.Signals) -> None:
    """One line says how to use the simulator, with a valid token, and a signal ends it with exit code 0."""
    with running("--images", "123", "--page-cap", "50") as (process, line):
        headers = {"X-Auth-Token": exported(line, "IMAGE_SYNC_TOKEN")}
        reply = send(exported(line, "IMAGE_SYNC_ENDPOINT"), "GET", "/v1/images", headers)
        process.send_signal(signal_number)
        rest = process.communicate(timeout=30)[1]

    assert (reply.json["total"], len(reply.json["images"])) == (123, 50)
    assert line.startswith("123 images on http://127.0.0.1:")
    assert (process.returncode, rest) == (0, "")


@pytest.mark.parametrize(("api", "path"), [("ims", "/v2/cloudimages"), ("glance", "/v2/images")])
def test_the_command_serves_other_apis(api: str, path: str) -> None:
    """With --api, the printed settings name the API and an identity service whose catalog leads to the images."""
    with running("--api", api, "--images", "50", "--admin") as (_, line):
        url, token = exported(line, "IMAGE_SYNC_IAM_ENDPOINT"), exported(line, "IMAGE_SYNC_TOKEN")
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        said = send(url, "GET", f"/identity{TOKENS}", headers).json["token"]
        endpoints = next(service["endpoints"] for service in said["catalog"] if service["type"] == "image")
        home = next(each["url"] for each in endpoints if each["interface"] == "public")
        reply = send(home, "GET", f"{path}?limit=10", headers)

    assert (exported(line, "IMAGE_SYNC_API"), url.endswith("/identity")) == (api, True)
    assert "IMAGE_SYNC_ENDPOINT" not in line
    assert "admin" in [role["name"] for role in said["roles"]]
    assert len(reply.json["images"]) == 10


def test_the_command_prints_each_log_in() -> None:
    """A user, an application credential and a key pair are printed as the settings that the job needs, without secrets."""
    secret = dict.fromkeys(SECRETS, "c4nary")
    logins = {
        (
            "glance",
            "--user",
            "reader",
            "--project",
            "shop",
        ): "USERNAME=reader DOMAIN=simulated PASSWORD_FILE=... PROJECT=shop",
        ("ims", "--user", "reader", "--access-key", "AK1"): (
            "USERNAME=reader DOMAIN=simulated PASSWORD_FILE=... PROJECT=cn-north-4"
        ),
        ("glance", "--application-id", "a1"): "APPLICATION_CREDENTIAL_ID=a1 APPLICATION_CREDENTIAL_SECRET_FILE=...",
        ("ims", "--access-key", "AK1"): f"ACCESS_KEY=AK1 SECRET_KEY_FILE=... PROJECT_ID={PROJECT}",
    }
    for (api, *options), settings in logins.items():
        with running("--api", api, "--images", "1", *options, **secret) as (_, line):
            printed = [word.removeprefix("IMAGE_SYNC_") for word in line.split("export ")[1].split()]

        assert printed[0] == f"API={api}"
        assert " ".join(printed[2:]) == settings
        assert printed[1].startswith("ENDPOINT=" if options[0] == "--access-key" else "IAM_ENDPOINT=")
        assert "c4nary" not in line


def test_the_command_shows_no_given_secret() -> None:
    """A token and a password that are set are accepted and never shown."""
    secret = {"IMAGE_SYNC_SIMULATOR_PASSWORD": "p4ssw0rd"}
    with running("--token", "t0ken", "--user", "reader", "--domain", "acme", **secret) as (_, line):
        url = exported(line, "IMAGE_SYNC_IAM_ENDPOINT")
        user = {"name": "reader", "password": "p4ssw0rd", "domain": {"name": "acme"}}
        identity = {"methods": ["password"], "password": {"user": user}}
        auth = {"auth": {"identity": identity, "scope": {"domain": {"name": "acme"}}}}
        replies: list[Reply] = [
            send(url, "POST", TOKENS, {}, json.dumps(auth).encode()),
            send(url, "GET", "/v1/images", {"X-Auth-Token": "t0ken"}),
        ]

    assert [reply.status for reply in replies] == [201, 200]
    assert "t0ken" not in line
    assert "p4ssw0rd" not in line


def test_the_command_lets_days_pass() -> None:
    """With --churn-every, the world changes by itself."""
    with running("--churn-every", "0.05", "--churn", "50", "--control", "--images", "10") as (_, line):
        url = exported(line, "IMAGE_SYNC_ENDPOINT")
        first = last = send(url, "GET", "/_simulator/statistics", {}).json
        while last["revision"] == first["revision"]:
            last = send(url, "GET", "/_simulator/statistics", {}).json

    assert last["world_time"] > stamp(START)


def test_invalid_options_are_refused() -> None:
    """A missing secret and an invalid duration are errors before anything is served."""
    runner = CliRunner()
    missing = runner.invoke(simulate, ["--user", "x"], env={"IMAGE_SYNC_SIMULATOR_PASSWORD": ""})
    wrong = runner.invoke(simulate, ["--churn-every", "soon"])

    assert isinstance(missing.exception, UsageError)
    assert "--password-file" in str(missing.exception)
    assert wrong.exit_code == 2
    assert "--churn-every" in wrong.output
    assert "90s" in wrong.output


@pytest.mark.parametrize("options", [["--lost-marker", "restart"], ["--api", "glance", "--enterprise-project"]])
def test_options_of_another_api_are_refused(options: list[str]) -> None:
    """An option that only IMS has is an error with the others."""
    result = CliRunner().invoke(simulate, [*options, "--images", "0"])

    assert isinstance(result.exception, UsageError)
    assert "has no option" in str(result.exception)


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """The secret of a key pair can come from a file, and is not shown."""
    file = tmp_path / "secret"
    file.write_text("sk-in-file\n")
    with running("--access-key", "AK1", "--secret-key-file", str(file)) as (_, line):
        assert exported(line, "IMAGE_SYNC_ACCESS_KEY") == "AK1"

    assert "sk-in-file" not in line

"""Units of systemd, the crontab and the image's health check fit this program, and do as they say."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from deploy_tools import DEPLOY, PROGRAM, UNITS, VARIABLES, carried_out, cron_commands, options_of, tool, understand

from sync.errors import SettingsError, SupersededError

SERVICES = [unit for unit in UNITS if unit.endswith(".service")]


@pytest.fixture(scope="module")
def health() -> ModuleType:
    """The program of the image's health check."""
    spec = importlib.util.spec_from_file_location("health", DEPLOY / "container" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def scheduler() -> Iterator[HTTPServer]:
    """Something that answers as a scheduler does; its `status` is to be set."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status if self.path == "/healthz" else 404)  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(b"the loop stands still\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.status = 200  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_units_are_accepted(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about them."""
    analyze = tool("systemd-analyze", "systemd")
    for unit in UNITS:
        (tmp_path / unit).write_text((DEPLOY / "systemd" / unit).read_text().replace(PROGRAM, "/bin/true"))

    done = carried_out(analyze, "verify", *(str(tmp_path / unit) for unit in UNITS))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES)
def test_services_are_confined(unit: str) -> None:
    """`systemd-analyze security` rates their exposure 2.0 or better, of 10."""
    done = carried_out(
        tool("systemd-analyze", "systemd"),
        *("security", "--offline=true", "--threshold=20", "--no-pager", str(DEPLOY / "systemd" / unit)),
    )

    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_services_fit_this_program(unit: str) -> None:
    """Command, variables, credentials and exit codes are those that this program knows."""
    options = options_of(unit)
    (start,) = (value for name, value in options if name == "ExecStart")
    variables = [value.partition("=") for name, value in options if name == "Environment"]
    credentials = {value.partition(":")[0] for name, value in options if name == "LoadCredential"}
    once = dict(options)["Type"] == "oneshot"

    understand(start.removeprefix(PROGRAM).split())
    assert {name for name, _, _ in variables} <= VARIABLES
    assert {value.removeprefix("%d/") for name, _, value in variables if name.endswith("_FILE")} == credentials
    code = dict(options)["SuccessExitStatus" if once else "RestartPreventExitStatus"]
    assert int(code) == (SupersededError if once else SettingsError).exit_code


def test_commands_of_cron_are_understood() -> None:
    """The crontab starts what this program takes, by way of a script that is there, with settings that exist."""
    (words,) = cron_commands()
    text = (DEPLOY / "cron" / "image-sync").read_text()

    assert (DEPLOY / "cron" / Path(words[0]).name).stat().st_mode & 0o111
    assert words[1] == "image-sync"
    understand(words[2:])
    assert set(re.findall(r"^(IMAGE_SYNC_\w+)=", text, flags=re.MULTILINE)) <= VARIABLES
    assert "%" not in text.splitlines()[-1]  # cron takes it for the end of the line


@pytest.mark.parametrize(
    ("code", "quiet", "told"), [(0, "", False), (3, "", False), (1, "", True), (4, "", True), (4, "0 3 4", False)]
)
def test_cron_is_told_of_failures_only(tmp_path: Path, code: int, quiet: str, told: bool) -> None:  # noqa: FBT001
    """What a run said is shown, and so mailed, only where its exit code asks for a person; the code is handed on."""
    script = f"echo shown; echo logged >&2; exit {code}"
    environ = {"QUIET": quiet} if quiet else {}

    done = carried_out(str(DEPLOY / "cron" / "quietly"), "sh", "-c", script, folder=tmp_path, **environ)

    assert done.returncode == code
    assert ("shown" in done.stdout and "logged" in done.stdout) is told
    assert bool(done.stdout) is told
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_by_itself_is_healthy(health: ModuleType) -> None:
    """There is nothing to ask of it, whatever its settings say."""
    assert health.check(["image-sync", "run"], {"IMAGE_SYNC_LISTEN": "127.0.0.1:1"})[0]


def test_a_scheduler_is_as_well_as_it_says(health: ModuleType, scheduler: HTTPServer) -> None:
    """200 is healthy; anything else, a closed port or garbage is not, and the line says why."""
    told = ["image-sync", "schedule", "--listen", f"0.0.0.0:{scheduler.server_port}"]
    assert health.check(told, {}) == (True, "200 the loop stands still")

    scheduler.status = 503  # type: ignore[attr-defined]

    assert health.check(told, {}) == (False, "503 the loop stands still")
    assert health.check(["image-sync", "schedule", "--listen=127.0.0.1:1"], {})[0] is False


def test_the_scheduler_is_looked_for_where_it_listens(health: ModuleType, tmp_path: Path) -> None:
    """The option counts for more than the variable, that for more than the file; without any there is nothing to ask."""
    file = tmp_path / "own.toml"
    file.write_text('listen = "127.0.0.1:3"\n')
    asked = ["image-sync", f"--config={file}", "schedule"]

    assert health.listening([*asked, "--listen=127.0.0.1:1"], {"IMAGE_SYNC_LISTEN": "127.0.0.1:2"}) == "127.0.0.1:1"
    assert health.listening(asked, {"IMAGE_SYNC_LISTEN": "127.0.0.1:2"}) == "127.0.0.1:2"
    assert health.listening(asked, {}) == "127.0.0.1:3"
    assert health.listening(["image-sync", "schedule"], {"IMAGE_SYNC_CONFIG": str(tmp_path / "none")}) is None
    assert health.check(["image-sync", "schedule"], {"IMAGE_SYNC_CONFIG": str(tmp_path / "none")})[0]

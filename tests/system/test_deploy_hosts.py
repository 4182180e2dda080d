"""The systemd units, the crontab and the image's health check fit this program and work."""

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
    """The module of the image's health check."""
    spec = importlib.util.spec_from_file_location("health", DEPLOY / "container" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def scheduler() -> Iterator[HTTPServer]:
    """A server that answers like a scheduler, with the status that the test sets."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status if self.path == "/healthz" else 404)  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(b"the loop stands still\n")

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.status = 200  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_units_are_accepted(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing wrong with the units."""
    analyze = tool("systemd-analyze", "systemd")
    for unit in UNITS:
        (tmp_path / unit).write_text((DEPLOY / "systemd" / unit).read_text().replace(PROGRAM, "/bin/true"))

    done = carried_out(analyze, "verify", *(str(tmp_path / unit) for unit in UNITS))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES)
def test_services_are_confined(unit: str) -> None:
    """`systemd-analyze security` rates the exposure of each service at 2.0 of 10 or better."""
    done = carried_out(
        tool("systemd-analyze", "systemd"),
        *("security", "--offline=true", "--threshold=20", "--no-pager", str(DEPLOY / "systemd" / unit)),
    )

    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_services_fit_this_program(unit: str) -> None:
    """Command, variables, credentials and exit codes of each service exist in this program."""
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


def test_the_command_of_cron_is_accepted() -> None:
    """The crontab runs a valid command through an existing script, with settings that exist."""
    (words,) = cron_commands()
    text = (DEPLOY / "cron" / "image-sync").read_text()

    assert (DEPLOY / "cron" / Path(words[0]).name).stat().st_mode & 0o111
    assert words[1] == "image-sync"
    understand(words[2:])
    assert set(re.findall(r"^(IMAGE_SYNC_\w+)=", text, flags=re.MULTILINE)) <= VARIABLES
    assert "%" not in text.splitlines()[-1]  # cron takes % for the end of the line


@pytest.mark.parametrize(
    ("code", "quiet", "mailed"), [(0, "", False), (3, "", False), (1, "", True), (4, "", True), (4, "0 3 4", False)]
)
def test_cron_mails_only_what_needs_attention(tmp_path: Path, code: int, quiet: str, mailed: bool) -> None:  # noqa: FBT001
    """Output is shown, and so mailed, only if the exit code asks for attention; the code is passed on."""
    script = f"echo shown; echo logged >&2; exit {code}"
    environ = {"QUIET": quiet} if quiet else {}

    result = carried_out(str(DEPLOY / "cron" / "quietly"), "sh", "-c", script, folder=tmp_path, **environ)

    assert result.returncode == code
    assert ("shown" in result.stdout and "logged" in result.stdout) is mailed
    assert bool(result.stdout) is mailed
    assert list(tmp_path.iterdir()) == []


def test_a_single_run_is_always_healthy(health: ModuleType) -> None:
    """A run has no health page, so it is healthy whatever its settings say."""
    assert health.check(["image-sync", "run"], {"IMAGE_SYNC_LISTEN": "127.0.0.1:1"})[0]


def test_the_health_page_decides(health: ModuleType, scheduler: HTTPServer) -> None:
    """A scheduler that answers 200 is healthy; another status or a closed port is not, and the line says why."""
    arguments = ["image-sync", "schedule", "--listen", f"0.0.0.0:{scheduler.server_port}"]
    assert health.check(arguments, {}) == (True, "200 the loop stands still")

    scheduler.status = 503  # type: ignore[attr-defined]

    assert health.check(arguments, {}) == (False, "503 the loop stands still")
    assert health.check(["image-sync", "schedule", "--listen=127.0.0.1:1"], {})[0] is False


def test_where_the_health_check_asks(health: ModuleType, tmp_path: Path) -> None:
    """The option takes precedence over the variable, and that over the file; without any nothing is asked."""
    file = tmp_path / "own.toml"
    file.write_text('listen = "127.0.0.1:3"\n')
    arguments = ["image-sync", f"--config={file}", "schedule"]

    assert health.listening([*arguments, "--listen=127.0.0.1:1"], {"IMAGE_SYNC_LISTEN": "127.0.0.1:2"}) == "127.0.0.1:1"
    assert health.listening(arguments, {"IMAGE_SYNC_LISTEN": "127.0.0.1:2"}) == "127.0.0.1:2"
    assert health.listening(arguments, {}) == "127.0.0.1:3"
    assert health.listening(["image-sync", "schedule"], {"IMAGE_SYNC_CONFIG": str(tmp_path / "none")}) is None
    assert health.check(["image-sync", "schedule"], {"IMAGE_SYNC_CONFIG": str(tmp_path / "none")})[0]

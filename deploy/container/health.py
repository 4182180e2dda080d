"""HEALTHCHECK of the image: ask the scheduler whether it is alive.

A one-shot run cannot be asked and is healthy for as long as it lasts; so is a scheduler that does not listen.
Exit code 0 or 1, and one line that `docker inspect` shows.
"""

from __future__ import annotations

import http.client
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMEOUT = 4.0  # seconds; less than the check's own timeout, so that the line is shown
OK = 200


def main() -> None:
    """Check process 1 of the container."""
    arguments = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").split("\0")
    healthy, line = check(arguments, os.environ)
    sys.exit(None if healthy else line)


def check(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether a process with these arguments and this environment is healthy, and why."""
    if "schedule" not in arguments:
        return True, "a one-shot run"
    address = listening(arguments, environ)
    return ask(address) if address else (True, "it does not listen; set `listen` to have it checked")


def listening(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """HOST:PORT where the scheduler listens, looked up where it looks, in the same order."""
    for number, argument in enumerate(arguments):
        if argument == "--listen":
            return arguments[number + 1]
        if argument.startswith("--listen="):
            return argument.partition("=")[2]
    if "IMAGE_SYNC_LISTEN" in environ:
        return environ["IMAGE_SYNC_LISTEN"]
    return listen_setting(settings_file(arguments, environ))


def settings_file(arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """The settings file."""
    for number, argument in enumerate(arguments):
        if argument == "--config":
            return Path(arguments[number + 1])
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2])
    return Path(environ.get("IMAGE_SYNC_CONFIG", "image-sync.toml"))


def ask(address: str) -> tuple[bool, str]:
    """Ask the scheduler; for an address that means all interfaces, ask on the loopback interface."""
    host, _, port = address.rpartition(":")
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - connected to, not listened on
    connection = http.client.HTTPConnection(loopback.get(host, host.strip("[]")), int(port), timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        line = response.read(200).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return False, f"http://{address}/healthz does not answer: {error!r}"
    finally:
        connection.close()
    return response.status == OK, f"{response.status} {line}"


def listen_setting(path: Path) -> str | None:
    """``listen`` in the settings file, if it is there."""
    try:
        value = tomllib.loads(path.read_text()).get("listen")
    except OSError:
        return None
    return value if isinstance(value, str) else None


if __name__ == "__main__":
    main()

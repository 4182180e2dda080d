"""HEALTHCHECK of the image: whether the scheduler says that it is alive.

A run that ends by itself has nothing to ask and is healthy for as long as it lasts; so is a scheduler that listens
nowhere. Exit code 0 or 1, and one line that `docker inspect` shows.
"""

from __future__ import annotations

import http.client
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 4.0  # seconds; less than the check's own timeout, so that the line is seen
OK = 200


def main() -> None:
    """Check process 1 of the container."""
    told = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").split("\0")
    healthy, line = check(told, os.environ)
    sys.exit(None if healthy else line)


def check(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether a process with these arguments and this environment is well, and why."""
    if "schedule" not in arguments:
        return True, "a run that ends by itself"
    address = listening(arguments, environ)
    return ask(address) if address else (True, "it listens nowhere; set `listen` to have it checked")


def listening(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """HOST:PORT where the scheduler listens, from the same places and in the same order as it looks."""
    for number, argument in enumerate(arguments):
        if argument == "--listen":
            return arguments[number + 1]
        if argument.startswith("--listen="):
            return argument.partition("=")[2]
    if "IMAGE_SYNC_LISTEN" in environ:
        return environ["IMAGE_SYNC_LISTEN"]
    return _of_file(settings_file(arguments, environ))


def settings_file(arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """The settings file."""
    for number, argument in enumerate(arguments):
        if argument == "--config":
            return Path(arguments[number + 1])
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2])
    return Path(environ.get("IMAGE_SYNC_CONFIG", "image-sync.toml"))


def ask(address: str) -> tuple[bool, str]:
    """Ask the scheduler; an address that means all of the machine's is asked on this one."""
    host, _, port = address.rpartition(":")
    here = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - it is read, not listened on
    connection = http.client.HTTPConnection(here.get(host, host.strip("[]")), int(port), timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        line = answer.read(200).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return False, f"http://{address}/healthz does not answer: {error!r}"
    finally:
        connection.close()
    return answer.status == OK, f"{answer.status} {line}"


def _of_file(path: Path) -> str | None:
    try:
        found = tomllib.loads(path.read_text()).get("listen")
    except OSError:
        return None
    return found if isinstance(found, str) else None


if __name__ == "__main__":
    main()

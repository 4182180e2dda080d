"""The real program as a process that can be killed at any message or request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from checkout import CHECKOUT
from machine_clouds import TOKEN, Account
from servers import environment


class Child:
    """``image-sync run`` of one source.

    Args:
        account: the source.
        url: of the database.
    """

    def __init__(self, account: Account, url: str) -> None:
        source = {"SOURCE": account.name, "ENDPOINT": account.simulator.url, "FILTER": urlencode(account.filter)}
        source |= {"API": account.api.name, "IAM_ENDPOINT": account.iam_endpoint or ""}
        options = source | {name.upper(): str(value) for name, value in account.options.items()}
        settings = {f"IMAGE_SYNC_{name}": value for name, value in options.items() if value}
        settings |= {"IMAGE_SYNC_TOKEN": TOKEN, "IMAGE_SYNC_DATABASE_URL": url, "IMAGE_SYNC_LOG_LEVEL": "debug"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sync", "run", "--format", "json"],
            cwd=CHECKOUT,
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.command = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()

    def kill(self) -> None:
        """Kill it at once, as the kernel does when memory is short."""
        os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> tuple[int, dict[str, Any], bytes]:
        """Wait until it ended; return its exit code, its result, and all its output."""
        out, err = self.process.communicate(timeout=60)
        code = self.process.returncode
        result = json.loads(out) if out and code >= 0 else {}
        return code, result[0] if isinstance(result, list) else result, out + err + self.command

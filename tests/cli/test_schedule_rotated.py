"""Secrets in files are replaced while a scheduler runs: its next runs take the new ones, without SIGHUP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from cli_tools import Job, ask, finished, until, with_password
from credential_tools import LOGIN
from psycopg import sql
from servers import Server

from sync.simulator import Keys, Simulator, World

OLD, NEW = "canary-old-0123", "canary-new-0123"
DONE = "SELECT count(*) FROM inventory.runs WHERE status = 'done'"


class Rotation:
    """A simulated cloud and a database whose secrets are in files of a folder."""

    def __init__(self, cloud: Simulator, server: Server, folder: Path, role: str) -> None:
        self.cloud, self.server, self.folder, self.role = cloud, server, folder, role
        self._url = with_password(server, role, OLD)
        self.owner = self._url.format(OLD).replace(f"{role}:{OLD}@", "owner@")
        self.job = Job(folder, self._url.format(OLD), cloud)
        del self.job.settings["IMAGE_SYNC_DATABASE_URL"], self.job.settings["IMAGE_SYNC_TOKEN"]
        self.write(OLD)
        self.use(DATABASE_URL="url")

    def use(self, **files: str) -> None:
        """Use these credentials of files."""
        self.job.settings |= {f"IMAGE_SYNC_{name}_FILE": str(self.folder / file) for name, file in files.items()}

    def write(self, secret: str) -> None:
        """Write all secrets to their files."""
        (self.folder / "url").write_text(self._url.format(secret))
        (self.folder / "access").write_text("AK")
        for name in ("token", "password", "secret"):
            (self.folder / name).write_text(f"{secret}\n")

    def rotate(self) -> None:
        """Replace all secrets, in the files and then in the cloud and the database."""
        self.write(NEW)
        self.cloud.identity.login = replace(LOGIN, password=NEW)
        self.cloud.identity.keys = Keys("AK", NEW)
        self.cloud.identity.revoke()
        self.cloud.identity.accept(NEW)
        with psycopg.connect(self.server.url(), autocommit=True) as owner:
            owner.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(self.role), sql.Literal(NEW)))

    def done(self) -> int:
        """How many runs took full effect."""
        return int(ask(self.owner, DONE)) if ask(self.owner, "SELECT to_regclass('inventory.sources')") else 0


@pytest.mark.parametrize("kind", ["token", "password", "keys"])
def test_replaced_secrets_need_no_signal(tmp_path: Path, server_newest: Server, kind: str) -> None:
    """After all secrets were replaced, runs of the same process take full effect again, and no secret is shown."""
    with Simulator(World(1, 3), token=OLD, login=replace(LOGIN, password=OLD), keys=Keys("AK", OLD)) as cloud:
        rotation = Rotation(cloud, server_newest, tmp_path, f"rotating_{kind}")
        user = {"IAM_ENDPOINT": cloud.url, "USERNAME": LOGIN.user, "DOMAIN": LOGIN.domain}
        if kind == "password":
            rotation.job.settings |= {f"IMAGE_SYNC_{name}": value for name, value in user.items()}
        kinds = {"token": {"TOKEN": "token"}, "password": {"PASSWORD": "password"}}
        rotation.use(**kinds.get(kind, {"ACCESS_KEY": "access", "SECRET_KEY": "secret"}))
        running = rotation.job.start("schedule", "--every", "1s")
        until(rotation.done)
        rotation.rotate()
        before = rotation.done()
        until(lambda: rotation.done() > before + 1)
        running.terminate()
        done = finished(running)

    assert done.code == 0
    assert "canary" not in done.out + done.err
    assert done.err.count("database address renewed") == 1
    assert "credentials renewed" in done.err

"""A real Keystone v3 (OpenStack's identity service) in a folder and an environment of its own, on loopback."""

from __future__ import annotations

import fcntl
import grp
import hashlib
import json
import os
import pwd
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from checkout import CHECKOUT
from servers import environment
from simulator_client import send

REQUIREMENTS = CHECKOUT / "requirements" / "keystone.txt"
ADMIN = "admin-p4ssword"
LIFETIME = 7_200  # seconds of a token
ATTEMPTS = 3  # wrong passwords lock a user
_SETTINGS = """
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
expiration = {lifetime}
[fernet_tokens]
key_repository = {folder}/tokens
[fernet_receipts]
key_repository = {folder}/receipts
[cache]
enabled = false
[identity]
password_hash_rounds = 4
[security_compliance]
lockout_failure_attempts = {attempts}
lockout_duration = 3600
"""
_MANAGE = "import sys; from keystone.cmd.manage import main; sys.exit(main())"
_SERVE = """
from wsgiref.simple_server import make_server
from keystone.wsgi.api import application

def mounted(environ, start):  # at / and at /identity, as clouds have it
    path = environ["PATH_INFO"]
    if path.startswith("/identity/"):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/identity", path.removeprefix("/identity")
    return application(environ, start)

with make_server("127.0.0.1", 0, mounted) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


def installed(folder: Path) -> Path:
    """The Python of an environment with Keystone, made once per list of requirements.

    Args:
        folder: where these environments are kept.
    """
    made_of = REQUIREMENTS.read_bytes() + sys.version.encode()
    place = folder / hashlib.sha256(made_of).hexdigest()[:16]
    python, done = place / "bin" / "python", place / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(place, clear=True, with_pip=True)
            pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes"]
            subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
            done.touch()
    return python


class Keystone:
    """A running Keystone with one user besides its administrator.

    Args:
        python: the Python of an environment with Keystone.
        folder: for its database and keys.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        settings = _SETTINGS.format(folder=folder, lifetime=LIFETIME, attempts=ATTEMPTS)
        (folder / "keystone.conf").write_text(settings)
        owner = (
            "--keystone-user",
            pwd.getpwuid(os.getuid()).pw_name,
            "--keystone-group",
            grp.getgrgid(os.getgid()).gr_name,
        )
        self._manage("db_sync")
        self._manage("fernet_setup", *owner)
        self._manage("receipt_setup", *owner)
        self._manage("bootstrap", "--bootstrap-password", ADMIN, "--bootstrap-public-url", "http://127.0.0.1/v3/")
        with (folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [str(python), "-W", "ignore", "-c", _SERVE],
                env=environment(OS_KEYSTONE_CONFIG_FILES=str(folder / "keystone.conf")),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        assert port, (folder / "server.log").read_text()
        self.url = f"http://127.0.0.1:{port}"
        self._token = self._admin_token()

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.communicate()

    def domain(self, name: str) -> str:
        """Make a domain, and return its id."""
        return str(self._make("domain", {"name": name})["id"])

    def project(self, name: str, domain: str) -> str:
        """Make a project in a domain, and return its id."""
        return str(self._make("project", {"name": name, "domain_id": domain})["id"])

    def user(self, name: str, password: str, domain: str, *scopes: str) -> str:
        """Make a user with the reader role in each of ``domains/ID`` or ``projects/ID``, and return its id."""
        user = str(self._make("user", {"name": name, "password": password, "domain_id": domain})["id"])
        role = self.ask("GET", "/v3/roles?name=reader")["roles"][0]["id"]
        for scope in scopes:
            self.ask("PUT", f"/v3/{scope}/users/{user}/roles/{role}")
        return user

    def give_role(self, user: str, role: str, scope: str) -> None:
        """Give a user one more role in ``domains/ID`` or ``projects/ID``."""
        role_id = self.ask("GET", f"/v3/roles?name={role}")["roles"][0]["id"]
        self.ask("PUT", f"/v3/{scope}/users/{user}/roles/{role_id}")

    def service(self, kind: str, name: str, *endpoints: tuple[str, str, str]) -> str:
        """Add a service with addresses of (interface, region, URL) to the catalog, and return its id."""
        service = str(self._make("service", {"type": kind, "name": name})["id"])
        for interface, region, url in endpoints:
            self.ask("PUT", f"/v3/regions/{region}", {"region": {}})
            self._make("endpoint", {"service_id": service, "interface": interface, "region_id": region, "url": url})
        return service

    def application_credential(self, user: str, token: str, name: str) -> tuple[str, str]:
        """Make an application credential with a token of its user, and return its id and its secret."""
        body = json.dumps({"application_credential": {"name": name}}).encode()
        headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        made = send(self.url, "POST", f"/v3/users/{user}/application_credentials", headers, body).json
        return made["application_credential"]["id"], made["application_credential"]["secret"]

    def change_password(self, user: str, password: str) -> None:
        """Set another password, which revokes all tokens of the user."""
        self.ask("PATCH", f"/v3/users/{user}", {"user": {"password": password}})

    def look_up(self, token: str) -> dict[str, Any]:
        """Keystone's data on a token; {} if the token is invalid."""
        token_data: dict[str, Any] = self.ask("GET", "/v3/auth/tokens", subject=token).get("token", {})
        return token_data

    def ask(self, method: str, target: str, body: object = None, *, subject: str = "") -> Any:
        """Send a request as the administrator."""
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/json"}
        reply = send(
            self.url,
            method,
            target,
            headers | ({"X-Subject-Token": subject} if subject else {}),
            json.dumps(body).encode() if body else None,
        )
        return reply.json if reply.body else {}

    def _make(self, kind: str, values: dict[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = self.ask("POST", f"/v3/{kind}s", {kind: values})[kind]
        return made

    def _admin_token(self) -> str:
        user = {"name": "admin", "password": ADMIN, "domain": {"id": "default"}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        headers = {"Content-Type": "application/json"}
        reply = send(self.url, "POST", "/v3/auth/tokens", headers, json.dumps({"auth": auth}).encode())
        return str(reply.headers["X-Subject-Token"])

    def _manage(self, *command: str) -> None:
        settings = ["--config-file", str(self._folder / "keystone.conf")]
        subprocess.run(
            [str(self._python), "-W", "ignore", "-c", _MANAGE, *settings, *command],
            check=True,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

"""A real Keystone v3 (OpenStack's identity service) in a folder and an environment of its own, on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openstack_install import Service, installed, owner, prepare
from simulator_client import send

__all__ = ["ADMIN", "ATTEMPTS", "LIFETIME", "REGION", "Keystone", "installed"]

ADMIN = "admin-p4ssword"
REGION = "RegionOne"  # of all services
UNKNOWN = "http://127.0.0.1/v3/"  # its address, before it is started
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
enabled = true
backend = oslo_cache.dict
[identity]
password_hash_rounds = 4
[security_compliance]
lockout_failure_attempts = {attempts}
lockout_duration = 3600
"""
_BOOTSTRAP = (
    "bootstrap",
    *("--bootstrap-password", ADMIN),
    *("--bootstrap-public-url", UNKNOWN),
    *("--bootstrap-region-id", REGION),
)


class Keystone:
    """A running Keystone with one user besides its administrator.

    Args:
        python: the Python of an environment with Keystone.
        folder: for its database and keys.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        settings = _SETTINGS.replace("{lifetime}", str(LIFETIME)).replace("{attempts}", str(ATTEMPTS))
        owned = owner("keystone")
        commands = (("db_sync",), ("fernet_setup", *owned), ("receipt_setup", *owned), _BOOTSTRAP)
        prepare(python, "keystone", folder, settings, *commands)
        variables = {"OS_KEYSTONE_CONFIG_FILES": str(folder / "keystone.conf")}
        self._service = Service(python, "keystone.wsgi.api", folder, variables)
        self.url = self._service.url
        self._token = self._admin_token()
        identity = self.ask("GET", "/v3/endpoints")["endpoints"][0]["id"]
        self.ask("PATCH", f"/v3/endpoints/{identity}", {"endpoint": {"url": f"{self.url}/v3/"}})

    def stop(self) -> None:
        """End the server."""
        self._service.stop()

    def domain(self, name: str) -> str:
        """Make a domain, and return its id."""
        return str(self._make("domain", {"name": name})["id"])

    def project(self, name: str, domain: str) -> str:
        """Make a project in a domain, and return its id."""
        return str(self._make("project", {"name": name, "domain_id": domain})["id"])

    def user(self, name: str, password: str, domain: str, *scopes: str, role: str = "reader") -> str:
        """Make a user with a role in each of ``domains/ID`` or ``projects/ID``, and return its id."""
        user = str(self._make("user", {"name": name, "password": password, "domain_id": domain})["id"])
        role_id = self.ask("GET", f"/v3/roles?name={role}")["roles"][0]["id"]
        for scope in scopes:
            self.ask("PUT", f"/v3/{scope}/users/{user}/roles/{role_id}")
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

    def token(self, name: str, password: str, domain: str, project: str) -> str:
        """A token of a user for a project, by their ids of domain and project."""
        user = {"name": name, "password": password, "domain": {"id": domain}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": project}},
        }
        return self._log_in(auth)

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
        return self._log_in({"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope})

    def _log_in(self, auth: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        reply = send(self.url, "POST", "/v3/auth/tokens", headers, json.dumps({"auth": auth}).encode())
        return str(reply.headers["X-Subject-Token"])

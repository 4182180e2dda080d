"""A real Glance (OpenStack's image service) on loopback, whose identity service is a real Keystone."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

from glance_account import GlanceAccount
from keystone_server import ADMIN, REGION, Keystone
from openstack_install import Service, prepare

PAGE_LIMIT = 100  # rows; the server cuts a higher limit without a word
DOMAIN = "default"
PASSWORD = "glance p4sswörd"
_SETTINGS = """
[DEFAULT]
log_file = {folder}/glance.log
worker_self_reference_url = http://127.0.0.1
enabled_backends = files:file
enabled_import_methods = []
api_limit_max = {limit}
show_image_direct_url = true
show_multiple_locations = true
[database]
connection = sqlite:///{folder}/glance.db
sqlite_synchronous = false
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[paste_deploy]
flavor = keystone
config_file = {environment}/etc/glance/glance-api-paste.ini
"""
_IDENTITY = """
[keystone_authtoken]
www_authenticate_uri = {url}
auth_type = password
auth_url = {url}
interface = public
username = admin
password = {password}
project_name = admin
user_domain_id = default
project_domain_id = default
"""


class Glance:
    """A running Glance that is in the catalogue of its Keystone.

    Its settings are the defaults but for the highest number of rows per page, and for telling where image data is:
    ``locations`` and ``direct_url``, which many clouds do.

    Args:
        python: the Python of an environment with both services.
        folder: for its database and data.
        keystone: its identity service.

    Attributes:
        keystone: its identity service.
        url: its address.
        admin: the administrator's account.
    """

    def __init__(self, python: Path, folder: Path, keystone: Keystone) -> None:
        self.keystone, self._folder = keystone, folder
        settings = _SETTINGS.replace("{limit}", str(PAGE_LIMIT)).replace("{environment}", str(python.parents[1]))
        prepare(python, "glance", folder, settings, ("db_sync",))
        for name in ("images", "staging", "tasks"):
            (folder / name).mkdir(exist_ok=True)
        with (folder / "glance-api.conf").open("w") as complete:
            complete.write((folder / "glance.conf").read_text())
            complete.write(_IDENTITY.format(url=keystone.url, password=ADMIN))
        self._service = Service(python, "glance.wsgi.api", folder, {"OS_GLANCE_CONFIG_DIR": str(folder)})
        self.url = self._service.url
        # Of the other interface, which clients outside of a cloud can't reach, the address leads nowhere.
        keystone.service("image", "glance", ("public", REGION, self.url), ("internal", REGION, "http://127.0.0.1:9"))
        self._names = (f"project-{number}" for number in itertools.count(1))
        self._accounts: list[GlanceAccount] = []
        self.admin = self.account(role="admin")

    def stop(self) -> None:
        """End the server."""
        for account in self._accounts:
            account.close()
        self._service.stop()

    def account(self, project: str = "", role: str = "member") -> GlanceAccount:
        """Make a user with a role in a project, by its id, or in a new one."""
        name = next(self._names)
        project = project or self.keystone.project(name, DOMAIN)
        self.keystone.user(name, PASSWORD, DOMAIN, f"projects/{project}", role=role)
        token = self.keystone.token(name, PASSWORD, DOMAIN, project)
        account = GlanceAccount(self.url, token, project, name, PASSWORD)
        self._accounts.append(account)
        return account

    def stored(self, project: str) -> set[str]:
        """The ids of the images that a project owns, hidden ones too, as the database of Glance has them."""
        query = "SELECT id FROM images WHERE owner = ? AND NOT deleted"
        with closing(sqlite3.connect(f"file:{self._folder}/glance.db?mode=ro", uri=True)) as database:
            return {row[0] for row in database.execute(query, (project,))}

"""The actions of one project's user on images, over the API of Glance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

PATIENCE = 60  # seconds; only a failing test waits this long
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_OCTETS = {"Content-Type": "application/octet-stream"}
_ROWS = 1000  # more than the server gives


class GlanceAccount:
    """A user of a project, with a token for it.

    Each method but ``ask`` must succeed.

    Args:
        url: address of Glance.
        token: a token for the project.
        project: id of the project.
        name: name of the user.
        password: their password.

    Attributes:
        token: a token for the project.
        project: id of the project.
        name: name of the user.
        password: their password.
    """

    def __init__(self, url: str, token: str, project: str, name: str, password: str) -> None:
        self.token, self.project, self.name, self.password = token, project, name, password
        headers = {"X-Auth-Token": token}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, target: str, **query: str | int) -> httpx.Response:
        """GET a path, whatever the answer."""
        return self._client.get(target, params=query or None)

    def page(self, **query: str | int) -> list[dict[str, Any]]:
        """The images of one page of the list."""
        images: list[dict[str, Any]] = self.ask("/v2/images", **query).raise_for_status().json()["images"]
        return images

    def show(self, image: str) -> dict[str, Any]:
        """One image, by its id."""
        shown: dict[str, Any] = self.ask(f"/v2/images/{image}").raise_for_status().json()
        return shown

    def truth(self, **query: str) -> dict[str, dict[str, Any]]:
        """All images that the project sees, hidden ones too, by id; nothing may change meanwhile.

        Args:
            query: more parameters of the list, such as ``visibility="all"``.
        """
        return {
            image["id"]: image for hidden in ("false", "true") for image in self.list_all(os_hidden=hidden, **query)
        }

    def list_all(self, **query: str) -> list[dict[str, Any]]:
        """All images of a list, sorted by id; read page by page, until a page is empty."""
        images: list[dict[str, Any]] = []
        start: dict[str, str] = {}
        while page := self.page(sort="id:asc", limit=_ROWS, **query, **start):
            images += page
            start = {"marker": page[-1]["id"]}
        return images

    def create(self, **values: object) -> str:
        """Create an image, which waits for its data, and return its id.

        Args:
            values: its fields and properties, such as ``id``, ``name``, ``tags``, ``visibility`` or ``os_hidden``.
        """
        made = self._change("POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare", **values})
        return str(made.json()["id"])

    def create_many(self, count: int, **values: object) -> list[str]:
        """Create images, a dozen milliseconds each, and return their ids."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda number: self.create(**{"name": f"image {number}", **values}), range(count)))

    def upload(self, image: str, data: bytes = b"data") -> None:
        """Upload the data of an image, which becomes active."""
        self._change("PUT", f"/v2/images/{image}/file", content=data, headers=_OCTETS)

    def set(self, image: str, **values: object) -> None:
        """Add or change fields and properties of an image."""
        changes = [{"op": "add", "path": f"/{name}", "value": value} for name, value in values.items()]
        self._change("PATCH", f"/v2/images/{image}", json=changes, headers=_PATCH)

    def remove(self, image: str, *names: str) -> None:
        """Remove properties of an image."""
        changes = [{"op": "remove", "path": f"/{name}"} for name in names]
        self._change("PATCH", f"/v2/images/{image}", json=changes, headers=_PATCH)

    def hide(self, image: str, *, hidden: bool = True) -> None:
        """Hide an image, or show it again."""
        self.set(image, os_hidden=hidden)

    def publicize(self, image: str) -> None:
        """Let all projects see an image; only an administrator may."""
        self.set(image, visibility="public")

    def deactivate(self, image: str) -> None:
        """Deactivate an image, so that nobody can download its data."""
        self._change("POST", f"/v2/images/{image}/actions/deactivate")

    def reactivate(self, image: str) -> None:
        """Undo ``deactivate``."""
        self._change("POST", f"/v2/images/{image}/actions/reactivate")

    def share(self, image: str, project: str) -> None:
        """Offer an image, whose visibility is ``shared``, to another project."""
        self._change("POST", f"/v2/images/{image}/members", json={"member": project})

    def accept(self, image: str, status: str = "accepted") -> None:
        """Accept an image that another project offers, or answer with another status."""
        self._change("PUT", f"/v2/images/{image}/members/{self.project}", json={"status": status})

    def unshare(self, image: str, project: str) -> None:
        """Take an image back from another project."""
        self._change("DELETE", f"/v2/images/{image}/members/{project}")

    def delete(self, image: str) -> None:
        """Delete an image."""
        self._change("DELETE", f"/v2/images/{image}")

    def _change(self, method: str, target: str, **request: Any) -> httpx.Response:
        response = self._client.request(method, target, **request)
        assert response.is_success, f"{method} {target}: {response.status_code} {response.text}"
        return response

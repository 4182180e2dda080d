"""How an API of images behaves: what differs from one to the next, beside the images themselves."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import ClassVar

from sync.domain.apis import Api
from sync.errors import UsageError
from sync.simulator.answers import Answer, Members, Request
from sync.simulator.entry import Entry
from sync.simulator.listing import Page, Query, Sorter
from sync.simulator.viewer import Viewer
from sync.simulator.world import World

Pairs = Sequence[tuple[str, str]]
LOST_MARKERS = ("refuse", "restart", "continue")
"""The possible answers to a marker whose image is gone."""


class RefusedError(Exception):
    """The API refuses a request.

    Attributes:
        status: the HTTP status.
        code: the API's code of the error, if it has codes.
        message: its text.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Behaviour(ABC):
    """How an API behaves.

    Attributes:
        api: its declaration.
        options: those of the arguments that it has.
        request_id_header: the header in which an answer has the id of its request.
        lost_marker: what becomes of a page after an image that is gone.
        enterprise_project: whether requests must name an enterprise project.

    Args:
        lost_marker: refuse, restart (at the first page) or continue (where the image was); None for the API's own way.
        enterprise_project: refuse requests that name no enterprise project, as for users who are authorized by it.

    Raises:
        UsageError: the API has no such option.
    """

    api: ClassVar[Api]
    options: ClassVar[frozenset[str]] = frozenset()
    request_id_header: ClassVar[str] = "X-Request-Id"

    def __init__(self, *, lost_marker: str | None = None, enterprise_project: bool = False) -> None:
        given = {"lost_marker": lost_marker is not None, "enterprise_project": enterprise_project}
        if unknown := [name for name, set_ in given.items() if set_ and name not in self.options]:
            raise UsageError(f"{self.api.title} has no option {', '.join(unknown)}.")
        if lost_marker not in {None, *LOST_MARKERS}:
            raise UsageError(f"A lost marker can be: {', '.join(LOST_MARKERS)}.")
        self.lost_marker = lost_marker or LOST_MARKERS[0]
        self.enterprise_project = enterprise_project

    @abstractmethod
    def read(self, pairs: Pairs, world: World, viewer: Viewer | None) -> Query:
        """The query of these parameters.

        Raises:
            RefusedError: the API would refuse them.
        """

    @abstractmethod
    def matching(self, world: World, query: Query) -> Iterable[Entry]:
        """The images that match a query, in any order."""

    @abstractmethod
    def members(self, page: Page, images: bytes, request: Request) -> Members:
        """The members of an answer with this page, whose images are already JSON."""

    @classmethod
    @abstractmethod
    def error(cls, status: int, request: Request, message: str = "", code: str = "") -> Answer:
        """An error, in the form that this API gives it; without text and code the usual ones."""

    def unauthorized(self, flaw: str, request: Request) -> Answer:
        """The answer to wrong credentials."""
        return self.error(401, request, f"Incorrect IAM authentication information: {flaw}")

    def sees(self, entry: Entry, viewer: Viewer | None) -> bool:  # noqa: ARG002 - only for those with an image_path
        """Whether the image can be asked for by itself."""
        return True

    def missing(self, image_id: str, request: Request) -> Answer:
        """The answer for an image that is not there."""
        return self.error(404, request, f"No image found with ID {image_id}")

    def other(self, request: Request) -> Answer:
        """The answer to any request that is not for images."""
        return self.error(404, request)

    def sorter(self, key: str) -> Sorter:
        """Return the function that gives the value of an image by which this key sorts."""
        if key == "created_at":
            return attrgetter("created")
        if key == "id":
            return lambda entry: entry.id or ""
        return lambda entry: _comparable(entry.document.get(key))

    def request_id(self) -> str:
        """An id for a request."""
        return secrets.token_hex(16)


def _comparable(value: object) -> tuple[int, str]:
    """Numbers by their size, texts by their letters, nothing before both."""
    return (value, "") if isinstance(value, int) else (-1 if value is None else 0, "" if value is None else str(value))


def number(name: str, text: str, low: int, high: int, code: str = "") -> int:
    """The number in a parameter.

    Raises:
        RefusedError: it is none, or not within these bounds.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**31)) and low <= int(text) <= high):
        raise RefusedError(400, f"The parameter {name} must be a whole number from {low} to {high}.", code)
    return int(text)


def choice(name: str, text: str, choices: Iterable[str], code: str = "") -> str:
    """The value of a parameter that takes one of a few.

    Raises:
        RefusedError: it is none of them.
    """
    if text not in choices:
        raise RefusedError(400, f"The parameter {name} must be one of {', '.join(choices)}.", code)
    return text

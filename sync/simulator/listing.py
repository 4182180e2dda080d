"""``GET /v1/images``: reads the 20 query parameters, then filters, sorts and takes out the page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from operator import itemgetter
from random import Random

from sync.domain.apis import IEC
from sync.domain.fields import Kind
from sync.errors import UsageError
from sync.simulator.catalog import Document
from sync.simulator.entry import Entry
from sync.simulator.world import World

_CACHED = 16  # orders that are kept, all of the same revision
PAGE_LIMIT = IEC.limit
_CHOICES = {parameter.name: parameter.choices for parameter in IEC.parameters}


@dataclass(frozen=True, slots=True)
class Query:
    """A request for images; those whose ids are ``hidden`` are left out as if they did not exist."""

    filters: tuple[tuple[str, str], ...] = ()
    limit: int = PAGE_LIMIT
    offset: int = 0
    sort_key: str = "created_at"
    descending: bool = True
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its images, and the number of all images that match."""

    entries: Sequence[Entry]
    total: int


def read_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """The query of these parameters; ignores those that the API does not have, as it does itself.

    Raises:
        UsageError: the API would refuse limit, offset, sort_key or sort_dir.
    """
    parameters = dict(pairs)
    return Query(
        filters=tuple(sorted((name, value) for name, value in parameters.items() if name in IEC.filters)),
        limit=_number("limit", parameters.get("limit", str(PAGE_LIMIT)), 1, PAGE_LIMIT),
        offset=_number("offset", parameters.get("offset", "0"), 0, 2**31 - 1),
        sort_key=_choice("sort_key", parameters.get("sort_key", "created_at")),
        descending=_choice("sort_dir", parameters.get("sort_dir", "desc")) == "desc",
    )


class Listing:
    """Pages of a world's images.

    Args:
        world: the images.
        page_cap: most images in an answer, whatever ``limit`` says; None for the API's own 500.
        unstable_ties: images with the same sort key come in a new order in every answer.
    """

    def __init__(self, world: World, *, page_cap: int | None = None, unstable_ties: bool = False) -> None:
        self.page_cap = page_cap
        self.unstable_ties = unstable_ties
        self._world = world
        self._orders: dict[Query, _Order] = {}
        self._revision = -1
        self._rng = Random(1)  # noqa: S311 - an order, not a secret

    def page(self, query: Query) -> Page:
        """The page of this query, as of now. Hold the world's lock."""
        order = self._order(query)
        start, end = query.offset, query.offset + min(query.limit, self.page_cap or query.limit)
        page = order.shuffled(start, end, self._rng) if self.unstable_ties else order.entries[start:end]
        return Page(page, len(order.entries))

    def _order(self, query: Query) -> _Order:
        if self._revision != self._world.revision or len(self._orders) >= _CACHED:
            self._orders.clear()
            self._revision = self._world.revision
        whole = replace(query, limit=PAGE_LIMIT, offset=0)
        if whole not in self._orders:
            self._orders[whole] = _Order(_matching(self._world, whole), whole)
        return self._orders[whole]


class _Order:
    """All matching images in the order of the query, and the groups of those with the same sort key."""

    def __init__(self, matching: Iterable[Entry], query: Query) -> None:
        keyed = [(_sort_key(entry, query.sort_key), entry) for entry in matching]
        keyed.sort(key=itemgetter(0), reverse=query.descending)
        self.entries = [entry for _, entry in keyed]
        self._keys = [key for key, _ in keyed]

    @cached_property
    def _groups(self) -> list[int]:
        """For each image the number of its group, counted along the order."""
        changes = (int(after != before) for before, after in pairwise(self._keys))
        return list(accumulate(changes, initial=0))

    def shuffled(self, start: int, end: int, rng: Random) -> Sequence[Entry]:
        """The page, after images with the same sort key changed places, also across the edges of the page."""
        first, last = self._group(start)[0], self._group(min(end, len(self.entries)) - 1)[1]
        rows, position = list(self.entries[first:last]), first
        while position < last:
            _, after = self._group(position)
            tied = rows[position - first : after - first]
            rng.shuffle(tied)
            rows[position - first : after - first] = tied
            position = after
        return rows[start - first : end - first]

    def _group(self, position: int) -> tuple[int, int]:
        if not 0 <= position < len(self.entries):
            return position, position
        group = self._groups[position]
        return bisect_left(self._groups, group), bisect_right(self._groups, group)


def _matching(world: World, query: Query) -> Iterator[Entry]:
    filters = dict(query.filters)
    identity = filters.pop("id", None)
    deleted = filters.get("status") == "deleted"
    entries = world.entries(deleted=deleted) if identity is None or deleted else world.with_id(identity)
    for entry in entries:
        if identity in {None, entry.id} and entry.id not in query.hidden and _fits(entry, filters):
            yield entry


def _fits(entry: Entry, filters: dict[str, str]) -> bool:
    document = entry.document if filters else {}  # parsing takes long
    return all(_has(document, name, value) for name, value in filters.items())


def _has(document: Document, name: str, value: str) -> bool:
    if name == "__isregistered" and document.get("visibility") == "public":
        return True  # "without effect on public images", says the document
    held = document.get(name)
    text = str(held).lower() if isinstance(held, bool) else held
    if IEC.by_name[name].kind is Kind.FLAG and value == "false":
        return text in {"false", None}  # a flag that is false is mostly left out
    return text == value


def _sort_key(entry: Entry, name: str) -> tuple[int, str]:
    return (entry.created, "") if name == "created_at" else (0, str(entry.document.get(name, "")))


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**31)) and low <= int(text) <= high):
        raise UsageError(f"The parameter {name} must be a whole number from {low} to {high}.")
    return int(text)


def _choice(name: str, text: str) -> str:
    if text not in _CHOICES[name]:
        raise UsageError(f"The parameter {name} must be one of {', '.join(_CHOICES[name])}.")
    return text

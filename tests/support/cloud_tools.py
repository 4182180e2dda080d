"""Tools for tests of reading: a reader of a cloud, and an inventory that is synced from a cloud."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import psycopg
import pytest
from effects import Effect
from psycopg.rows import dict_row

from sync import runner, wiring
from sync.cloud.auth.credential import GivenToken
from sync.cloud.client import Client
from sync.cloud.image_list import ImageList
from sync.cloud.retry import RetryPolicy
from sync.domain.answer import Answer
from sync.domain.apis import IEC
from sync.domain.apis.api import Api
from sync.domain.outcome import Outcome
from sync.domain.run import Confirmation, Reading, RequestStats
from sync.errors import ImageSyncError
from sync.settings import Source, Token
from sync.settings.secret import Secret
from sync.simulator import Simulator
from sync.simulator.answers import Request
from sync.store.connection import Target
from sync.store.runs.database import Database

E = TypeVar("E", bound=ImageSyncError)
TOKEN = "canary-token"
LONG = 3600.0  # seconds; longer than any test, so that this limit ends nothing
_names = itertools.count(1)
TABLES = (
    "images",
    "image_versions",
    "held_deletions",
    "quarantine",
    "findings",
    "missing_images",
    "sources",
    "run_pages",
)


@dataclass
class Reader:
    """Reads the list of a cloud without a database, within one retry policy.

    Attributes:
        url: the endpoint.
        token: the value of ``X-Auth-Token``.
        rows: the ids in all answers, in the order of the answers.
        ticks: the reported progress.
    """

    url: str
    token: str = TOKEN
    filter: str = ""
    seconds: float = LONG
    max_gap_requests: int = 500
    max_retries: int = 20
    timeout: float = LONG
    max_response_bytes: int = 64 << 20
    concurrency: int = 4
    max_images: int = 5_000_000
    api: Api = IEC
    starts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        self.stats = RequestStats()
        self.rows: list[str] = []
        self.ticks: list[tuple[int, int | None]] = []

    @classmethod
    def of(cls, cloud: Simulator, **changes: Any) -> Reader:
        """A reader of a simulated cloud."""
        return cls(cloud.url, cloud.token, **changes)

    @contextmanager
    def images(self) -> Iterator[ImageList]:
        """The list, while the block lasts."""
        policy = RetryPolicy(self.seconds, self.max_retries, self.stop)
        policy.stats = self.stats  # of all requests of this reader
        client = Client(
            self.url,
            GivenToken(Secret(self.token)),
            policy,
            self.api,
            timeout=self.timeout,
            max_response_bytes=self.max_response_bytes,
        )
        with client:
            yield ImageList(
                client,
                self.filter,
                concurrency=self.concurrency,
                max_images=self.max_images,
                max_gap_requests=self.max_gap_requests,
                progress=lambda done, total: self.ticks.append((done, total)),
            )

    def read(self) -> Reading:
        """Read the whole list once."""
        with self.images() as images:
            return images.read(self.take, 1, self.starts)

    def ask(self, ids: Sequence[str]) -> Confirmation:
        """Ask for each image by its id."""
        with self.images() as images:
            return images.ask(ids, self.take)

    def fails(self, kind: type[E]) -> E:
        """Read a list that cannot be read, and return the error."""
        with pytest.raises(kind) as caught:
            self.read()
        assert type(caught.value) is kind
        return caught.value

    def take(self, answer: Answer) -> None:
        """Keep the ids of an answer."""
        self.rows += [row.id for row in answer.rows]


class Inventory:
    """The inventory of one simulated cloud: its own source in a database that tests may share.

    Args:
        target: the database.
        cloud: the cloud.
        options: settings of the source that differ from the defaults.
    """

    def __init__(self, target: Target, cloud: Simulator, **options: Any) -> None:
        self._target, self.stop = target, threading.Event()
        name = f"edge-{next(_names)}"
        self._mine = f"source = '{name}'"
        self.source = Source(
            name=name,
            endpoint=cloud.url,
            credentials=Token(token=Secret(cloud.token)),
            **({"deadline": LONG, "timeout": LONG, "grace": 0.0} | options),
        )

    def run(self, **changes: Any) -> Outcome:
        """Sync once, with changed settings if given."""
        with Database(self._target) as store, wiring.parts(replace(self.source, **changes), store, self.stop) as parts:
            outcome = runner.sync(parts, "command")
        _check_sums(outcome)
        record = self.last_run()
        assert (record["status"], record["reason"]) == (outcome.status.value, outcome.reason)
        return outcome

    def fails(self, kind: type[E], **changes: Any) -> E:
        """Sync, which must fail with this error, be recorded with its reason, and change no other table."""
        before = self.dump()
        with pytest.raises(kind) as caught:
            self.run(**changes)
        record = self.last_run()

        assert type(caught.value) is kind
        assert self.dump() == before
        assert record["run"] == caught.value.run
        assert record["status"] in ("failed", "interrupted")
        assert (record["reason"], record["error"]) == (str(caught.value), kind.__name__)
        assert record["finished_at"] is not None
        assert record["effective_at"] is None
        return caught.value

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table except ``runs``; sources count from their first committed run."""
        query = "SELECT to_jsonb(t)::text AS row FROM inventory.{} t {} ORDER BY 1"
        return {
            table: self.all(query.format(table, "WHERE epoch > 0" if table == "sources" else "")) for table in TABLES
        }

    def live(self) -> set[str]:
        """The ids of the live images."""
        return {row["id"] for row in self.images("id") if not row["gone"]}

    def deleted(self) -> set[str]:
        """The ids of the deleted images."""
        return {row["id"] for row in self.images("id") if row["gone"]}

    def images(self, columns: str) -> list[dict[str, Any]]:
        """These columns of all its images, and whether each is deleted."""
        return self.all(f"SELECT {columns}, deleted_at IS NOT NULL AS gone FROM inventory.images WHERE {self._mine}")

    def versions(self, columns: str) -> list[dict[str, Any]]:
        """These columns of all earlier versions of its images."""
        return self.all(f"SELECT {columns} FROM inventory.image_versions WHERE {self._mine}")

    def last_run(self) -> dict[str, Any]:
        """The record of the last run."""
        return self.all(f"SELECT * FROM inventory.runs WHERE {self._mine} ORDER BY run DESC LIMIT 1")[0]

    def all(self, query: str) -> list[dict[str, Any]]:
        """The rows that a query returns."""
        with psycopg.connect(self._target.url, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


def names(query: str) -> bool:
    """Whether a request asks for one image by its id."""
    return "id" in dict(parse_qsl(query))


def gap(ids: Sequence[str]) -> Effect:
    """The list omits these ids, but the images answer by id."""
    unseen = frozenset(ids)
    return Effect("gap", ask=lambda query: query if _by_id(query) else replace(query, hidden=unseen))


def filter_ignored() -> Effect:
    """The cloud ignores the filter ``id`` and answers with the first page of all images."""
    return Effect("filter ignored", ask=lambda query: replace(query, filters=()) if _by_id(query) else query)


def only_by_id(effect: Effect) -> Effect:
    """The same effect, only on requests for one id."""
    return replace(
        effect, answer=lambda answer, request: effect.answer(answer, request) if names(request.query) else answer
    )


def questions(cloud: Simulator, since: int = 0) -> tuple[int, int]:
    """How many requests for pages, and for single ids, the cloud has answered."""
    by_id = [names(str(event.detail["query"])) for event in cloud.journal.answers(since)]
    return by_id.count(False), by_id.count(True)


def before_answer(cloud: Simulator, nth: int, act: Callable[[], object]) -> None:
    """Call this before the nth request about images from now is answered."""
    seen = 0

    def hook(_: Request) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            act()

    cloud.faults.before_answer = hook


def _by_id(query: Any) -> bool:
    return any(name == "id" for name, _ in query.filters)


def _check_sums(outcome: Outcome) -> None:
    """Check that the counts of a run add up: every received record is of exactly one kind."""
    plan = outcome.plan
    kinds = plan.created + plan.updated + plan.restored + outcome.unchanged + outcome.duplicates + outcome.quarantined
    assert outcome.received == kinds

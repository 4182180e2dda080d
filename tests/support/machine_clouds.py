"""A simulated cloud account for the state machine, and a record of what it showed while a run was reading it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from builders import canonical

from sync import settings
from sync.domain.apis import IEC
from sync.domain.fields import Kind
from sync.settings.secret import Secret
from sync.simulator import Simulator, World
from sync.simulator.catalog import Document, stamp
from sync.simulator.images import IecCatalog
from sync.simulator.journal import Event

TOKEN = "canary-token-8d1f"
PASSWORD = "canary-password-71c0"
SECRETS = (TOKEN, PASSWORD)
MAX_SINGLE_CONFIRMS = (200, 2)
_FIXED = ("id", "created_at", "updated_at", "deleted", "deleted_at", "status", "visibility")
_OFTEN = 0.3
PRIVATE = (("visibility", "private"),)


@dataclass(frozen=True)
class Shown:
    """One image as the cloud shows it at one moment.

    Attributes:
        id: its id, or None if it is unreadable.
        text: its content, equal for documents with the same meaning.
        dead: the cloud lists it as deleted.
        readable: whether it can be stored as an image.
        private: whether it is in the one filter of the state machine.
    """

    id: str | None
    text: str
    dead: bool
    readable: bool
    private: bool


State = Mapping[str | None, Sequence[Shown]]
"""What a cloud shows at one moment, by id; under None what bears no id."""


def content(document: Mapping[str, Any]) -> str:
    """The content of an image, equal for documents with the same meaning."""
    return json.dumps(canonical(document), default=lambda moment: moment.astimezone(UTC).isoformat(), sort_keys=True)


@lru_cache(maxsize=5_000)
def _shown(body: bytes) -> Shown:
    document = json.loads(body)
    if not isinstance(document, dict):
        return Shown(None, "", dead=False, readable=False, private=False)
    name = document.get("id")
    return Shown(
        id=name,
        text=content(document),
        dead=document.get("deleted") is True or document.get("status") == "deleted",
        readable=isinstance(name, str) and "\\u0000" not in body.decode(),
        private=document.get("visibility") == "private",
    )


def _query(answer: Event) -> str:
    return str(answer.detail["query"])


@dataclass
class Watch:
    """What a cloud showed from one moment on.

    Attributes:
        states: what it showed at each moment at which that may have changed.
        first: number of the last earlier event in the cloud's journal.
        account: whose cloud it is.
        midway: what is done just before the requests of these numbers are answered.
    """

    account: Account
    midway: Mapping[int, Callable[[], object]]
    first: int
    states: list[State]
    questions: int = 0

    @property
    def still(self) -> bool:
        """Whether nothing changed."""
        return all(state == self.states[0] for state in self.states)

    def throughout(self) -> set[str]:
        """The ids that were listed the whole time without a gap, by the cloud's own journal."""
        journal = self.account.world.journal
        return journal.present_throughout(self.first, journal.seq)

    def listed(self) -> set[str]:
        """The ids in the last reading of the list."""
        answers = [each for each in self.account.world.journal.answers(self.first) if "limit=" in _query(each)]
        orders = [_query(each).partition("sort_dir=")[2] for each in answers]
        # A page that closes a gap may begin the list, too; but each reading of several pages asks for its end once.
        ends = [n for n, order in enumerate(orders) if order.startswith("desc")]
        starts = [n for n, order in enumerate(orders) if order.startswith("asc") and order.endswith("offset=0")]
        start = max((n for n in starts if not ends or n < ends[-1]), default=0)
        return {name for each in answers[start:] for name in each.ids}

    def ever_listed(self) -> set[str]:
        """The ids in any answer of any reading."""
        answers = self.account.world.journal.answers(self.first)
        return {name for each in answers if "limit=" in _query(each) for name in each.ids}

    def asked_in_vain(self) -> set[str]:
        """The ids that were asked for by id and not found."""
        answers = self.account.world.journal.answers(self.first)
        questions = [_query(each) for each in answers if each.detail["status"] == 200 and not each.ids]
        return {query.removeprefix("id=") for query in questions if query.startswith("id=")}


@dataclass
class Account:
    """One source of the machine: its cloud and its settings.

    Attributes:
        name: of the source.
        options: its settings, except name, endpoint, credentials and filter.
        filter: its filter.
        put: keys of the records that were added one by one.
    """

    name: str
    simulator: Simulator
    options: dict[str, Any]
    filter: tuple[tuple[str, str], ...] = ()
    put: list[str] = field(default_factory=list)
    _watches: list[Watch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = Random(self.name)
        self._catalog = IecCatalog(self._rng)

    @property
    def world(self) -> World:
        """Its images."""
        return self.simulator.world

    @property
    def watching(self) -> int:
        """How many runs are reading it now."""
        return len(self._watches)

    @property
    def asks_by_name(self) -> bool:
        """Whether every missing image is asked for by id, however many there are."""
        return bool(self.settings().max_single_confirms == max(MAX_SINGLE_CONFIRMS))

    def settings(self) -> settings.Source:
        """Its settings."""
        token = settings.Token(token=Secret(TOKEN))
        return settings.Source(
            name=self.name,
            endpoint=self.simulator.url,
            credentials=token,
            filter=self.filter,
            **({"grace": 0.0} | self.options),
        )

    def shows(self) -> State:
        """What it shows now."""
        by_id: dict[str | None, list[Shown]] = {}
        with self.world.lock:
            for entry in self.world.entries():
                shown = _shown(entry.body)
                by_id.setdefault(shown.id, []).append(shown)
        return by_id

    @contextmanager
    def watched(self, midway: Mapping[int, Callable[[], object]]) -> Iterator[Watch]:
        """Record what it shows while a run reads it, and remove all faults at the end."""
        watch = Watch(self, midway, self.world.journal.seq, [self.shows()])
        self._watches.append(watch)
        self.simulator.faults.before_answer = lambda _request: self._heed_question(watch)
        try:
            yield watch
        finally:
            self.simulator.faults.clear()
            self.look()
            self._watches.remove(watch)

    def look(self) -> None:
        """Record what it shows now."""
        for watch in self._watches:
            watch.states.append(self.shows())

    def _heed_question(self, watch: Watch) -> None:
        watch.questions += 1
        if change := watch.midway.get(watch.questions):
            change()
            self.look()

    def tie(self, count: int) -> None:
        """Create images with the creation time of one that exists."""
        moments = [entry.created for entry in self.world.entries() if entry.created > 0]
        created = datetime(2026, 1, 1, tzinfo=UTC)
        if moments:
            created = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._rng.choice(moments))
        for _ in range(count):
            self._put(self._document(created))

    def spoil(self, kind: str, *, known: bool) -> None:
        """Add a record that cannot be stored, under the id of a valid image or a new one."""
        document = self._some() if known else None
        document = dict(document or self._document(self.world.now))
        if kind == "no object":
            self._put(b"[1, 2]")
            return
        if kind == "no id":
            del document["id"]
        else:
            document["name"] = "a\0b"
        self._put(document)

    def contradict(self, *, newer: bool) -> None:
        """Add a second record with the id of a valid image and other content."""
        document = self._some()
        if document is not None:
            later = datetime.fromisoformat(str(document["updated_at"])) + timedelta(hours=1)
            again: Document = {"name": f"other {self._rng.random()}"}
            self._put(document | again | ({"updated_at": stamp(later)} if newer else {}), twice=True)

    def edit(self, count: int) -> None:
        """Change one field of some images without changing ``updated_at``."""
        for document in filter(None, (self._some() for _ in range(count))):
            field = self._rng.choice([each for each in IEC.fields if each.api not in _FIXED])
            value = document.get(field.api)
            others: dict[Kind, object] = {
                Kind.TEXT: f"{value} too",
                Kind.INTEGER: len(str(value)) + self._rng.randrange(1000),
                Kind.BOOLEAN: not value,
                Kind.FLAG: "false" if value == "true" else "true",
            }
            self._put(document | {field.api: others[field.kind]})
            if self._rng.random() < _OFTEN:
                self._put(document | {"x_new": {"depth": [self._rng.randrange(1000)]}})

    def bury(self) -> None:
        """Let the cloud list a live image as deleted."""
        document = self._some()
        if document is not None:
            self._put(document | {"status": "deleted", "deleted": True, "deleted_at": stamp(self.world.now)})

    def take_back(self, count: int) -> None:
        """Remove some of the records that were added."""
        for _ in range(min(count, len(self.put))):
            self.world.remove(self.put.pop(self._rng.randrange(len(self.put))))

    def _some(self) -> Document | None:
        good = [shown.id for shows in self.shows().values() for shown in shows if shown.readable and not shown.dead]
        return dict(self.world.truth()[str(self._rng.choice(good))]) if good else None

    def _document(self, created: datetime) -> Document:
        return self._catalog.image(created, until=max(created, self.world.now)) | {"x_new": {"depth": [1, 2.5]}}

    def _put(self, image: Document | bytes, *, twice: bool = False) -> None:
        self.put.append(self.world.put(image, twice=twice))


CHANGES: dict[str, Callable[[Account, int], object]] = {
    "create": lambda account, count: account.world.create(count),
    "change": lambda account, count: account.world.change(count),
    "delete": lambda account, count: account.world.delete(count),
    "restore": lambda account, count: account.world.restore(count),
    "swap": lambda account, count: (account.world.delete(count), account.world.create(count)),
    "tie": lambda account, count: account.tie(count),
    "edit": lambda account, count: account.edit(count),
    "bury": lambda account, _count: account.bury(),
    "contradict": lambda account, count: account.contradict(newer=count % 2 == 0),
    "spoil": lambda account, count: account.spoil(("no id", "NUL", "no object")[count % 3], known=count % 2 == 0),
    "take back": lambda account, count: account.take_back(count),
    "take all back": lambda account, _count: account.take_back(len(account.put)),
}
"""What may happen at any moment, also between two answers."""

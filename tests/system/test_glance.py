"""The job against a real Glance, whose images change while it reads."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from builders import canonical
from glance_account import GlanceAccount
from glance_server import PASSWORD, Glance
from invariants import check
from psycopg.rows import dict_row
from servers import Server

from sync import settings
from sync.domain.apis import GLANCE
from sync.domain.image import to_json
from sync.domain.outcome import Outcome
from sync.errors import ImageSyncError, ScopeChangedError
from sync.runner import SourceRunner
from sync.settings.secret import Secret
from sync.signals import Stop
from sync.store.approvals import accept_scope
from sync.store.connection import Target

pytest_plugins = ["openstack_fixtures"]

_names = itertools.count(1)


class Synced:
    """The inventory of what one account of a Glance sees.

    Args:
        glance: the server.
        account: whose token reads.
        target: the database.
        options: settings of the source that differ from the defaults.
    """

    def __init__(self, glance: Glance, account: GlanceAccount, target: Target, **options: Any) -> None:
        self.glance, self.account, self.target = glance, account, target
        login = settings.Password(
            iam_endpoint=glance.keystone.url,
            username=account.name,
            password=Secret(PASSWORD),
            domain_id="default",
            project_id=account.project,
        )
        self.source = settings.Source(
            name=f"glance-{next(_names)}",
            api="glance",
            credentials=login,
            **({"grace": 0.0, "max_deletions": 10**6, "max_daily_deletions": 10**6} | options),
        )
        self.between: Callable[[], object] = lambda: None

    def run(self) -> Outcome:
        """Sync once; ``between`` happens after each answer of the list."""
        runner = SourceRunner(self.target, Stop(), "command", progress=lambda _source: self._changes)
        result = runner.run(self.source)
        if result.error:
            raise result.error
        assert result.outcome is not None
        return result.outcome

    def fails(self, kind: type[ImageSyncError]) -> str:
        """Sync, which must fail; the reason."""
        with pytest.raises(kind) as caught:
            self.run()
        return str(caught.value)

    def rows(self, where: str = "true") -> dict[str, dict[str, Any]]:
        """Its images, by id."""
        query = f"SELECT * FROM inventory.images WHERE source = %s AND {where}"
        with psycopg.connect(self.target.url) as connection:
            rows = connection.cursor(row_factory=dict_row).execute(query.encode(), [self.source.name]).fetchall()
            assert check(connection) == []
        return {row["id"]: row for row in rows}

    def live(self) -> dict[str, dict[str, Any]]:
        """Its live images, by id, as the JSON that came."""
        rows = self.rows("deleted_at IS NULL AND invisible_since IS NULL")
        return {name: canonical(to_json(row, row["extra"], GLANCE)) for name, row in rows.items()}

    def truth(self) -> dict[str, dict[str, Any]]:
        """The images that Glance itself lists for the account, without the fields that are never stored."""
        images = self.account.truth().values()
        left_out = GLANCE.never_stored
        return {
            image["id"]: canonical(
                {name: value for name, value in image.items() if name not in left_out} | {"tags": sorted(image["tags"])}
            )
            for image in images
        }

    def _changes(self, _done: int, _total: int | None) -> None:
        self.between()


@pytest.fixture
def target(server: Server) -> Target:
    """An empty inventory."""
    return Target(server.migrated())


@pytest.fixture
def synced(glance: Glance, account: GlanceAccount, target: Target) -> Synced:
    """The inventory of a new project."""
    return Synced(glance, account, target)


def test_tables_equal_what_glance_says(synced: Synced) -> None:
    """After each kind of change through Glance's own API, the tables are what Glance lists, and nothing is lost."""
    account = synced.account
    ids = account.create_many(120, tags=["b", "a"], os_distro="ubuntu", os_version="22.04")
    first = synced.run()
    assert (first.plan.created, first.proven) == (120, True)
    assert synced.live() == synced.truth()

    account.upload(ids[0])
    account.hide(ids[1])
    account.set(ids[2], name="renamed", os_distro="debian")
    account.remove(ids[3], "os_version")
    account.set(ids[4], tags=["a", "b"])
    account.delete(ids[5])
    account.upload(ids[6])
    account.deactivate(ids[6])
    second = synced.run()

    assert (second.plan.updated, second.plan.deleted, second.proven) == (6, 1, True)
    assert synced.live() == synced.truth()
    assert set(synced.rows("deleted_at IS NOT NULL")) == {ids[5]}
    assert synced.rows()[ids[1]]["hidden"] is True
    assert synced.rows()[ids[6]]["status"] == "deactivated"
    assert "locations" not in repr(synced.rows()[ids[0]])
    assert "file:///" not in repr(synced.rows()[ids[0]])

    third = synced.run()
    assert (third.plan.changes, third.unchanged) == (0, 119)


def test_an_unshared_image_is_no_longer_visible(glance: Glance, synced: Synced, account: GlanceAccount) -> None:
    """An image of another project that is taken back is no longer visible, and never called deleted."""
    account.create_many(3)
    other = glance.account()
    shared = other.create(name="shared", visibility="shared")
    other.share(shared, account.project)
    account.accept(shared)
    assert synced.run().plan.created == 4
    assert synced.live()[shared]["owner"] == other.project

    other.unshare(shared, account.project)
    gone = synced.run()
    assert (gone.plan.deleted, gone.plan.invisible) == (0, 1)
    row = synced.rows()[shared]
    assert (row["deleted_at"], row["invisible_since"]) == (None, gone.effective_at)
    assert shared not in synced.live()
    assert glance.stored(other.project) == {shared}

    other.share(shared, account.project)
    account.accept(shared)
    assert synced.run().plan.restored == 1
    assert synced.live() == synced.truth()
    assert synced.rows()[shared]["invisible_since"] is None


def test_an_administrator_sees_what_is_deleted_anywhere(glance: Glance, target: Target) -> None:
    """The list of an administrator holds the images of all projects, and one that is not found is deleted."""
    other = glance.account()
    image, _standing = other.create(name="theirs", visibility="private"), other.create()
    synced = Synced(glance, glance.admin, target)
    synced.run()
    assert synced.live()[image]["owner"] == other.project

    other.delete(image)
    assert synced.run().plan.deleted == 1
    assert set(synced.rows("deleted_at IS NOT NULL")) == {image}


def test_images_that_only_left_an_administrators_list_are_not_deleted(
    glance: Glance, account: GlanceAccount, target: Target
) -> None:
    """Other projects' images that become community images are in no usual list; a second list still has them."""
    account.create(visibility="private")
    images = account.create_many(20, visibility="private")  # more than an answer each: then a second list is read
    synced = Synced(glance, glance.admin, target, max_single_confirms=0)
    synced.run()
    for image in images:
        account.set(image, visibility="community")

    assert synced.run().still_there == len(images)
    assert set(images) <= set(synced.rows("deleted_at IS NULL"))


def test_a_token_of_another_scope_is_refused(glance: Glance, synced: Synced, account: GlanceAccount) -> None:
    """A login that changed its project or roles is refused before anything is read, until that is accepted."""
    account.create_many(2)
    synced.run()
    before = synced.rows()
    other = glance.account()
    other.create_many(2)
    own = synced.source.credentials
    changed = replace(own, username=other.name, project_id=other.project)  # type: ignore[type-var]
    synced.source = replace(synced.source, credentials=changed)

    reason = synced.fails(ScopeChangedError)
    assert other.project in reason
    assert f"image-sync sources accept-scope {synced.source.name}" in reason
    assert synced.rows() == before

    accept_scope(synced.target, synced.source.name)
    accepted = synced.run()
    assert (accepted.plan.created, accepted.plan.deleted, accepted.plan.invisible) == (2, 0, 2)


class Storm:
    """Creates, deletes and hides images of a project, and knows which are there.

    Args:
        account: whose images change.
        rng: decides what happens.
        size: images at the start, and about as many later.
        events: how many changes there are at a time, at most.
    """

    def __init__(self, account: GlanceAccount, rng: Random, size: int, events: int = 2) -> None:
        self._account, self._rng, self._events = account, rng, events
        self.present = set(account.create_many(size))
        self._hidden: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Let something happen; as many images come as go."""
        with self._lock:
            for _ in range(self._rng.randrange(1, self._events + 1)):
                self.present.add(self._account.create(id=str(uuid4()), name="new"))
                gone = self._rng.choice(sorted(self.present))
                self._account.delete(gone)
                self.present.remove(gone)
            if self._rng.random() < 0.2:
                self._move(self._rng.choice(sorted(self.present)))

    def _move(self, image: str) -> None:
        """Hide an image, once in its life, so that it moves at most once in a run."""
        if image not in self._hidden:
            self._account.hide(image)
            self._hidden.add(image)


def storms(synced: Synced, storm: Storm, runs: int) -> Iterator[tuple[Outcome, set[str], set[str]]]:
    """Run again and again, with changes between any two answers; the outcome, and what was there before and after."""
    synced.between = storm
    for _ in range(runs):
        before = set(storm.present)
        outcome = synced.run()
        yield outcome, before, set(storm.present)


def check_storms(synced: Synced, storm: Storm, runs: int) -> float:
    """Check that no run calls an image deleted that is there; the share of runs that were proven."""
    proven = 0
    for outcome, before, after in storms(synced, storm, runs):
        with closing(psycopg.connect(synced.target.url)) as connection:
            query = "SELECT id, deleted_at IS NULL AND invisible_since IS NULL FROM inventory.images WHERE source = %s"
            live = dict(connection.execute(query, [synced.source.name]).fetchall())
        stayed = before & after
        assert {name for name in stayed if not live.get(name, False)} == set(), outcome
        proven += outcome.proven
    synced.between = lambda: None
    synced.run()
    assert synced.live() == synced.truth()
    assert set(synced.live()) == synced.glance.stored(synced.account.project)
    return proven / runs


def test_no_image_is_called_deleted_while_others_come_and_go(synced: Synced) -> None:
    """Images that were there during all of a run are live after it, and every list is proven."""
    assert check_storms(synced, Storm(synced.account, Random(1), 120), 4) == 1


@pytest.mark.long
def test_two_hundred_runs_while_images_come_and_go(synced: Synced) -> None:
    """Of 200 runs over 300 images, with changes between any two answers, more than 99 % are proven, and none is wrong."""
    share = check_storms(synced, Storm(synced.account, Random(2), 300), 200)

    assert share > 0.99

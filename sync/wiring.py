"""Puts the parts of a run together from the settings: nothing is decided here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sync import logs, settings
from sync.domain.fields import BY_API, FILTERS
from sync.domain.guard import Limits
from sync.domain.run import RequestStats, Source
from sync.embedded import default_folder, embedded
from sync.store.connection import Target

if TYPE_CHECKING:
    from sync.cloud.image_list import ImageList
    from sync.domain.notices import Notice
    from sync.notices.webhook import Webhook
    from sync.store.runs.database import Database
    from sync.store.runs.spool import FileSpool

Progress = Callable[[int, int | None], None]
Notify = Callable[[int | None], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What ``job.run_sync`` needs for one source."""

    source: Source
    cloud: ImageList
    store: Database
    spool: FileSpool


def load(environ: Mapping[str, str], file: Path | None = None, *, with_sources: bool = True) -> settings.Settings:
    """Read the settings, and have the logs mask every secret among them.

    Args:
        environ: the environment.
        file: the settings file, if one was named.
        with_sources: read the sources, too; who only asks the database needs no credentials of a cloud.

    Raises:
        SettingsError: names every mistake.
    """
    filters = {name: parameter.choices for name, parameter in FILTERS.items()}
    loaded = settings.load(environ, file=file, filters=filters, fields=BY_API, with_sources=with_sources)
    for secret in loaded.secrets():
        logs.protect(secret)
    return loaded


@contextmanager
def database(loaded: settings.Settings, environ: Mapping[str, str]) -> Iterator[Target]:
    """The database of the settings, or the job's own, running for as long as the block lasts.

    Raises:
        EmbeddedError: the job's own can't run here.
    """
    if given := given_target(loaded):
        yield given
        return
    with embedded(own_folder(loaded, environ)) as server:
        yield replace(_target(loaded, server.url), before=server.ensure)


def given_target(loaded: settings.Settings) -> Target | None:
    """The database that the settings name; None where the job has its own."""
    return _target(loaded, loaded.database_url.reveal()) if loaded.database_url is not None else None


def own_folder(loaded: settings.Settings, environ: Mapping[str, str]) -> Path:
    """Where the job's own PostgreSQL keeps its data.

    Raises:
        EmbeddedError: there is no place for it.
    """
    return loaded.data_folder or default_folder(environ)


@contextmanager
def notifier(loaded: settings.Settings, target: Target, stop: threading.Event) -> Iterator[Notify]:
    """What to call with the number of each run that is over, so that people are told of it; no run waits for that."""
    if loaded.notice_url is None or not loaded.notice_on:
        yield lambda _run: None
        return
    from sync.notices.outbox import Outbox  # noqa: PLC0415 - only where notices are wanted

    outbox = Outbox(lambda run: notices(loaded, target, run), webhook(loaded.notice_url, loaded))
    try:
        yield outbox
    finally:
        outbox.close(stop)


def notices(loaded: settings.Settings, target: Target, run: int) -> list[Notice]:
    """What there is to tell of a run that is over."""
    from sync.notices.decision import notices_of  # noqa: PLC0415 - only where notices are wanted
    from sync.store.queries.notices import facts_of  # noqa: PLC0415

    facts = facts_of(target, run, loaded.notice_on)
    return notices_of(facts, loaded.notice_on, loaded.notify_after_failures) if facts else []


def webhook(url: settings.Secret, loaded: settings.Settings) -> Webhook:
    """The receiver of notices."""
    from sync.notices.webhook import Webhook  # noqa: PLC0415 - with the HTTP library

    secret = loaded.notice_secret.reveal() if loaded.notice_secret else None
    return Webhook(url.reveal(), secret, loaded.notice_style)


@contextmanager
def parts(
    given: settings.Source, store: Database, stop: threading.Event, progress: Progress | None = None
) -> Iterator[Parts]:
    """The parts for one run of one source."""
    # Imported here, so that commands that read no cloud start without the HTTP library.
    from sync.cloud.retry import RetryPolicy  # noqa: PLC0415
    from sync.cloud.session import open_session  # noqa: PLC0415
    from sync.store.runs.spool import FileSpool  # noqa: PLC0415

    stats, spool = RequestStats(), FileSpool()
    policy = RetryPolicy(given.deadline, given.max_retries, stats, stop)
    store.over = policy.over
    with open_session(given, policy, stats, progress) as session:
        try:
            yield Parts(source_of(given), session.images, store, spool)
        finally:
            spool.close()


def source_of(given: settings.Source) -> Source:
    """The source as the rules see it: without its secrets."""
    return Source(
        name=given.name,
        endpoint=given.endpoint,
        filter=given.filter_query,
        limits=Limits(
            given.max_deletions,
            given.max_deletions_percent,
            given.max_daily_deletions,
            given.max_daily_deletions_percent,
        ),
        max_read_attempts=given.max_read_attempts,
        max_single_confirms=given.max_single_confirms,
        grace=given.grace,
        ignore=given.ignore_fields,
        deadline=given.deadline,
        max_images=given.max_images,
        max_growth=given.max_growth,
    )


def _target(loaded: settings.Settings, url: str) -> Target:
    return Target(
        url,
        connect_timeout=max(1, round(loaded.connect_timeout)),
        lock_timeout=loaded.lock_timeout,
        statement_timeout=loaded.statement_timeout,
    )

"""Builds the parts of a run from the settings; it decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sync import logs, settings
from sync.certificates import check_certificates
from sync.domain.apis import APIS, Api
from sync.domain.guard import Limits
from sync.domain.run import Progress, Source
from sync.embedded import default_folder, embedded
from sync.proxies import proxy_for
from sync.settings.addresses import is_plain_elsewhere
from sync.store.connection import Target

if TYPE_CHECKING:
    from sync.cloud.image_list import ImageList
    from sync.domain.notices import Notice
    from sync.notices.webhook import RereadWebhook
    from sync.store.runs.database import Database
    from sync.store.runs.spool import FileSpool

Notify = Callable[[int | None], None]
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that ``job.run_sync`` needs for one source."""

    source: Source
    cloud: ImageList
    store: Database
    spool: FileSpool


def load(environ: Mapping[str, str], file: Path | None = None, *, with_sources: bool = True) -> settings.Settings:
    """Read the settings, and have the logs mask every secret among them.

    Args:
        environ: the environment.
        file: the settings file, if one was named.
        with_sources: read the sources, too; commands that only query the database need no credentials of a cloud.

    Raises:
        SettingsError: names every mistake.
    """
    apis = {name: support_of(api) for name, api in APIS.items()}
    loaded = settings.load(environ, file=file, apis=apis, with_sources=with_sources)
    for secret in loaded.secrets():
        logs.protect(secret)
    return loaded


def support_of(api: Api) -> settings.ApiSupport:
    """Return the settings that a source of this API may have."""
    return settings.ApiSupport(
        filters=api.filters,
        fields=api.by_name,
        reserved=[parameter.name for parameter in api.parameters if not parameter.filter],
        user_defined=api.user_defined_fields,
        in_catalog=bool(api.service_types),
        project_scoped=api.project_scoped,
        signed=api.signed,
    )


def check_environment(loaded: settings.Settings) -> None:
    """Check that the sources can be reached with the proxies and certificates that the environment names.

    Raises:
        EnvironmentVariableError: one of them cannot be used.
    """
    for url in dict.fromkeys(url for source in loaded.sources for url in source.addresses):
        if url.startswith("https:"):
            proxy_for(url)
            check_certificates()


@contextmanager
def database(loaded: settings.Settings, environ: Mapping[str, str]) -> Iterator[Target]:
    """The database of the settings, or the job's own, running for as long as the block lasts.

    Raises:
        EmbeddedError: the job's own can't run here.
    """
    if target := named_target(loaded):
        yield target
        return
    with embedded(own_folder(loaded, environ)) as server:
        yield replace(_target(loaded, server.url), before=server.ensure)


def named_target(loaded: settings.Settings) -> Target | None:
    """The database that the settings name; None where the job has its own."""
    url = loaded.database_url
    return replace(_target(loaded, url.reveal()), secret=url) if url is not None else None


def own_folder(loaded: settings.Settings, environ: Mapping[str, str]) -> Path:
    """Where the job's own PostgreSQL keeps its data.

    Raises:
        EmbeddedError: there is no place for it.
    """
    return loaded.data_folder or default_folder(environ)


@contextmanager
def notifier(loaded: settings.Settings, target: Target, stop: threading.Event) -> Iterator[Notify]:
    """A callback that takes the number of each run that ended, and sends its notices; no run waits for it."""
    if loaded.notice_url is None or not loaded.notice_on:
        yield lambda _run: None
        return
    from sync.notices.outbox import Outbox

    outbox = Outbox(lambda run: notices(loaded, target, run), webhook(loaded.notice_url, loaded))
    try:
        yield outbox
    finally:
        outbox.close(stop)


def notices(loaded: settings.Settings, target: Target, run: int) -> list[Notice]:
    """The notices about a run that ended."""
    from sync.notices.decision import notices_of
    from sync.store.queries.notices import facts_of

    facts = facts_of(target, run, loaded.notice_on)
    return notices_of(facts, loaded.notice_on, loaded.notify_after_failures) if facts else []


def webhook(url: settings.Secret, loaded: settings.Settings) -> RereadWebhook:
    """The receiver of notices."""
    from sync.notices.errors import ReceiverRefusesError
    from sync.notices.webhook import RereadWebhook, Webhook

    def current() -> Webhook:
        if is_plain_elsewhere(url.reveal()) and not loaded.notice_allow_http:  # its file may have been replaced
            raise ReceiverRefusesError("the new address would send notices over plain http; see notice_allow_http")
        secret = loaded.notice_secret.reveal() if loaded.notice_secret else None
        return Webhook(url.reveal(), secret, loaded.notice_style)

    return RereadWebhook(current, lambda reason: read_again(loaded, ("notice_url", "notice_secret"), reason))


def read_again(loaded: settings.Settings, names: Sequence[str], reason: str) -> bool:
    """Read the files of secrets again that were refused, all of them, as they belong together; logs mask new values.

    Args:
        loaded: the settings, whose secrets take the new values.
        names: the settings' names.
        reason: why they were refused.

    Returns:
        Whether a file holds another value by now; the same one is never sent again.
    """
    changed = [name for name in names if (secret := getattr(loaded, name)) is not None and secret.read_again()]
    for value in loaded.secrets():
        logs.protect(value)
    if changed:
        _log.warning("secrets renewed", settings=changed, reason=reason)
    return bool(changed)


@contextmanager
def parts(
    source: settings.Source, store: Database, stop: threading.Event, progress: Progress | None = None
) -> Iterator[Parts]:
    """The parts for one run of one source."""
    # Imported here, so that commands that read no cloud start without the HTTP library.
    from sync.cloud.retry import RetryPolicy
    from sync.cloud.session import open_session
    from sync.store.runs.spool import FileSpool

    spool = FileSpool()
    policy = RetryPolicy(source.deadline, source.max_retries, stop)
    store.over = policy.over
    with open_session(source, policy, progress) as session:
        try:
            yield Parts(source_of(source, session.client.endpoint), session.images, store, spool)
        finally:
            spool.close()


def source_of(source: settings.Source, endpoint: str = "") -> Source:
    """The source as a run knows it, without its secrets.

    Args:
        source: its settings.
        endpoint: where it is read, if that is known; else the settings' endpoint, or where the catalog is.
    """
    known = endpoint or source.endpoint or f"catalog of {', '.join(source.addresses)}"
    return Source(
        name=source.name,
        endpoint=known,
        filter=source.filter_query,
        api=APIS[source.api],
        limits=Limits(
            source.max_deletions,
            source.max_deletions_percent,
            source.max_daily_deletions,
            source.max_daily_deletions_percent,
        ),
        max_gap_requests=source.max_gap_requests,
        max_single_confirms=source.max_single_confirms,
        grace=source.grace,
        ignore=source.ignore_fields,
        deadline=source.deadline,
        max_images=source.max_images,
        max_growth=source.max_growth,
    )


def _target(loaded: settings.Settings, url: str) -> Target:
    return Target(
        url,
        connect_timeout=max(1, round(loaded.connect_timeout)),
        lock_timeout=loaded.lock_timeout,
        statement_timeout=loaded.statement_timeout,
    )

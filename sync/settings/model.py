"""The settings: each option is defined here once, with its type, rule, meaning and default.

Names in the environment and in TOML, and the page ``docs/settings.md``, are derived from these classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlencode

from sync.errors import SettingsError, UnknownError
from sync.settings import addresses, rules
from sync.settings.addresses import passwords_in, tokens_in
from sync.settings.logins import KINDS, Credentials
from sync.settings.options import PREFIX, Option, option, options, settings_class
from sync.settings.rules import choice, duration, percent, size, whole
from sync.settings.secret import Secret

CONFIG = "IMAGE_SYNC_CONFIG"
FILE_NAME = "image-sync.toml"
DEFAULT_API = "iec"
# All but the last are sent by default.
NOTICES = ("held", "failures", "unproven", "unconfirmed", "exposure", "quarantined", "daily")


@settings_class
class Source:
    """One cloud account and endpoint with one fixed filter; times in seconds."""

    name: str = option(
        rules.name(), "name of the source, stored with each of its rows", default="default", env="IMAGE_SYNC_SOURCE"
    )
    api: str = option(
        rules.word(),
        "API that the images are read from: iec, ims or glance; see below",
        default=DEFAULT_API,
        example="glance",
    )
    endpoint: str | None = option(
        addresses.endpoint(),
        "address of the image API; ims and glance can take it from the identity service's catalog",
        default=None,
        example="https://iecs.myhuaweicloud.com",
    )
    region: str | None = option(
        rules.line(), "region of the image API, if the service catalog has several", default=None, example="RegionOne"
    )
    interface: str = option(
        choice("public", "internal", "admin"),
        "which address of the image API is taken from the catalog",
        default="public",
    )
    credentials: Credentials
    filter: tuple[tuple[str, str], ...] = option(
        rules.query(),
        "sync only the images that match; each api has its filters, see below; accept a change with `image-sync "
        "sources accept-filter`",
        default=(),
    )
    concurrency: int = option(whole(1, 32, "pages"), "pages read at the same time", default=4)
    max_gap_requests: int = option(
        whole(0, 10**6, "requests"),
        "requests that one reading may make to close gaps, as left by changes or by many images with one created_at",
        default=500,
    )
    timeout: float = option(duration(0.1, 600), "longest silence while reading a response", default=30.0)
    deadline: float = option(duration(1, 86400), "longest duration of a run", default=900.0)
    max_retries: int = option(whole(0, 1000, "requests"), "how many requests a run may repeat", default=20)
    max_response_bytes: int = option(size(2**10, 2**30), "largest response that is read", default=16 * 2**20)
    max_images: int = option(whole(1, 10**9, "images"), "longest list that is accepted", default=5_000_000)
    max_growth: int = option(
        whole(1, 10**6, "times"), "a list over 10,000 images may be at most this many times the inventory", default=100
    )
    max_deletions: int = option(
        whole(0, 10**9, "images"),
        "a run's deletions are held if they exceed both this and max_deletions_percent",
        default=10,
    )
    max_deletions_percent: float = option(
        percent(),
        "a run's deletions are held if they exceed both max_deletions and this share of the live images",
        default=20.0,
    )
    max_daily_deletions: int = option(
        whole(0, 10**9, "images"), "like max_deletions, for the deletions of 24 hours", default=10
    )
    max_daily_deletions_percent: float = option(
        percent(), "like max_deletions_percent, for the deletions of 24 hours", default=20.0
    )
    max_single_confirms: int = option(
        whole(0, 10**6, "images"),
        "missing images are looked up one by one; above this many, the list is read again if that is cheaper",
        default=200,
    )
    grace: float = option(
        duration(0, 86400),
        "a missing image is kept this long after it was first listed or returned, as replicas of the cloud may lag",
        default=300.0,
    )
    ignore_fields: tuple[str, ...] = option(
        rules.names(), "API fields whose changes alone create no new version", default=(), example="updated_at"
    )
    allow_http: bool = option(
        rules.boolean(), "allow credentials to be sent over plain http to other machines", default=False
    )
    schedule: str | None = option(
        rules.schedule(),
        "when `image-sync schedule` syncs the source: an interval, or a cron expression in UTC",
        default=None,
        example="0 6 * * mon-fri",
    )
    schedule_jitter: float = option(
        duration(0, 86400), "random delay of up to this long, so that sources do not all begin at once", default=0.0
    )

    @property
    def filter_query(self) -> str:
        """The filter as a canonical query string; "" is everything."""
        return urlencode(sorted(self.filter))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that are set, of the image API and of the identity service."""
        return tuple(filter(None, (self.endpoint, getattr(self.credentials, "iam_endpoint", None))))


@settings_class
class Settings:
    """All settings; times in seconds.

    Attributes:
        file: the settings file that was read, or None.
        warnings: sentences for whoever runs the job, without secrets.
    """

    database_url: Secret | None = option(
        addresses.database_url(),
        "the database; without it the job starts its own PostgreSQL",
        default=None,
        example="postgresql://image_sync@db.example.org/inventory",
    )
    data_folder: Path | None = option(rules.path(), "where the job's own PostgreSQL keeps its data", default=None)
    checks_disabled: tuple[str, ...] = option(
        rules.names(), "checks to leave out", default=(), example="same-name,no-firmware"
    )
    check_thresholds: tuple[tuple[str, str, int], ...] = option(
        rules.thresholds(), "thresholds of checks that differ from the defaults", default=(), example="old.days=365"
    )
    check_folder: Path | None = option(
        rules.path(), "folder with checks of your own, as .sql files; see checks.md", default=None
    )
    end_of_life_file: Path | None = option(
        rules.path(),
        "CSV file with the end-of-life dates of operating systems, instead of the built-in one",
        default=None,
    )
    log_level: str = option(choice("debug", "info", "warning", "error"), "lowest level that is logged", default="info")
    log_format: str = option(
        choice("auto", "text", "json"),
        "text is human-readable, json is for programs; auto: text on a terminal, else json",
        default="auto",
    )
    keep_history: float | None = option(
        duration(86400, 86400 * 36500), "how much history `image-sync prune` keeps", default=None, example="2y"
    )
    notice_url: Secret | None = option(
        addresses.webhook_url(), "webhook that receives notices; see notices.md", default=None
    )
    notice_secret: Secret | None = option(
        rules.signing_secret(), "key that signs what is sent to notice_url", default=None
    )
    notice_style: str = option(
        choice("json", "slack"), "json: for programs, one notice per request; slack: text for a chat", default="json"
    )
    notice_on: tuple[str, ...] = option(
        rules.some_of(*NOTICES),
        "kinds of notices that are sent to notice_url",
        default=NOTICES[:-1],
        example="held,exposure,daily",
    )
    notify_after_failures: int = option(
        whole(1, 100, "runs"), "notify after this many consecutive failed runs of a source", default=3
    )
    notice_allow_http: bool = option(
        rules.boolean(), "allow notices to be sent over plain http to other machines", default=False
    )
    listen: str | None = option(
        addresses.listen(),
        "where `image-sync schedule` serves /healthz, /readyz and /metrics",
        default=None,
        example="127.0.0.1:9808",
    )
    metrics_file: Path | None = option(
        rules.path(),
        "file for node_exporter's textfile collector, replaced after each run",
        default=None,
        example="/var/lib/node_exporter/image-sync.prom",
    )
    metrics_push: Secret | None = option(
        addresses.gateway(), "Prometheus pushgateway that metrics are pushed to after each run", default=None
    )
    jobs: int = option(whole(1, 64, "sources"), "sources synced at the same time", default=4)
    lock_timeout: float = option(duration(0.01, 3600), "longest wait for a lock in the database", default=10.0)
    statement_timeout: float = option(duration(0.1, 86400), "longest duration of one database statement", default=300.0)
    connect_timeout: float = option(duration(1, 600), "longest wait for a connection to the database", default=10.0)
    sources: tuple[Source, ...] = ()
    file: Path | None = None
    warnings: tuple[str, ...] = ()

    def choose(self, names: Iterable[str] = ()) -> tuple[Source, ...]:
        """The sources of these names, or all of them.

        Raises:
            SettingsError: no source is set.
            UnknownError: a name is not among them.
        """
        known = {source.name: source for source in self.sources}
        if not known:
            raise SettingsError([f"no source is set: give {PREFIX}ENDPOINT and credentials, or [[sources]] in a file"])
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                raise UnknownError(f"there is no source {name!r}{hint}; there are {', '.join(known)}")
        return tuple(dict.fromkeys(known[name] for name in names)) or self.sources

    def secrets(self) -> Iterator[str]:
        """Every secret value, so that logs can mask them."""
        if self.database_url is not None:
            yield self.database_url.reveal()
            yield from passwords_in(self.database_url.reveal())
        if self.notice_url is not None:
            yield self.notice_url.reveal()
            yield from tokens_in(self.notice_url.reveal())
        if self.metrics_push is not None:
            yield from passwords_in(self.metrics_push.reveal())
        if self.notice_secret is not None:
            yield self.notice_secret.reveal()
            yield self.notice_secret.reveal().removeprefix(rules.KEY_PREFIX)
        for source in self.sources:
            values = (getattr(source.credentials, field.name) for field in fields(source.credentials))
            yield from (value.reveal() for value in values if isinstance(value, Secret))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the closest known word, or ""."""
    closest = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {closest[0]}?)" if closest else ""


GENERAL: tuple[Option, ...] = options(Settings)
OF_CREDENTIALS: tuple[Option, ...] = tuple(option for kind in KINDS for option in options(kind))
OF_SOURCE: tuple[Option, ...] = options(Source)
PER_SOURCE: tuple[Option, ...] = OF_SOURCE + OF_CREDENTIALS

"""The settings: each option stands here once, with its type, rule, meaning and default.

Names in the environment and in TOML, and the page ``docs/settings.md``, are derived from these classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from sync.errors import SettingsError, UnknownError
from sync.settings import addresses, rules
from sync.settings.addresses import passwords_in, tokens_in
from sync.settings.options import PREFIX, Option, OptionSpec, options
from sync.settings.rules import choice, duration, percent, size, whole
from sync.settings.secret import Secret

CONFIG = "IMAGE_SYNC_CONFIG"
FILE_NAME = "image-sync.toml"
NOTICES = (
    "held",
    "failures",
    "unproven",
    "unconfirmed",
    "exposure",
    "quarantined",
    "daily",
)  # told unless it is said: all but the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A ready token of the cloud; someone else renews it."""

    token: Annotated[
        Secret, OptionSpec(rules.header_secret(), "token for the header X-Auth-Token; someone else renews it")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A user of the cloud's identity service (IAM); the job fetches its tokens itself."""

    iam_endpoint: Annotated[
        str,
        OptionSpec(addresses.endpoint(), "address of the identity service", example="https://iam.myhuaweicloud.com"),
    ]
    username: Annotated[str, OptionSpec(rules.line(), "name of the user", example="inventory-reader")]
    password: Annotated[Secret, OptionSpec(rules.line_secret(), "password of the user")]
    domain: Annotated[
        str, OptionSpec(rules.line(), "name of the account (IAM domain) of the user", example="my-account")
    ]
    project: Annotated[
        str | None, OptionSpec(rules.line(), "name of the project to ask for; without it the scope is the domain")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An access key pair; every request is signed."""

    access_key: Annotated[Secret, OptionSpec(rules.header_secret(), "access key id (AK)", vendor="HUAWEICLOUD_SDK_AK")]
    secret_key: Annotated[
        Secret, OptionSpec(rules.header_secret(), "secret access key (SK)", vendor="HUAWEICLOUD_SDK_SK")
    ]
    security_token: Annotated[
        Secret | None,
        OptionSpec(rules.header_secret(), "token of a temporary key pair", vendor="HUAWEICLOUD_SDK_SECURITY_TOKEN"),
    ] = None
    domain_id: Annotated[
        str | None,
        OptionSpec(rules.line(), "id of the account; global services ask for it", vendor="HUAWEICLOUD_SDK_DOMAIN_ID"),
    ] = None


Credentials = Token | Password | Keys
KINDS: tuple[type[Token] | type[Password] | type[Keys], ...] = (Token, Password, Keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One cloud account and endpoint with one fixed filter; times in seconds."""

    name: Annotated[str, OptionSpec(rules.name(), "name of the source; rows carry it", env="IMAGE_SYNC_SOURCE")] = (
        "default"
    )
    endpoint: Annotated[
        str, OptionSpec(addresses.endpoint(), "address of the image API", example="https://iecs.myhuaweicloud.com")
    ]
    credentials: Credentials
    filter: Annotated[
        tuple[tuple[str, str], ...],
        OptionSpec(rules.query(), "only images that match; accept a change with `sources accept-filter`"),
    ] = ()
    concurrency: Annotated[int, OptionSpec(whole(1, 32, "pages"), "pages read at the same time")] = 4
    max_read_attempts: Annotated[
        int, OptionSpec(whole(1, 10, "attempts"), "times that a run reads the list to prove it")
    ] = 3
    timeout: Annotated[float, OptionSpec(duration(0.1, 600), "longest silence while reading a response")] = 30.0
    deadline: Annotated[float, OptionSpec(duration(1, 86400), "longest time of one run")] = 900.0
    max_retries: Annotated[int, OptionSpec(whole(0, 1000, "requests"), "requests of one run that may be repeated")] = 20
    max_response_bytes: Annotated[int, OptionSpec(size(2**10, 2**30), "largest answer that is read")] = 16 * 2**20
    max_images: Annotated[int, OptionSpec(whole(1, 10**9, "images"), "longest list that is believed")] = 5_000_000
    max_growth: Annotated[
        int,
        OptionSpec(whole(1, 10**6, "times"), "a list over 10,000 images may be at most this many times the inventory"),
    ] = 100
    max_deletions: Annotated[
        int,
        OptionSpec(
            whole(0, 10**9, "images"),
            "deletions of a run are held if they are more than this, and more than max_deletions_percent",
        ),
    ] = 10
    max_deletions_percent: Annotated[
        float, OptionSpec(percent(), "share of the live images that a run may delete unasked")
    ] = 20.0
    max_daily_deletions: Annotated[
        int, OptionSpec(whole(0, 10**9, "images"), "as max_deletions, for the deletions of 24 hours")
    ] = 10
    max_daily_deletions_percent: Annotated[
        float, OptionSpec(percent(), "as max_deletions_percent, for the deletions of 24 hours")
    ] = 20.0
    max_single_confirms: Annotated[
        int,
        OptionSpec(
            whole(0, 10**6, "images"),
            "missing images asked for one by one; of more, the list is read again if that is cheaper",
        ),
    ] = 200
    grace: Annotated[
        float,
        OptionSpec(
            duration(0, 86400),
            "an image is not believed gone before it was listed for this long, as replicas of the cloud may lag",
        ),
    ] = 300.0
    ignore_fields: Annotated[
        tuple[str, ...],
        OptionSpec(rules.names(), "API fields whose change alone makes no new version", example="updated_at"),
    ] = ()
    allow_http: Annotated[bool, OptionSpec(rules.truth(), "send credentials over plain http to other machines")] = False
    schedule: Annotated[
        str | None,
        OptionSpec(
            rules.turns(),
            "when `schedule` syncs it: an interval, or a cron expression in UTC",
            example="0 6 * * mon-fri",
        ),
    ] = None
    schedule_jitter: Annotated[
        float, OptionSpec(duration(0, 86400), "random delay up to this, so that not all sources begin at once")
    ] = 0.0

    @property
    def filter_query(self) -> str:
        """The filter as a canonical query string; "" is everything."""
        return urlencode(sorted(self.filter))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set; times in seconds.

    Attributes:
        file: the settings file that was read, or None.
        warnings: sentences for the person who runs the job; no secrets in them.
    """

    database_url: Annotated[
        Secret | None,
        OptionSpec(
            addresses.database_url(),
            "the database; without it the job starts its own PostgreSQL",
            example="postgresql://image_sync@db.example.org/inventory",
        ),
    ] = None
    data_folder: Annotated[Path | None, OptionSpec(rules.folder(), "where the job's own PostgreSQL keeps its data")] = (
        None
    )
    checks_disabled: Annotated[
        tuple[str, ...], OptionSpec(rules.names(), "checks to leave out", example="same-name,no-firmware")
    ] = ()
    check_thresholds: Annotated[
        tuple[tuple[str, str, int], ...],
        OptionSpec(rules.thresholds(), "numbers of checks that are not the usual ones", example="old.days=365"),
    ] = ()
    check_folder: Annotated[
        Path | None, OptionSpec(rules.folder(), "checks of your own, as .sql files; see checks.md")
    ] = None
    end_of_life_file: Annotated[
        Path | None, OptionSpec(rules.folder(), "CSV file of the days on which systems end, instead of the program's")
    ] = None
    log_level: Annotated[str, OptionSpec(choice("debug", "info", "warning", "error"), "least level that is logged")] = (
        "info"
    )
    log_format: Annotated[
        str, OptionSpec(choice("auto", "text", "json"), "lines for people or for programs; auto: text on a terminal")
    ] = "auto"
    keep_history: Annotated[
        float | None,
        OptionSpec(duration(86400, 86400 * 36500), "how far back `prune` leaves the history as it is", example="2y"),
    ] = None
    notice_url: Annotated[
        Secret | None,
        OptionSpec(addresses.webhook_url(), "webhook that receives notices; see notices.md"),
    ] = None
    notice_secret: Annotated[
        Secret | None, OptionSpec(rules.signing_secret(), "key that signs what is sent to notice_url")
    ] = None
    notice_style: Annotated[
        str, OptionSpec(choice("json", "slack"), "json: for programs, one notice a request; slack: text for a chat")
    ] = "json"
    notice_on: Annotated[
        tuple[str, ...],
        OptionSpec(rules.some_of(*NOTICES), "notices that notice_url receives", example="held,exposure,daily"),
    ] = NOTICES[:-1]
    notify_after_failures: Annotated[
        int, OptionSpec(whole(1, 100, "runs"), "notify after this many consecutive failed runs of a source")
    ] = 3
    notice_allow_http: Annotated[bool, OptionSpec(rules.truth(), "send notices over plain http to other machines")] = (
        False
    )
    listen: Annotated[
        str | None,
        OptionSpec(
            addresses.listen(), "where `schedule` serves /healthz, /readyz and /metrics", example="127.0.0.1:9808"
        ),
    ] = None
    metrics_file: Annotated[
        Path | None,
        OptionSpec(
            rules.folder(),
            "file for node_exporter's textfile collector, replaced after each run",
            example="/var/lib/node_exporter/image-sync.prom",
        ),
    ] = None
    metrics_push: Annotated[
        Secret | None,
        OptionSpec(addresses.gateway(), "Prometheus pushgateway that `run` tells how it went"),
    ] = None
    jobs: Annotated[int, OptionSpec(whole(1, 64, "sources"), "sources synced at the same time")] = 4
    lock_timeout: Annotated[float, OptionSpec(duration(0.01, 3600), "longest wait for a lock in the database")] = 10.0
    statement_timeout: Annotated[float, OptionSpec(duration(0.1, 86400), "longest time of one statement")] = 300.0
    connect_timeout: Annotated[float, OptionSpec(duration(1, 600), "longest wait for a connection to the database")] = (
        10.0
    )
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
                raise UnknownError(
                    f"There is no source {name!r}{did_you_mean(name, known)}; it is one of {list(known)}."
                )
        return tuple(dict.fromkeys(known[name] for name in names)) or self.sources

    def secrets(self) -> Iterator[str]:
        """Every secret value, for whoever must mask them."""
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
    """A hint at the nearest known word, or ""."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


GENERAL: tuple[Option, ...] = options(Settings, per_source=False)
OF_CREDENTIALS: tuple[Option, ...] = tuple(option for kind in KINDS for option in options(kind))
OF_SOURCE: tuple[Option, ...] = options(Source)
PER_SOURCE: tuple[Option, ...] = OF_SOURCE + OF_CREDENTIALS

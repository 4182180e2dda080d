"""Settings: valid values, the places they come from, and that all errors are reported at once."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import CHECKOUT
from settings_tools import SUPPORT

from sync.errors import SettingsError, UnknownError
from sync.settings import Keys, Password, Settings, Token, load
from sync.settings.gather import RENAMED
from sync.settings.model import GENERAL, PER_SOURCE

ENDPOINT = "https://iecs.myhuaweicloud.com"
ONE = {"IMAGE_SYNC_ENDPOINT": ENDPOINT, "IMAGE_SYNC_TOKEN": "t0ken"}

Write = Callable[[str], Path]


def read(environ: dict[str, str], file: Path | None = None) -> Settings:
    """The settings of this environment and file, with the names of the real API."""
    return load(environ, file=file, apis=SUPPORT)


def errors_of(environ: dict[str, str], file: Path | None = None) -> tuple[str, ...]:
    """The errors in these settings."""
    with pytest.raises(SettingsError) as caught:
        read(environ, file)
    return caught.value.mistakes


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a settings file which only its owner may read."""

    def to_file(text: str) -> Path:
        path = tmp_path / "some.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return to_file


def test_nothing_set() -> None:
    """Without settings there are defaults and no source, and choosing a source says how to set one."""
    settings = read({})

    assert (settings.database_url, settings.sources, settings.warnings) == (None, (), ())
    with pytest.raises(SettingsError, match="IMAGE_SYNC_ENDPOINT"):
        settings.choose()


def test_one_source_of_the_environment() -> None:
    """Two variables make a source with defaults for everything else."""
    source = read(ONE).choose()[0]

    assert (source.name, source.endpoint, source.filter, source.concurrency) == ("default", ENDPOINT, (), 4)
    assert (source.max_response_bytes, source.deadline, source.allow_http) == (16 * 2**20, 900, False)
    assert isinstance(source.credentials, Token)
    assert source.credentials.token.reveal() == "t0ken"


def test_values_as_text() -> None:
    """Numbers, durations, sizes, lists, booleans and the filter are read from text."""
    environ = {
        "CONCURRENCY": "8", "TIMEOUT": "1500ms", "DEADLINE": "15m", "MAX_RESPONSE_BYTES": "8 MiB", "MAX_IMAGES": "1_000",
        "MAX_DELETIONS_PERCENT": "2.5%", "IGNORE_FIELDS": "updated_at, __platform,", "ALLOW_HTTP": "Yes", "SOURCE": "prod",
        "FILTER": "visibility=private&name=a%20b&__os_type=Linux",
    }  # fmt: skip

    source = read(ONE | {f"IMAGE_SYNC_{name}": value for name, value in environ.items()}).choose(["prod"])[0]

    assert (source.concurrency, source.timeout, source.deadline) == (8, 1.5, 900)
    assert (source.max_response_bytes, source.max_images, source.max_deletions_percent) == (8 * 2**20, 1000, 2.5)
    assert (source.ignore_fields, source.allow_http) == (("updated_at", "__platform"), True)
    assert source.filter == (("__os_type", "Linux"), ("name", "a b"), ("visibility", "private"))


def test_values_as_toml(write: Write) -> None:
    """Numbers, durations, lists, booleans and the filter are read from TOML values."""
    file = write(f"""
        lock_timeout = 2
        [[sources]]
        name = "prod"
        endpoint = "{ENDPOINT}"
        token = "t0ken"
        timeout = 1.5
        deadline = "24h"
        ignore_fields = ["updated_at"]
        filter = {{ protected = true, visibility = "private" }}
    """)

    settings = read({}, file)

    source = settings.sources[0]
    assert (settings.lock_timeout, source.timeout, source.deadline) == (2, 1.5, 86400)
    assert (source.ignore_fields, source.filter) == (
        ("updated_at",),
        (("protected", "true"), ("visibility", "private")),
    )


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("CONCURRENCY", "0", "from 1 to 32"),
        ("CONCURRENCY", "33", "from 1 to 32"),
        ("CONCURRENCY", "four", "from 1 to 32"),
        ("CONCURRENCY", "9" * 400, "from 1 to 32"),
        ("MAX_GAP_REQUESTS", "1.5", "from 0 to 1000000"),
        ("TIMEOUT", "nan", "a time from 100ms to 10m"),
        ("TIMEOUT", "2 weeks", "a time from 100ms to 10m"),
        ("DEADLINE", "-1", "a time from 1s to 1d"),
        ("MAX_RESPONSE_BYTES", "1TB", "bytes from 1024"),
        ("MAX_DELETIONS_PERCENT", "101", "from 0 to 100"),
        ("ALLOW_HTTP", "maybe", "true or false"),
        ("LOG_LEVEL", "loud", "debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "auto, text, json"),
        ("API", "glanse", "one of iec, ims, glance"),
        ("API", "glance!", "one of iec, ims, glance"),
        ("API", "open stack", "one of iec, ims, glance"),
        ("SOURCE", "Prod", "a-z"),
        ("SOURCE", "x" * 64, "1 to 63"),
        ("DATABASE_URL", "mysql://h/d", "postgresql://"),
        ("DATA_FOLDER", "~/data", "a path without ~"),
        ("FILTER", "visibility", "query string"),
        ("FILTER", "visibility=secret", "public, private"),
        ("FILTER", "visibilty=private", "did you mean visibility?"),
        ("FILTER", "limit=5", "iec has no filter 'limit'"),
        ("FILTER", "name=a&name=b", "more than once"),
        ("FILTER", "name=", "has no value"),
        ("FILTER", "name=%0A", "query string"),
        ("IGNORE_FIELDS", "updatedat", "did you mean updated_at?"),
        ("TOKEN", "", "is empty"),
        ("DATABASE_URL", "", "is empty"),
    ],
)
def test_invalid_value(name: str, value: str, valid: str) -> None:
    """An invalid value is one error, which names the variable and what would be valid."""
    errors = errors_of(ONE | {f"IMAGE_SYNC_{name}": value})

    assert len(errors) == 1
    assert errors[0].startswith(f"IMAGE_SYNC_{name} (environment): ")
    assert valid in errors[0]


@pytest.mark.parametrize(("name", "new"), RENAMED.items())
def test_an_old_name_is_refused_with_the_new_one(write: Write, name: str, new: str) -> None:
    """A renamed setting is refused with its new name, in the environment, in a file and with the suffix _FILE."""
    env = errors_of(ONE | {f"IMAGE_SYNC_{name.upper()}": "1"})
    suffixed = errors_of(ONE | {f"IMAGE_SYNC_{name.upper()}_FILE": "x"})
    table = errors_of({}, write(f"{name} = 1\n[defaults]\n{name}_file = '1'"))

    assert new in {option.key for option in (*GENERAL, *PER_SOURCE)}
    assert env == (f"IMAGE_SYNC_{name.upper()} (environment): is now IMAGE_SYNC_{new.upper()}",)
    assert suffixed == (f"IMAGE_SYNC_{name.upper()}_FILE (environment): is now IMAGE_SYNC_{new.upper()}_FILE",)
    assert f"{name} (some.toml): is now {new}" in table
    assert f"{name}_file (some.toml, [defaults]): is now {new}_file" in table


def test_wrong_types_of_toml(write: Write) -> None:
    """A TOML value of another type is an error: true is not a number, and 1 is not a boolean."""
    file = write(f"""
        log_level = 1
        [[sources]]
        endpoint = "{ENDPOINT}"
        token = 5
        concurrency = true
        allow_http = 1
        timeout = nan
        filter = {{ name = 1 }}
        ignore_fields = [1]
    """)

    errors = errors_of({}, file)

    keys = ("log_level", "filter", "concurrency", "timeout", "ignore_fields", "allow_http", "token")
    assert len(errors) == len(keys)
    assert all(any(error.startswith(f"{key} (some.toml") for error in errors) for key in keys)


def test_all_errors_at_once(write: Write) -> None:
    """The errors of the environment, the file and each of its sources are reported together."""
    file = write("""
        log_levle = "info"
        [defaults]
        max_gap_requests = -1
        [[sources]]
        name = "a"
        endpoint = "http://elsewhere.example"
        filter = "nothing=1"
        concurrency = 99
        token = "x"
        [[sources]]
        name = "b"
        access_key = "k"
        token = "bad token"
    """)

    errors = errors_of({"IMAGE_SYNC_LOG_LEVEL": "loud", "IMAGE_SYNC_TOKNE": "x"}, file)

    message = str(SettingsError(list(errors)))
    parts = (
        "IMAGE_SYNC_LOG_LEVEL (environment): takes",
        "IMAGE_SYNC_TOKNE (environment): there is no such setting (did you mean IMAGE_SYNC_TOKEN?)",
        "log_levle (some.toml): there is no such setting (did you mean log_level?)",
        "max_gap_requests (some.toml, [defaults]): takes",
        "endpoint (some.toml, [[sources]] a): plain http",
        "filter (some.toml, [[sources]] a): iec has no filter 'nothing'",
        "concurrency (some.toml, [[sources]] a): takes",
        "some.toml, [[sources]] b: endpoint is missing",
        "are credentials of different kinds",
        "token (some.toml, [[sources]] b): takes",
    )
    assert [part for part in parts if part not in message] == []
    assert len(errors) == len(parts)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("concurency = 4", "no such setting"),
        ("concurrency = 4", "move it below [[sources]] or [defaults]"),
        ("[defaults]\nreadings = 4", "readings (some.toml, [defaults]): is now max_gap_requests"),
        ("[defaults]\nmax_read_attempts = 4", "max_read_attempts (some.toml, [defaults]): is now max_gap_requests"),
        ("notice_failures = 3", "notice_failures (some.toml): is now notify_after_failures"),
        ("[defaults]\nlog_level = 'info'", "move it to the top"),
        ("[defaults]\nname = 'a'", "no such setting"),
        ("[[source]]\nname = 'a'", "did you mean sources?"),
        ("defaults = 1", "[defaults]"),
        ("[sources]\nname = 'a'", "[[sources]]"),
        ("a = \n", "line 1"),
        ("a = " + "9" * 5000, "too long"),
        ("lock_timeout = 1" + "0" * 400, "a time from"),
    ],
)
def test_invalid_file(write: Write, text: str, hint: str) -> None:
    """A misplaced key, a table of the wrong type and invalid TOML are errors that say where and what to do."""
    errors = errors_of({}, write(text))

    assert len(errors) == 1
    assert "some.toml" in errors[0]
    assert hint in errors[0]


def test_an_invalid_file_causes_no_further_errors(write: Write) -> None:
    """With an invalid file, errors of the environment are reported too, but nothing counts as missing."""
    errors = errors_of({"IMAGE_SYNC_TOKEN": "two words"}, write("[[sources]"))

    assert [error.partition(":")[0].rpartition("/")[2] for error in errors] == [
        "some.toml",
        "IMAGE_SYNC_TOKEN (environment)",
    ]


def test_which_file(here: Path, write: Write) -> None:
    """The file given wins over IMAGE_SYNC_CONFIG, which wins over image-sync.toml in the current directory."""
    (here / "image-sync.toml").write_text("log_level = 'error'")
    (here / "named.toml").write_text("log_level = 'warning'")
    named = {"IMAGE_SYNC_CONFIG": "named.toml"}

    levels = [settings.log_level for settings in (read({}), read(named), read(named, write("log_level = 'debug'")))]

    assert levels == ["error", "warning", "debug"]
    assert "No such file" in errors_of({"IMAGE_SYNC_CONFIG": "absent.toml"})[0]


def test_precedence(write: Write) -> None:
    """The environment wins over a source of the file, which wins over the file's defaults."""
    file = write(f"""
        log_level = "error"
        [defaults]
        endpoint = "{ENDPOINT}"
        token = "shared"
        max_gap_requests = 5
        max_retries = 5
        concurrency = 5
        [[sources]]
        max_retries = 6
        concurrency = 6
    """)

    settings = read({"IMAGE_SYNC_CONCURRENCY": "7", "IMAGE_SYNC_LOG_LEVEL": "debug"}, file)

    source = settings.sources[0]
    assert (source.max_gap_requests, source.max_retries, source.concurrency, settings.log_level) == (5, 6, 7, "debug")


TWO = f"""
    [defaults]
    endpoint = "{ENDPOINT}"
    token = "shared"
    [[sources]]
    name = "a"
    [[sources]]
    name = "b"
"""


def test_environment_of_one_source_among_several(write: Write) -> None:
    """IMAGE_SYNC_SOURCE says which source of the file the variables change."""
    sources = read({"IMAGE_SYNC_SOURCE": "b", "IMAGE_SYNC_MAX_GAP_REQUESTS": "9"}, write(TWO)).sources

    assert [(source.name, source.max_gap_requests) for source in sources] == [("a", 500), ("b", 9)]


def test_environment_of_no_source(write: Write) -> None:
    """Variables that may be meant for any source of the file are an error, not a guess."""
    file = write(TWO)

    unspecified = errors_of({"IMAGE_SYNC_MAX_GAP_REQUESTS": "9", "IMAGE_SYNC_MAX_RETRIES": "x"}, file)
    unknown = errors_of({"IMAGE_SYNC_SOURCE": "bb"}, file)

    assert "set IMAGE_SYNC_SOURCE to one of a, b" in unspecified[0]
    assert "IMAGE_SYNC_MAX_RETRIES (environment): takes" in unspecified[1]
    assert len(unknown) == 1
    assert "did you mean b?" in unknown[0]


def test_same_name_twice(write: Write) -> None:
    """Two sources cannot have the same name."""
    errors = errors_of({}, write(TWO.replace('"b"', '"a"')))

    assert errors == ("[[sources]]: 'a' is the name of 2 of them; give each a name of its own",)


def test_choose(write: Write) -> None:
    """Sources are chosen by name, once each; an unknown name is an error that suggests the nearest one."""
    settings = read({}, write(TWO.replace('"b"', '"private"')))

    assert [source.name for source in settings.choose(["private", "private"])] == ["private"]
    assert len(settings.choose()) == 2
    with pytest.raises(UnknownError, match="did you mean private"):
        settings.choose(["privat"])


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("https://IECS.example.com:443/", "https://iecs.example.com"),
        ("https://iecs.example.com/v1/", "https://iecs.example.com"),
        ("https://iecs.example.com:8443", "https://iecs.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_endpoint(text: str, normalised: str) -> None:
    """An endpoint is https, or http to this machine, and is normalised."""
    assert read(ONE | {"IMAGE_SYNC_ENDPOINT": text}).sources[0].endpoint == normalised


@pytest.mark.parametrize(
    "text",
    [
        "iecs.example.com",
        "ftp://iecs.example.com",
        "https://",
        "https://iecs.example.com/v1/images",
        "https://iecs.example.com/prefix",
        "https://iecs.example.com?a=b",
        "https://iecs.example.com#a",
        "https://user:canary@iecs.example.com",
        "https://iecs.example.com:0",
        "https://iecs.example.com:99999",
        "https://iecs .example.com",
        "https://[::1",
        "http://iecs.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[fe80::1]",
        "http://2130706433",
    ],
)
def test_invalid_endpoint(text: str) -> None:
    """Anything but a bare https URL, or http to this machine, is one error, which never quotes it."""
    errors = errors_of(ONE | {"IMAGE_SYNC_ENDPOINT": text})

    assert len(errors) == 1
    assert errors[0].startswith("IMAGE_SYNC_ENDPOINT (environment): ")
    assert "canary" not in errors[0]


def test_allow_http() -> None:
    """Plain http to another machine needs allow_http, and then causes a warning."""
    settings = read(ONE | {"IMAGE_SYNC_ENDPOINT": "http://iecs.example.com", "IMAGE_SYNC_ALLOW_HTTP": "true"})

    assert settings.sources[0].endpoint == "http://iecs.example.com"
    assert "plain http" in settings.warnings[0]


PASSWORD = {
    "IMAGE_SYNC_ENDPOINT": ENDPOINT,
    "IMAGE_SYNC_IAM_ENDPOINT": "https://iam.myhuaweicloud.com",
    "IMAGE_SYNC_USERNAME": "reader",
    "IMAGE_SYNC_PASSWORD": "p ä",
    "IMAGE_SYNC_DOMAIN": "account",
}
KEYS = {"IMAGE_SYNC_ENDPOINT": ENDPOINT, "IMAGE_SYNC_ACCESS_KEY": "ak", "IMAGE_SYNC_SECRET_KEY": "sk"}
VENDOR = {"HUAWEICLOUD_SDK_AK": "vak", "HUAWEICLOUD_SDK_SK": "vsk", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "vst"}


def test_kinds_of_credentials() -> None:
    """A token, an IAM user and a key pair are each accepted."""
    kinds = [type(read(environ).sources[0].credentials) for environ in (ONE, PASSWORD, KEYS)]

    assert kinds == [Token, Password, Keys]


@pytest.mark.parametrize("missing", sorted({*PASSWORD} - {"IMAGE_SYNC_ENDPOINT"}))
def test_part_of_credentials(missing: str) -> None:
    """A missing part of credentials is one error that says how to set it."""
    errors = errors_of({name: value for name, value in PASSWORD.items() if name != missing})

    assert len(errors) == 1
    assert f"set {missing}, or" in errors[0]


def test_no_credentials() -> None:
    """A source without credentials is an error that lists the kinds."""
    errors = errors_of({"IMAGE_SYNC_ENDPOINT": ENDPOINT})

    assert len(errors) == 1
    assert "token; or iam_endpoint, username, password and domain; or iam_endpoint, application_cred" in errors[0]


def test_a_password_is_not_sent_over_plain_http() -> None:
    """The IAM endpoint may not be plain http to another machine either."""
    errors = errors_of(PASSWORD | {"IMAGE_SYNC_IAM_ENDPOINT": "http://iam.example.com"})

    assert len(errors) == 1
    assert errors[0].startswith("IMAGE_SYNC_IAM_ENDPOINT (environment): plain http")


def test_vendor_names_are_the_last_resort() -> None:
    """The vendor's variables count only if no other credentials are set, and are never mixed with others."""
    bare = read({"IMAGE_SYNC_ENDPOINT": ENDPOINT} | VENDOR).sources[0].credentials
    own = read(KEYS | VENDOR).sources[0].credentials
    token = read(ONE | VENDOR).sources[0].credentials

    assert isinstance(bare, Keys)
    assert bare.security_token is not None
    assert (bare.access_key.reveal(), bare.secret_key.reveal(), bare.security_token.reveal()) == ("vak", "vsk", "vst")
    assert isinstance(own, Keys)
    assert (own.access_key.reveal(), own.security_token) == ("ak", None)
    assert isinstance(token, Token)


def test_vendor_names_complete_nothing() -> None:
    """Half a key pair is an error, even if the vendor's variables have the other half."""
    errors = errors_of({name: value for name, value in KEYS.items() if not name.endswith("SECRET_KEY")} | VENDOR)

    assert len(errors) == 1
    assert "secret_key is missing" in errors[0]


def test_credentials_of_several_places(write: Write) -> None:
    """The nearest place determines the kind of credentials; other parts of that kind may come from further away."""
    file = write(f"""
        [defaults]
        iam_endpoint = "https://iam.myhuaweicloud.com"
        domain = "account"
        [[sources]]
        endpoint = "{ENDPOINT}"
        username = "reader"
    """)

    user = read({"IMAGE_SYNC_PASSWORD": "p"}, file).sources[0].credentials
    token = read({"IMAGE_SYNC_TOKEN": "t"}, file).sources[0].credentials

    assert isinstance(user, Password)
    assert (user.username, user.domain, user.password.reveal(), user.project) == ("reader", "account", "p", None)
    assert isinstance(token, Token)


def test_security_token_goes_with_its_key(write: Write) -> None:
    """A key pair of the environment does not inherit the security token of the file's key pair."""
    file = write('[[sources]]\naccess_key = "fak"\nsecret_key = "fsk"\nsecurity_token = "fst"')

    credentials = read(KEYS, file).sources[0].credentials

    assert isinstance(credentials, Keys)
    assert (credentials.access_key.reveal(), credentials.security_token) == ("ak", None)


def test_variables_of_the_cluster() -> None:
    """The variables that Kubernetes adds for a service named image-sync are no error."""
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_METRICS", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR")

    settings = read({f"IMAGE_SYNC_{name}": "tcp://10.0.0.1:80" for name in names})

    assert settings.sources == ()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_database_url(scheme: str) -> None:
    """The scheme of a database URL is normalised to `postgresql`."""
    settings = read({"IMAGE_SYNC_DATABASE_URL": f"{scheme}://u:p%40ss@h:5432/d?sslmode=require"})

    assert settings.database_url is not None
    assert settings.database_url.reveal() == "postgresql://u:p%40ss@h:5432/d?sslmode=require"


def test_data_folder(here: Path, write: Write) -> None:
    """A relative data folder starts at the settings file or the current directory; with a URL it is warned of."""
    (here / "sub").mkdir()
    file = write("data_folder = 'data'").rename(here / "sub" / "some.toml")

    assert read({}, file).data_folder == here / "sub" / "data"
    assert read({"IMAGE_SYNC_DATA_FOLDER": "data"}, file).data_folder == here / "data"
    assert "no effect" in read({"IMAGE_SYNC_DATABASE_URL": "postgresql:///d"}, file).warnings[0]


def test_settings_do_not_change() -> None:
    """Settings and sources are frozen."""
    settings = read(ONE)

    with pytest.raises(AttributeError):
        settings.log_level = "debug"  # type: ignore[misc] # the error is expected
    with pytest.raises(AttributeError):
        settings.sources[0].max_retries = 0  # type: ignore[misc] # the error is expected


def test_page_is_up_to_date() -> None:
    """docs/settings.md is up to date."""
    script = [sys.executable, str(CHECKOUT / "docs" / "make_settings_page.py"), "--check"]

    done = subprocess.run(script, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_example_of_the_page_is_valid(here: Path) -> None:
    """The example on the page is a valid settings file."""
    page = (CHECKOUT / "docs" / "settings.md").read_text()
    (here / "image-sync.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    (here / "secrets").mkdir()
    (here / "secrets" / "database-url").write_text("postgresql://u:p@h/d\n")
    (here / "secrets" / "cloud-password").write_text("p\n")

    settings = read({})

    assert [source.name for source in settings.sources] == ["private-linux", "public"]
    assert settings.warnings == ()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_with_a_byte_order_mark(here: Path, end: str) -> None:
    """Editors of another system put a byte order mark before the settings and secrets, and end lines as they do."""
    text = end.join([f'[[sources]]\nendpoint = "{ENDPOINT}"', 'token_file = "token"', ""])
    (here / "image-sync.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (here / "token").write_bytes(b"\xef\xbb\xbf" + b"t0ken" * 100_000 + end.encode())

    credentials = read({}).sources[0].credentials

    assert isinstance(credentials, Token)
    assert credentials.token.reveal() == "t0ken" * 100_000


def test_a_file_in_another_encoding(here: Path) -> None:
    """A settings file that is no UTF-8 is one error, which says how to save it."""
    (here / "image-sync.toml").write_bytes("log_level = 'info'".encode("utf-16"))

    (error,) = errors_of({})

    assert "image-sync.toml: cannot be read as the settings file: it is not UTF-8 text; save it as UTF-8" in error


def test_a_current_folder_that_is_gone_holds_no_settings(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was removed, or may not be entered, is like an empty one."""
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read({}).file is None

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    assert read({}).file is None


def test_a_mistake_is_named_where_it_is(write: Write) -> None:
    """The mistake is the nearest value's, even if credentials and another value come from further away."""
    file = write('[defaults]\nendpoint = "https://h"\ntoken = "t"\n[[sources]]\nendpoint = "http://elsewhere.example"')

    (error,) = errors_of({}, file)

    assert error.startswith("endpoint (some.toml, [[sources]] no. 1): plain http")

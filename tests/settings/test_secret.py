"""Secrets in settings can come from files and are never shown."""

import copy
import dataclasses
import json
import pickle
import traceback
from pathlib import Path

import pytest
from settings_tools import SUPPORT

from sync.errors import SettingsError
from sync.settings import Secret, Settings, Token, load

CANARY = "c4n4ry-Zq7"
ENDPOINT = {"IMAGE_SYNC_ENDPOINT": "https://iecs.myhuaweicloud.com"}


def read(environ: dict[str, str], file: Path | None = None) -> Settings:
    """The settings of this environment and file."""
    return load(environ, file=file, apis=SUPPORT)


def message(environ: dict[str, str], file: Path | None = None) -> str:
    """The complete traceback of the errors in these settings."""
    with pytest.raises(SettingsError) as caught:
        read(environ, file)
    return "".join(traceback.format_exception(caught.value))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_reveal_shows_a_secret() -> None:
    """No way to print, format, copy or serialize a secret shows its value, except `reveal`."""
    secret = Secret(CANARY)

    shown = [repr(secret), str(secret), f"{secret:>40} {secret!r} {secret!s}", repr([secret]), str({"a": secret})]
    shown += [repr(copy.deepcopy(secret)), json.dumps({"a": secret}, default=str), repr(dir(secret))]

    assert CANARY not in "".join(shown)
    assert secret.reveal() == CANARY
    assert (secret == Secret(CANARY), secret == Secret("other"), secret == CANARY) == (True, False, False)


@pytest.mark.parametrize("store", [pickle.dumps, json.dumps, lambda secret: secret.__getstate__()])
def test_a_secret_cannot_be_serialized(store: object) -> None:
    """Pickle and JSON refuse a secret without naming its value."""
    with pytest.raises(TypeError) as caught:
        store(Secret(CANARY))  # type: ignore[operator] # each of them is called

    assert CANARY not in str(caught.value)


def test_settings_show_no_secret() -> None:
    """No text form of settings or their sources shows a secret."""
    settings = read(
        ENDPOINT
        | {
            "IMAGE_SYNC_ACCESS_KEY": f"{CANARY}1",
            "IMAGE_SYNC_SECRET_KEY": f"{CANARY}2",
            "IMAGE_SYNC_SECURITY_TOKEN": f"{CANARY}3",
            "IMAGE_SYNC_DATABASE_URL": f"postgresql://u:{CANARY}4@h/d?password={CANARY}5%20",
        }
    )

    assert CANARY not in f"{settings!r} {settings} {dataclasses.asdict(settings)}"
    assert {f"{CANARY}{number}" for number in (1, 2, 3, 4)} | {f"{CANARY}5 "} <= set(settings.secrets())


@pytest.mark.parametrize("name", ["TOKEN", "PASSWORD", "ACCESS_KEY", "SECRET_KEY", "SECURITY_TOKEN", "DATABASE_URL"])
@pytest.mark.parametrize("value", [f"{CANARY}\n{CANARY}", f"http://u:{CANARY}/{CANARY}#@[::1"])
def test_errors_show_no_secret(name: str, value: str) -> None:
    """The error for an invalid secret does not show its value and comes with all other errors."""
    traceback_text = message(
        ENDPOINT | {f"IMAGE_SYNC_{name}": value, "IMAGE_SYNC_MAX_READ_ATTEMPTS": "x", "IMAGE_SYNC_USERNAME": "u"}
    )

    assert "IMAGE_SYNC_MAX_READ_ATTEMPTS" in traceback_text
    assert CANARY not in traceback_text


@pytest.mark.parametrize("name", ["TOKEN", "PASSWORD", "SECRET_KEY", "DATABASE_URL"])
def test_a_secret_given_as_path_is_not_shown(name: str) -> None:
    """A secret in place of the path of its file is an error that does not show it."""
    traceback_text = message(ENDPOINT | {f"IMAGE_SYNC_{name}_FILE": CANARY})

    assert f"IMAGE_SYNC_{name}_FILE (environment): the file cannot be read" in traceback_text
    assert "give the path of a file" in traceback_text
    assert CANARY not in traceback_text


def test_broken_toml_shows_no_secret(here: Path) -> None:
    """The error for invalid TOML gives the line and not its content."""
    file = here / "some.toml"

    file.write_text(f"a = 1\ntoken = {CANARY}\n")
    toml_error = message({}, file)
    file.write_bytes(f"token = '{CANARY}'".encode() + b"\xff")
    encoding_error = message({}, file)

    assert "line 2" in toml_error
    assert "UTF-8" in encoding_error
    assert CANARY not in toml_error + encoding_error


def test_toml_errors_show_no_secret(here: Path) -> None:
    """Secrets with a wrong type or character are not quoted from the file either."""
    file = here / "some.toml"
    file.write_text(f"""
        database_url = ["{CANARY}"]
        [[sources]]
        token = {{ value = "{CANARY}" }}
        [[sources]]
        name = "b"
        secret_key = "{CANARY} "
    """)

    traceback_text = message({}, file)

    assert traceback_text.count("is not shown") == 3
    assert CANARY not in traceback_text


@pytest.mark.parametrize(
    ("content", "value"), [(b"abc", "abc"), (b"abc\n", "abc"), (b"abc\r\n", "abc"), (b"  a\n\n", None), (b"a b", None)]
)
def test_secret_from_a_file(here: Path, content: bytes, value: str | None) -> None:
    """One line break at the end of a secret's file is dropped; a value that does not fit a header is an error."""
    (here / "token").write_bytes(content)
    environ = ENDPOINT | {"IMAGE_SYNC_TOKEN_FILE": "token"}

    if value is None:
        assert "IMAGE_SYNC_TOKEN_FILE (environment): takes one word" in message(environ)
    else:
        assert read(environ).sources[0].credentials == Token(token=Secret(value))


def test_any_setting_may_come_from_a_file(here: Path) -> None:
    """Any setting can come from a file, in the environment and in TOML."""
    (here / "endpoint").write_text("https://iecs.example.com\n")
    (here / "number").write_text("7\n")
    file = here / "image-sync.toml"
    file.write_text("lock_timeout_file = 'number'\n[[sources]]\ntoken = 't'\nmax_gap_requests_file = 'number'")
    file.chmod(0o600)

    settings = read({"IMAGE_SYNC_ENDPOINT_FILE": str(here / "endpoint")})

    source = settings.sources[0]
    assert (source.endpoint, source.max_gap_requests, settings.lock_timeout) == ("https://iecs.example.com", 7, 7)


def test_relative_path_of_a_secret(here: Path) -> None:
    """A relative path in the settings file is relative to the folder of that file."""
    (here / "sub").mkdir()
    (here / "sub" / "token").write_text("abc")
    (here / "sub" / "some.toml").write_text("[[sources]]\nendpoint = 'https://a.example'\ntoken_file = 'token'")

    settings = read({}, here / "sub" / "some.toml")

    assert settings.sources[0].credentials == Token(token=Secret("abc"))


def test_unusable_files_of_secrets(here: Path) -> None:
    """A file that is empty, binary, too large, missing or a folder is an error that shows no content."""
    (here / "empty").write_text("\n")
    (here / "binary").write_bytes(CANARY.encode() + b"\xff")
    (here / "large").write_text(CANARY * 400_000)
    (here / "folder").mkdir()
    reasons = {"empty": "empty", "binary": "UTF-8", "large": "larger", "absent": "No such", "folder": "directory"}

    errors = {name: message(ENDPOINT | {"IMAGE_SYNC_TOKEN_FILE": name}) for name in reasons}

    assert all(reason in errors[name] for name, reason in reasons.items())
    assert all("1 setting is invalid" in text for text in errors.values())
    assert CANARY not in "".join(errors.values())


def test_value_and_file_together(here: Path) -> None:
    """A value and its file in the same place are an error; in two places the nearer one wins."""
    (here / "token").write_text("file")
    file = here / "some.toml"
    file.write_text("[[sources]]\nendpoint = 'https://a.example'\ntoken_file = 'token'")

    both = message(ENDPOINT | {"IMAGE_SYNC_TOKEN": CANARY, "IMAGE_SYNC_TOKEN_FILE": "token"})
    over = read({"IMAGE_SYNC_TOKEN": "nearer"}, file).sources[0].credentials

    assert "is set together with IMAGE_SYNC_TOKEN_FILE; keep one of them" in both
    assert CANARY not in both
    assert over == Token(token=Secret("nearer"))


@pytest.mark.parametrize(
    ("line", "mode", "warned"),
    [
        ("database_url = 'postgresql://u:p@h/d'", 0o644, True),
        ("database_url = 'postgresql://u:p@h/d'", 0o640, False),
        ("database_url = 'postgresql://u@h/d'", 0o644, False),
        ("[defaults]\ntoken = 't'", 0o604, True),
        ("[defaults]\ntoken_file = 'token'", 0o644, False),
        ("log_level = 'info'", 0o644, False),
    ],
)
def test_a_readable_file_with_secrets_is_warned_of(here: Path, line: str, mode: int, *, warned: bool) -> None:
    """A settings file with a secret that everyone may read causes a warning."""
    (here / "token").write_text("t")
    file = here / "some.toml"
    file.write_text(line)
    file.chmod(mode)

    warnings = read({}, file).warnings

    assert bool(warnings) is warned
    assert not warned or "chmod o-r" in warnings[0]

"""Logs have one event per line, as JSON or text, and never contain a secret."""

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import CHECKOUT

from sync import logs
from sync.logs import redaction

CANARY = "c4n4ry &%/äß\"'Zq7"

HIDDEN = "l0cal-variable"

Lines = Callable[[], list[dict[str, object]]]


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Always true."""
        return True


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Restore the logging of the process after each test."""
    root = logging.getLogger()
    handlers, level, protected = root.handlers[:], root.level, redaction._protected
    yield
    root.handlers[:], redaction._protected = handlers, protected
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture
def stream() -> io.StringIO:
    """The stream that is logged to."""
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """The JSON lines so far."""
    logs.configure("debug", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line(lines: Lines) -> None:
    """An event is one JSON object with its time in UTC, level, logger and fields."""
    logs.get("sync.some").info("page\nread", offset=490, names=["a", None], share=0.5, whole=True)

    line = lines()[0]
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "info", "event": "page\nread", "logger": "sync.some",
        "offset": 490, "names": ["a", None], "share": 0.5, "whole": True,
    }  # fmt: skip


def test_format_by_stream() -> None:
    """By default, a terminal gets text and everything else JSON."""
    terminal, pipe = Terminal(), io.StringIO()

    for target in (terminal, pipe):
        logs.configure(stream=target)
        logs.get("sync").info("hello", a=1)

    assert "info     hello logger=sync a=1\n" in terminal.getvalue()
    assert json.loads(pipe.getvalue())["event"] == "hello"


def test_level(stream: io.StringIO) -> None:
    """Events below the level are not logged."""
    logs.configure("warning", "json", stream)

    logs.get("sync").info("quiet")
    logs.get("sync").warning("loud")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_configured_twice(lines: Lines, stream: io.StringIO) -> None:
    """Configuring twice replaces the first configuration, so no line is logged twice."""
    logs.configure("info", "json", stream)

    logs.get("sync").error("once")

    assert len(lines()) == 1


def test_bound_fields(lines: Lines) -> None:
    """Bound fields are on every line within their block, even of other libraries, and not after it."""
    with logs.bind(run=7), logs.bind(source="prod"):
        logs.get("sync").info("in")
        logging.getLogger("other").warning("in, %s", "too", extra={"more": 1})
        logs.get("sync").info("in", own=2)
    logs.get("sync").info("out")

    inside, outside = lines()[:3], lines()[3]
    assert [(line["run"], line["source"]) for line in inside] == [(7, "prod")] * 3
    assert (inside[1]["event"], inside[1]["more"], inside[2]["own"]) == ("in, too", 1, 2)
    assert "run" not in outside


def test_fields_named_as_our_own(lines: Lines) -> None:
    """A field with the name of a part of the line gets an underscore."""
    logs.get("sync").info("really", event="other", level="x", name="n", args=1, time=2)

    line = lines()[0]
    assert (line["event"], line["event_"], line["level_"], line["time_"]) == ("really", "other", "x", 2)
    assert (line["name"], line["args"]) == ("n", 1)


def fail_with(message: str, hidden: str) -> None:
    """Raise an error with a note and a cause, next to a variable whose value must not be logged."""
    failure = ValueError(message)
    failure.add_note(message)
    raise failure from KeyError(message, len(hidden))


HEADERS = ["X-Auth-Token", "x-subject-token", "Authorization", "X-Security-Token", "password"]


@pytest.mark.parametrize("name", HEADERS)
def test_secrets_by_name(lines: Lines, name: str) -> None:
    """A value with the name of a secret is masked in fields, headers and messages without being registered."""
    log = logs.get("sync")

    log.info(
        "field", headers={name: "s3cret", "Accept": "json"}, pairs=[(name.encode(), b"s3cret")], **{name: "s3cret"}
    )
    log.info("\r\n".join([f"{name}: s3cret", "Accept: json"]))
    log.info(str({name: "s3cret", "Accept": "json"}))
    log.info(json.dumps({name: "s3cret", "Accept": "json"}))
    log.info(repr([(name.encode(), b"s3cret"), (b"Accept", b"json")]))
    logging.getLogger("other").info("sent %r", {name: "it's a s3cret"})

    text = json.dumps(lines())
    assert len(lines()) == 6
    assert "s3cret" not in text
    assert text.count("json") == 5


def test_signature_and_url(lines: Lines) -> None:
    """A signature is masked to the end of its header, and a password in a URL up to the host."""
    log = logs.get("sync")

    log.info("Authorization: SDK-HMAC-SHA256 Access=AKs3cret, SignedHeaders=x, Signature=s3cret\nHost: a")
    log.info("connect to postgresql://user:s3cret@db:5432/inventory?password=s3cret&sslmode=require")

    signed, url = (str(line["event"]) for line in lines())
    assert signed == "Authorization: ***\nHost: a"
    assert url == "connect to postgresql://user:***@db:5432/inventory?password=***&sslmode=require"


def test_harmless_text_is_not_masked(lines: Lines) -> None:
    """The cloud's texts about tokens and passwords are not masked."""
    text = "x-auth-token not found; token expires, expires_at: 2026-01-01; the password is wrong; read https://a.b/c@d"

    logs.get("sync").info(text)

    assert lines()[0]["event"] == text


@pytest.mark.parametrize("style", ["json", "text"])
def test_registered_secrets(stream: io.StringIO, style: str) -> None:
    """A registered secret is masked in messages, fields, keys, numbers and objects, in every common encoding."""
    logs.configure("debug", style, stream)
    logs.protect(CANARY)
    logs.protect("424242")
    log = logs.get("sync")

    log.info(" and ".join([CANARY, repr(CANARY), json.dumps(CANARY)]), field=CANARY, number=424242, share=424242.5)
    log.info("nested", deep=[{"a": (CANARY,), CANARY: {CANARY}}], thing=Path(CANARY), raw=CANARY.encode())
    log.info("quoted a%20b c4n4ry%20%26%25/%C3%A4%C3%9F%22%27Zq7 c4n4ry+%26%25%2F%C3%A4%C3%9F%22%27Zq7")
    logging.getLogger("other").info("args %s %r", CANARY, {"a": CANARY})

    assert "c4n4ry" not in stream.getvalue()
    assert "Zq7" not in stream.getvalue()
    assert "424242" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 4


@pytest.mark.parametrize("style", ["json", "text"])
def test_secrets_in_tracebacks(stream: io.StringIO, style: str) -> None:
    """Exceptions, their causes and notes are logged without secrets and without the values of variables."""
    logs.configure("debug", style, stream)
    logs.protect(CANARY)

    try:
        fail_with(f"X-Auth-Token: s3cret {CANARY}", HIDDEN)
    except ValueError:
        logs.get("sync").exception("failed")
        logging.getLogger("other").exception("failed")

    text = stream.getvalue()
    assert text.count("ValueError: X-Auth-Token: ***") == 2
    assert not any(secret in text for secret in ("c4n4ry", "Zq7", "s3cret", HIDDEN))


def test_secret_of_several_lines(lines: Lines) -> None:
    """Each line of a multi-line secret is masked, and empty lines mask nothing."""
    logs.protect("-----BEGIN-----\n\nabcdefgh\n")
    logs.protect("")

    logs.get("sync").info("got abcdefgh here")

    assert lines()[0]["event"] == "got *** here"


def test_longer_secret_first(lines: Lines) -> None:
    """If one secret is part of another, the longer one is masked completely."""
    logs.protect("abcd")
    logs.protect("abcd-long")

    logs.get("sync").info("abcd-long abcd")

    assert lines()[0]["event"] == "*** ***"


@pytest.mark.parametrize("name", ["httpx", "httpcore", "httpcore.http11", "urllib3.connectionpool", "psycopg.pool"])
def test_talkative_libraries(lines: Lines, name: str) -> None:
    """Libraries that log headers log only warnings, even if someone sets their level to debug."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.DEBUG)

    logger.debug("send_request_headers.started request=<Request [b'GET']>")
    logger.info("HTTP Request: GET")
    logger.warning("trouble")

    logger.setLevel(before)
    assert [line["event"] for line in lines()] == ["trouble"]


def test_an_invalid_log_call_shows_no_arguments(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """A log call that cannot be formatted is reported without its arguments, and raises nothing."""
    logs.configure("info", "json", stream)  # the test runner's own handler would fail first

    logging.getLogger("other").info("%d", CANARY)

    captured = capsys.readouterr()
    assert stream.getvalue() == "a log line of other was lost: TypeError\n"
    assert "c4n4ry" not in captured.err + captured.out


def test_a_closed_stream_raises_nothing(stream: io.StringIO) -> None:
    """Logging to a closed stream raises nothing."""
    logs.configure("info", "json", stream)
    stream.close()

    logs.get("sync").info("nobody hears")

    assert stream.closed


def test_an_object_without_text_is_logged(lines: Lines) -> None:
    """An object whose text cannot be made, or a list within itself, is still logged."""

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    loop: list[object] = []
    loop.append(loop)

    logs.get("sync").info("odd", mute=Mute(), loop=loop)

    assert lines()[0]["mute"] == "<Mute>"


def test_warnings_are_logged(lines: Lines, stream: io.StringIO) -> None:
    """Python's warnings are logged."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure("info", "json", stream)
        warnings.warn("X-Auth-Token: s3cret", UserWarning, stacklevel=1)

    assert "X-Auth-Token: ***" in str(lines()[0]["event"])


ODD = "\x1b[31mred\x07 \u202eturned\u2066 line\nfake 2026 error\r\u2028 \x9b0m Ω 镜像"


def test_terminal_is_safe() -> None:
    """Control characters, escape sequences and bidirectional marks are shown, not sent; letters are unchanged."""
    terminal = Terminal()
    logs.configure("info", "auto", terminal)

    logs.get("sync").info(ODD, field=ODD, **{f"key{ODD}": 1})
    logs.get("sync").info("nested", field=[ODD])

    text = terminal.getvalue()
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) == 2
    assert "\\x1b[31mred\\x07 \\u202eturned\\u2066 line\\nfake" in text
    assert "Ω 镜像" in text


def test_a_traceback_cannot_imitate_a_line() -> None:
    """In text, every line of a traceback is indented, whatever the exception says."""
    terminal = Terminal()
    logs.configure("info", "auto", terminal)

    try:
        fail_with(ODD, "")
    except ValueError:
        logs.get("sync").exception("failed")

    first, *rest = terminal.getvalue().splitlines()
    assert " error    failed " in first
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_json_is_ascii(lines: Lines, stream: io.StringIO) -> None:
    """JSON lines contain only visible ASCII, and their text can be restored exactly."""
    logs.get("sync").info(ODD, lone="\udc80")

    assert lines()[0]["event"] == ODD
    assert all(" " <= char <= "~" for char in stream.getvalue().rstrip("\n"))


def test_import_is_light() -> None:
    """Importing and using logs and settings loads nothing but the standard library."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from sync import logs, settings; logs.configure(); logs.get('sync').info('hello', a=1)\n"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert done.stdout == "{'sync'}\n"


def test_stack_and_no_exception(lines: Lines) -> None:
    """The stack of a call is a field; `exception` without an exception adds none."""
    logging.getLogger("other").info("stack", stack_info=True, extra={"fields": [1]})
    logs.get("sync").exception("failed", stack="mine")

    first, second = lines()
    assert str(first["stack"]).startswith("Stack (most recent call last):\n")
    assert "test_stack_and_no_exception" in str(first["stack"]).splitlines()[-2]
    assert first["fields"] == [1]
    assert (second["event"], second["level"], second["stack"]) == ("failed", "error", "mine")
    assert "exception" not in second

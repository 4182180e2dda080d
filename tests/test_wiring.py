"""Secrets of receivers that others replace in their files: read again when they are refused, and only then."""

from __future__ import annotations

import base64
import logging
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from http_server import HttpServer, always, reply
from receiver import SECRET, Receiver

from sync import wiring
from sync.cli.watching import monitor, publish
from sync.domain.metrics import ProcessMetrics
from sync.domain.notices import Notice
from sync.logs.formatter import FIELDS
from sync.logs.redaction import mask
from sync.notices.errors import ReceiverRefusesError
from sync.settings import Settings
from sync.store.connection import Target

NOTICES = [Notice(f"evt_{1:032x}", "unproven", "east", 1, datetime(2026, 11, 24, tzinfo=UTC), sentence="something")]
NEW = "whsec_" + base64.b64encode(b"canary-of-the-new-key-01234").decode()
NO_DATABASE = Target("postgresql://owner@127.0.0.1:1/none")


def loaded(folder: Path, **secrets: str) -> Settings:
    """Settings whose secrets are in files of a folder."""
    for name, value in secrets.items():
        (folder / name).write_text(value)
    return wiring.load({f"IMAGE_SYNC_{name.upper()}_FILE": str(folder / name) for name in secrets}, with_sources=False)


def renewed(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of the log's lines about renewed secrets."""
    found = [record for record in caplog.records if record.getMessage() == "secrets renewed"]
    assert all(record.levelno == logging.WARNING for record in found)
    return [record.__dict__[FIELDS] for record in found]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refused_notice_has_the_files_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """A notice that the receiver refuses is sent once more with what the files hold by now."""
    with Receiver(reply(status=status)) as old, Receiver() as new:
        settings = loaded(tmp_path, notice_url=old.address, notice_secret=SECRET)
        assert settings.notice_url is not None
        webhook = wiring.webhook(settings.notice_url, settings)
        (tmp_path / "notice_url").write_text(f"{new.address}-by-now")
        (tmp_path / "notice_secret").write_text(NEW)

        assert webhook.send(NOTICES) == 1
        assert (len(old.asked), len(new.asked)) == (1, 1)
        signatures = [receiver.asked[0].headers["webhook-signature"] for receiver in (old, new)]

    assert signatures[0] != signatures[1]
    assert [fields["settings"] for fields in renewed(caplog)] == [["notice_url", "notice_secret"]]
    assert f"{status}" in renewed(caplog)[0]["reason"]
    assert "canary" not in mask(f"{new.address}-by-now {NEW}")


def test_an_unchanged_file_is_not_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each content of a file is tried once for a notice; one that has no valid value changes nothing."""
    with Receiver(*[reply(status=403)] * 9) as receiver:
        settings = loaded(tmp_path, notice_url=receiver.address)
        assert settings.notice_url is not None
        webhook = wiring.webhook(settings.notice_url, settings)
        for content, requests in ((receiver.address, 1), (f"{receiver.address}2", 3), ("no address", 4)):
            (tmp_path / "notice_url").write_text(content)
            with pytest.raises(ReceiverRefusesError, match="403"):
                webhook.send(NOTICES)

            assert len(receiver.asked) == requests

    assert len(renewed(caplog)) == 1


def test_a_new_address_over_plain_http_is_refused(tmp_path: Path) -> None:
    """What a file holds by now is bound by the same rule as at the start."""
    with Receiver(reply(status=403)) as receiver:
        settings = loaded(tmp_path, notice_url=receiver.address)
        assert settings.notice_url is not None
        (tmp_path / "notice_url").write_text("http://receiver.invalid/hook")

        with pytest.raises(ReceiverRefusesError, match="plain http; see notice_allow_http"):
            wiring.webhook(settings.notice_url, settings).send(NOTICES)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_push_has_the_file_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """Metrics that the gateway refuses are pushed once more with the login that the file holds by now."""
    with HttpServer(always(reply(status=status))) as old, HttpServer(always(reply(status=202))) as new:
        settings = loaded(tmp_path, metrics_push=old.url.replace("://", "://user:canary-old@"))
        watching = monitor(NO_DATABASE, ProcessMetrics())
        publish(settings, watching, {})
        assert len(old.asked) == 1
        assert not renewed(caplog)

        (tmp_path / "metrics_push").write_text(new.url.replace("://", "://user:canary-new@"))
        publish(settings, watching, {})
        publish(settings, watching, {})
        assert (len(old.asked), len(new.asked)) == (2, 2)
        logins = {request.headers["authorization"] for request in new.asked}

    assert logins == {f"Basic {b64encode(b'user:canary-new').decode()}"}
    assert [fields["settings"] for fields in renewed(caplog)] == [["metrics_push"]]
    assert "canary" not in mask("canary-new")
    assert [record.getMessage() for record in caplog.records].count("metrics not pushed") == 1


def test_a_push_that_fails_otherwise_reads_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the gateway is none of its login."""
    with HttpServer(always(reply(status=500))) as old, HttpServer(always(reply(status=202))) as new:
        settings = loaded(tmp_path, metrics_push=old.url)
        (tmp_path / "metrics_push").write_text(new.url)
        publish(settings, monitor(NO_DATABASE, ProcessMetrics()), {})

        assert (len(old.asked), len(new.asked)) == (1, 0)

    assert not renewed(caplog)


def test_a_source_as_a_run_knows_it() -> None:
    """A run knows the source's API, its filter as it is sent, and its endpoint: where it is read, if that is known."""
    environ = {"API": "glance", "IAM_ENDPOINT": "https://iam.example.com", "TOKEN": "t0ken", "FILTER": "property:a=b"}
    (source,) = wiring.load({f"IMAGE_SYNC_{name}": value for name, value in environ.items()}).sources
    known = wiring.source_of(source, "https://h/image")

    assert (known.api.name, known.filter, known.endpoint) == ("glance", "a=b", "https://h/image")
    assert wiring.source_of(source).endpoint == "catalog of https://iam.example.com"
    assert wiring.source_of(replace(source, endpoint="https://set")).endpoint == "https://set"

"""Servers echo what they were sent or have just created: errors show none of it that may be a secret."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from urllib.parse import quote

import httpx
import pytest

from sync import logs
from sync.cloud.errors import failure, request_id_of
from sync.errors import CloudError
from sync.logs import redaction

SECRET = "s3cr/t+\"ä'&<k"
HEADER = b64encode(b"CANARY0ACCESSKEY:" + SECRET.encode()).decode()
ECHOES = {
    "plain": SECRET,
    "base64": b64encode(SECRET.encode()).decode(),
    "base64 of a pair": HEADER,
    "base64 for addresses": HEADER.replace("+", "-").replace("/", "_").rstrip("="),
    "base64 in an address": "/v1/" + HEADER,
    "in an address": quote(SECRET, safe=""),
    "in small digits": quote(SECRET, safe="").lower(),
    "each byte": "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "twice in an address": quote(quote(SECRET, safe=""), safe=""),
    "JSON": json.dumps(SECRET),
    "JSON in JSON": json.dumps(json.dumps(SECRET)),
    "JSON as PHP has it": json.dumps(SECRET).replace("/", r"\/"),
    "JSON, all of it escaped": "".join(f"\\u{ord(letter):04x}" for letter in SECRET),
    "JSON in UTF-8": json.dumps(SECRET, ensure_ascii=False),
    "repr": repr(SECRET.encode()).replace("/", r"\x2f"),
    "page": escape(SECRET),
    "page, in numbers": "".join(f"&#{ord(letter)};" for letter in SECRET),
    "base64 in an address, escaped": quote(HEADER, safe=""),
}
UNKNOWN = {
    "Fernet": "gAAAAABm" + "Zq7_-x" * 20 + "==",
    "PKI": "MIIE9gYJKoZIhvcNAQcCoIIE5zCCBOMC" + "AQ+/" * 400,
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyZWFkZXIifQ.c2lnbmF0dXJl",
    "key": "0123456789ABCDEFGHIJabcdefghij0123456789",
    "escaped": r"eyJhbGciOiJIUzI1NiJ9\/eyJzdWIiOiJyZWFk\/ZXIifQc2lnbmF0",
    "in an address": "eyJhbGci%2BOiJIUzI%2F1NiJ9eyJzdWIiOiJyZWFkZXIifQ%3D%3D",
}
TOKEN = "Canary-Token-1234"  # in hexadecimal it is too short to be masked for its length
SPLITS = {
    "line break": "\n", "line break of Windows": "\r\n", "tab": "\t", "blank": " ", "no-break space": "\u00a0",
    "line separator": "\u2028", "zero-width space": "\u200b", "zero-width joiner": "\u200d", "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad", "grapheme joiner": "\u034f", "variation": "\ufe0f", "filler": "\u3164", "zero": "\0",
    "escape": "\x1b", "override": "\u202e", "escaped line break": r"\n", "line break in an address": "%0A",
    "zero-width space of a page": "&#8203;",
}  # fmt: skip
WRITTEN = {
    "small": TOKEN.lower(),
    "large": TOKEN.upper(),
    "hexadecimal": TOKEN.encode().hex(),
    "large hexadecimal": TOKEN.encode().hex().upper(),
    "spaced hexadecimal": TOKEN.encode().hex(" "),
    "base64 of the large": b64encode(TOKEN.upper().encode()).decode(),
    "base64 in lines": "\n".join(b64encode(TOKEN.encode()).decode()[n : n + 10] for n in (0, 10, 20)),
    "base64 in escaped lines": r"\n".join(b64encode(TOKEN.encode()).decode()[n : n + 10] for n in (0, 10, 20)),
    "hexadecimal in an address": TOKEN.encode().hex().replace("6", "%36"),
}
UUID_TOKEN = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
NAMED = [
    (f"token {UUID_TOKEN} is bad", "token *** is bad"),
    (f"no such id as {UUID_TOKEN}", "no such id as ***"),
    ("id abcdef0123456789abcdef01 is bad", "id *** is bad"),
    ("Token: s3cret is bad", "Token: *** is bad"),
    ("Token: invalid", "Token: ***"),
    ("token=s3cret is bad", "token=*** is bad"),
    ("Bearer s3cret", "Bearer ***"),
    ("Bear\u200ber s3c\u200bret", "Bearer ***"),
    ("Authorization 'Bearer s3cret'", "Authorization 'Bearer ***'"),
    ("authorization was s3cret", "authorization was ***"),
    ("no page at /v1/images?token=s3cret&limit=5", "no page at /v1/images?token=***"),
    ("X-Auth-Token is 's3cret' here", "X-Auth-Token is '***' here"),
    ("X-Subject-Token `s3cret` here", "X-Subject-Token `***` here"),
    ("security-token s3cret", "security-token ***"),
    ("accessToken -> s3cret", "accessToken -> ***"),
    ("secret key s3cret", "secret key ***"),
    ("SecretAccessKey: s3cret", "SecretAccessKey: ***"),
    ('password "s3 cret" is bad', 'password "***" is bad'),
    ("password provided is s3cret", "password provided is ***"),
    ('{"token": "s3cret", "a": 1}', '{"token": "***", "a": 1}'),
    ("('token', 's3cret')", "('token', '***')"),
    ("<token>s3cret</token>", "<token>***"),
    ("token\ns3cret", "token ***"),
    ("token%3Ds3cret", "***"),
    ("no host at user:s3cret@host", "no host at ***@host"),
    ("no host at https://s3cret@host/v1", "no host at https://***@host/v1"),
    ("'user:s3@cret@host'", "'***@host'"),
    ("user:s3cret%40host", "***"),
]


def failed(status: int, body: object, **headers: str) -> CloudError:
    """The error made from a response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure(status, httpx.Headers(named), json.dumps(body).encode())


@pytest.fixture
def known() -> Iterator[None]:
    """Register the secret as one of the program's own."""
    before = redaction._protected
    logs.protect(SECRET)
    yield
    redaction._protected = before


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("split", SPLITS)
def test_a_known_secret_that_is_split_is_masked(split: str) -> None:
    """A known secret is masked even if invisible characters stand once in it or between all its letters."""
    logs.protect(TOKEN)
    for text in (f"{TOKEN[:13]}{SPLITS[split]}{TOKEN[13:]}", SPLITS[split].join(TOKEN)):
        error = failed(403, {"error_msg": f"bad one: {text} of reader"})

        assert 'the cloud says "***"' in str(error)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("written", WRITTEN)
def test_a_known_secret_in_another_case_is_masked(written: str) -> None:
    """A known secret in upper or lower case, or in hexadecimal, is masked."""
    logs.protect(TOKEN)
    error = failed(403, {"error_msg": f"bad one: {WRITTEN[written]} of reader", "error_code": WRITTEN[written]})

    assert 'the cloud says "***"' in str(error)
    assert error.code is None


@pytest.mark.parametrize(("text", "shown"), NAMED)
def test_a_value_named_as_a_secret_is_masked(text: str, shown: str) -> None:
    """A value after the name of a secret, or before the @ of a host, is masked, however short it is."""
    assert f'the cloud says "{shown}"' in str(failed(403, {"error_msg": text}))


def test_invisible_text_is_dropped() -> None:
    """If a server's text has no visible character, the error quotes nothing."""
    assert "the cloud says" not in str(failed(403, {"error_msg": "\u200b\0 \u202e"}))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("echo", ECHOES)
def test_a_secret_that_a_server_echoes_is_masked(echo: str) -> None:
    """Servers quote what they refuse, and a known secret is masked however they encode it."""
    text = ECHOES[echo]
    for message in (f"bad token {text}", f"bad token:{text}, get another", text):
        error = failed(401, {"error_msg": message, "error_code": text, "request_id": text}, X_Request_Id=quote(text))

        assert '"***' in str(error) or "bad token" in str(error)
        assert not any(text[n : n + 6] in str(error).replace("bad token", "") for n in range(len(text) - 5))
        assert (error.code, error.request_id) == (None, None)


@pytest.mark.parametrize("echo", UNKNOWN)
def test_an_unknown_token_is_masked(echo: str) -> None:
    """A server may quote a token that it has just created, so long strings that are not words are masked."""
    text = UNKNOWN[echo]
    error = failed(401, {"error_msg": f"token '{text}' of reader is bad", "error_code": 7})

    assert "the cloud says \"token '***' of reader is bad\"" in str(error)


@pytest.mark.parametrize(
    "part",
    [
        "A",
        "password",
        r"\u0041",
        "%25",
        "&amp;",
        "\\",
        "://",
        "x-auth-token: ",
        "token ",
        "token is ",
        "token '",
        "a:@",
        "1-",
        "\u200b",
        "0b1c2d3e-",
        r"\n",
        "\u0301",
    ],
)
def test_masking_takes_no_time(part: str) -> None:
    """Masking the longest body of an error takes less than a second, whatever it contains."""
    started = time.process_time()
    failed(400, {"error_msg": part * (64_000 // len(part))})

    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "Request 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0 & co: 50% of <images> are \\ bad",
        "policy user over ratelimit,limit:200,time:5 minute",
        "Incorrect IAM authentication information: x-auth-token not found",
        "see https://iecs.myhuaweicloud.com/v1/images?a=1&b=%20",
        "no image at /v1/images/0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0.",
        "request req-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0 failed",
        "token expires, expires_at: 2026-01-01T00:00:00.000000Z",
        "decrypt token fail",
        "The token is invalid, or the Authorization header is missing.",
        "missing header 'x-auth-token' in request",
        "password must not be empty",
        "no such image: ubuntu-2204-server-40GiB-lts",
        "write to @support",
    ],
)
def test_harmless_text_is_not_masked(text: str) -> None:
    """Text that may help is not masked: ids, numbers, ordinary URLs and signs that escape nothing."""
    assert f'"{text}"' in str(failed(400, {"error_msg": text}))


@pytest.mark.parametrize(
    ("value", "used"),
    [
        ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", True),
        ("req-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0", True),
        ("token_ap-southeast-3_null_0a1b2c3d4e5f60718293a4b5c6d7e8f9", True),
        ("x" * 80, True),
        ("x" * 81, False),
        ("a b", False),
        ("a=", False),
        ("a/b", False),
        ("a+b", False),
        ("<b>", False),
        ("é", False),
        ("", False),
    ],
)
def test_only_plausible_request_ids_are_used(value: str, used: bool) -> None:  # noqa: FBT001 - the outcome
    """A request id is short and of few characters; anything else is left out."""
    headers = httpx.Headers([(b"X-Request-Id", value.encode()), (b"X-Iam-Trace-Id", b"the-next")])

    assert request_id_of(headers) == (value if used else "the-next")
    assert failed(500, {"error_code": value, "request_id": value}).code == (value if used else None)

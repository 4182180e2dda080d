"""The one place in which an error of HTTP with a cloud becomes an error of ours.

The status decides, not the vendor's code: one code, ``APIGW.0201``, comes with six statuses. Error bodies have four
shapes, or are web pages. Source: the vendor's lists of IEC, API gateway and IAM error codes.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from sync import errors, logs
from sync.cloud.intermediary import is_page, names_in_between
from sync.domain.apis.api import Api
from sync.errors import Fault
from sync.logs import mask, mask_foreign, wraps_secret

TOO_LONG = (414, 431, 494)  # its address or its headers; the last is nginx's own
_SERVER_FAULT = 500
_MOST_READ = 4096  # bytes of a web page
_MOST_SHOWN = 300  # characters of a server's text
_LONGEST_NAME = 80  # characters of what an intermediary calls itself
_WORD = re.compile(r"[A-Za-z0-9._:-]{1,80}")  # codes and ids of requests; tokens are longer, or have other characters
_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# The last one is the identity service's own; the vendor's SDKs show it in their errors.
_REQUEST_ID_HEADERS = ("x-request-id", "x-openstack-request-id", "x-apig-request-id", "x-iam-trace-id")
_log = logs.get(__name__)


def failure(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    advice: Mapping[int, str] | None = None,
    hint: str = "",
    proxy: str = "",
    api: Api | None = None,
) -> errors.CloudError:
    """Turn an answer that is an error into one of ours, which says who gave it, and what to do.

    Args:
        status: of the answer.
        headers: of the answer.
        body: of the answer.
        advice: what to do, by status, and by 0 for all others, if the request was not for images.
        hint: another possible cause, or "".
        proxy: host and port of the proxy that carried the request, or "".
        api: the API of images that was asked; None if it was another service.
    """
    code, text, request_id = _vendor_error(body)
    request_id = _word(request_id) or request_id_of(headers)
    if api and api.errors_as_pages and request_id and is_page(body):
        text = _page_text(body)
    else:
        log_page(status, body)
    facts: dict[str, Any] = {"status": status, "code": _word(code), "request_id": request_id}
    if not code and not request_id and (between := _in_between(status, headers, body, proxy)):
        if error := _refusal_in_between(between, status, facts):
            return error
        hint = "; ".join(filter(None, (hint, f"the answer came from {between}")))
    shown = _shown(text)
    hint = "; ".join(filter(None, (hint, *(advice for word, advice in (api.hints if api else ()) if word in text))))
    detail = (f': the cloud says "{shown}"' if shown else "") + (f"; {hint}" if hint else "")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = _retry_after(headers) or _window(text)
        return errors.ThrottledError(f"the cloud asks for fewer requests{detail}", wait=wait, **facts)
    if status >= _SERVER_FAULT:
        return errors.ServerFaultError(f"the cloud has a fault of its own{detail}", **facts)
    if api and (status, code) in api.temporary:
        return errors.ServerFaultError(f"the cloud has a fault of its own and asks to try later{detail}", **facts)
    known = {**_ADVICE, **(advice or {})}
    return _KINDS.get(status, errors.RejectedError)(f"{known.get(status, known[0])}{detail}", **facts)


_KINDS: dict[int, type[errors.CloudError]] = {401: errors.UnauthorizedError, 403: errors.ForbiddenError}
_ADVISED = (401, 404, 429, *TOO_LONG)  # the advice is the same whoever answers
_ADVICE: dict[int, str] = {
    0: "the cloud rejects the request; check endpoint and filter",
    401: "the cloud refuses the credentials; renew the token, or check user or key",
    403: "the credentials may not do this; grant the permission",
    404: "there is no such API at this address; check the endpoint",
} | dict.fromkeys(
    (301, 302, 303, 304, 307, 308),
    "the endpoint redirects, and credentials are never forwarded; set the endpoint to its real address, or, if it is, "
    "see whether a portal of this network wants a login",
)
_ADVICE |= dict.fromkeys(
    TOO_LONG, "the request is too long for the server; check the endpoint, and the length of filter and token"
)


def advice_of(api: Api) -> dict[int, str]:
    """Return advice on the errors of an API of images, by status."""
    return {403: f"the credentials may not list images; grant the permissions {' and '.join(api.permissions)}"}


def unreachable(error: errors.TransportError, endpoint: str) -> errors.CloudError:
    """Turn a failed exchange into the error that names the endpoint, the cause and what to do.

    Args:
        error: any except ``OVER`` and ``TOO_LARGE``, which are limits of ours.
        endpoint: such as ``https://iecs.myhuaweicloud.com``.
    """
    kind, sentence = _UNREACHABLE[error.fault]
    if error.status and error.status < _SERVER_FAULT:
        kind = errors.RejectedError  # by a proxy; to try its login again would lock it
    advice = "check certificate and clock" if "certificate" in error.words.lower() else "check network and endpoint"
    return kind(sentence.format(endpoint=endpoint, error=error, advice=advice))


_UNREACHABLE: dict[Fault, tuple[type[errors.CloudError], str]] = {
    Fault.ENVIRONMENT: (errors.RejectedError, "no request to {endpoint} is possible: {error}"),
    Fault.UNSENDABLE: (
        errors.RejectedError,
        "the request to {endpoint} cannot be made ({error.name}); check endpoint and credentials",
    ),
    Fault.UNREACHABLE: (errors.ConnectionFailedError, "{endpoint} cannot be reached ({error.words}); {advice}"),
    Fault.PROXY: (
        errors.ConnectionFailedError,
        "{endpoint} cannot be reached: {error}",
    ),
    Fault.SILENT: (
        errors.ConnectionFailedError,
        "{endpoint} does not answer in time ({error.name}); check network and endpoint",
    ),
    Fault.CUT_SHORT: (
        errors.ConnectionFailedError,
        "{endpoint} ended the connection before its answer was whole; check network and endpoint",
    ),
    Fault.INVALID: (
        errors.ContractError,
        "the answer of {endpoint} is not valid HTTP ({error.name}); is there a proxy in between?",
    ),
    Fault.COMPRESSED: (errors.BrokenAnswerError, "{error}; is there a proxy in between?"),
}


def traced(error: errors.CloudError, status: int, request_id: str | None) -> errors.CloudError:
    """Add the status and the id of the request to an error, and return it."""
    error.status, error.request_id = error.status or status, error.request_id or _word(request_id)
    return error


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The gateway's id of a request, for the vendor's support."""
    return next((word for name in _REQUEST_ID_HEADERS if (word := _word(headers.get(name)))), None)


def http_date(text: str | None) -> datetime | None:
    """The moment in a header such as ``Date``, or None if there is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refusal_in_between(between: str, status: int, facts: Mapping[str, Any]) -> errors.CloudError | None:
    """The error for an answer that did not come from the cloud; None if the advice is the same whoever gave it."""
    if status >= _SERVER_FAULT:
        return errors.ServerFaultError(f"{between} answers in place of the cloud, which it may not reach", **facts)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return errors.RejectedError(f"{between} wants a login, not the cloud; ask those who run it", **facts)
    if status in _ADVISED:
        return None
    advice = "have those who run it let these requests pass"
    return errors.RejectedError(f"{between} refuses the request, not the cloud; {advice}", **facts)


def _in_between(status: int, headers: Mapping[str, str], body: bytes, proxy: str) -> str:
    """What seems to have answered in place of the cloud, with what it calls itself; "" if it was the cloud."""
    names = names_in_between(status, headers, body)
    if names is None:
        return ""
    shown = [f"{name}: {_shown(value)[:_LONGEST_NAME]}" for name, value in names.items()]
    shown += [f"requests go through the proxy {proxy}"] if proxy else []
    return "something in between" + (f" ({', '.join(shown)})" if shown else "")


def log_page(status: int, body: bytes) -> None:
    """Log how a web page begins that came in place of JSON: it often names the proxy or portal that sent it."""
    if is_page(body):
        _log.warning("web page received", http_status=status, begins=_shown(body[:_MOST_READ].decode(errors="replace")))


def _vendor_error(body: bytes) -> tuple[str | None, str, str | None]:
    """Vendor code, text and request id, from any of the shapes of an error body."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None, "", None
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if isinstance(payload, dict) and isinstance(payload.get("error"), dict):
        payload = payload["error"]
    if not isinstance(payload, dict):
        return None, "", None
    code = _first(payload, "error_code", "errorCode", "code")
    return code or None, _first(payload, "error_msg", "errorMsg", "message"), _first(payload, "request_id") or None


def _page_text(body: bytes) -> str:
    """The sentence of an error that comes as a web page, without its title and heading."""
    page = body[:_MOST_READ].decode(errors="replace")
    page = re.sub(r"(?is)<head.*?</head>|<h1.*?</h1>", " ", page)
    return html.unescape(re.sub(r"<[^>]*>", " ", page)).strip()


def _first(payload: dict[str, Any], *names: str) -> str:
    """The first of these values, unchanged: replaced characters would keep a secret from being recognised."""
    return str(next((payload[name] for name in names if isinstance(payload.get(name), str | int)), "")).strip()


def _shown(text: str) -> str:
    """The part of a server's text that is safe to show; servers are known to echo secrets."""
    # One line, no control characters: this goes to logs and terminals.
    line = re.sub(r"[^\x20-\x7e\u00a0-\u1fff\u3000-\ud7ff\uf900-\ufdff\uff00-\uffef]+", " ", mask_foreign(text))
    return line.strip()[:_MOST_SHOWN]


def _word(text: str | None) -> str | None:
    """The text if it can be a vendor's code or the id of a request, else None: it may be anything."""
    fits = text and _WORD.fullmatch(text) and mask(text) == text and not wraps_secret(text)
    return text if fits else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After`` as a number or a date; None for anything else."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}", value):
        return float(value)
    moment = http_date(value)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def _window(text: str) -> float | None:
    """Seconds of the window in ``policy user over ratelimit,limit:200,time:5 minute``."""
    match = re.search(r"time:\s*(\d{1,6})\s*(second|minute|hour|day)", text)
    return float(match[1]) * _UNIT_SECONDS[match[2]] if match else None

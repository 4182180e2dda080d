"""Whatever goes wrong in HTTP becomes one of our errors here, and nowhere else.

The status decides, not the vendor's code: one code, ``APIGW.0201``, comes with six statuses. Error bodies have four
shapes, or are web pages. Source: the vendor's lists of IEC, API gateway and IAM error codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sync import errors

_SERVER_FAULT = 500
_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_REQUEST_ID_HEADERS = ("x-request-id", "x-openstack-request-id", "x-apig-request-id")


def failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.CloudError:
    """Turn an answer that is not the one asked for into the error that says what to do."""
    code, text, request_id = _told(body)
    request_id = request_id or request_id_of(headers)
    facts: dict[str, Any] = {"status": status, "code": code, "request_id": request_id}
    said = f': the cloud says "{text}"' if text else ""
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = _retry_after(headers) or _window(text)
        return errors.ThrottledError(f"the cloud asks for fewer requests{said}", wait=wait, **facts)
    if status >= _SERVER_FAULT:
        return errors.ServerFaultError(f"the cloud has a fault of its own{said}", **facts)
    if status == httpx.codes.BAD_REQUEST and code == "IEC.000000":
        return errors.ServerFaultError(f"the cloud has a fault of its own and asks to try later{said}", **facts)
    kind, advice = _ADVICE.get(
        status, (errors.RejectedError, "the cloud rejects the request; check endpoint and filter")
    )
    return kind(f"{advice}{said}", **facts)


_ADVICE: dict[int, tuple[type[errors.CloudError], str]] = {
    401: (errors.UnauthorizedError, "the cloud refuses the credentials; renew the token, or check user or key"),
    403: (errors.ForbiddenError, "the credentials may not list images; grant the permission to list IEC images"),
    404: (errors.RejectedError, "there is no such API at this address; check the endpoint"),
}
for _status in (301, 302, 303, 304, 307, 308):
    _ADVICE[_status] = (
        errors.RejectedError,
        "the endpoint sends us elsewhere, and a token is never sent along; set the endpoint to its real address",
    )


def unreachable(error: Exception, endpoint: str) -> errors.CloudError:
    """Turn an error of the HTTP library into ours; its text may be shown, its request never."""
    name, text = type(error).__name__, str(error) or "no details"
    if isinstance(error, httpx.TimeoutException):
        return errors.ConnectionFailedError(f"{endpoint} does not answer in time ({name}); check network and endpoint")
    if isinstance(error, httpx.TransportError):
        advice = "check certificate and clock" if "certificate" in text.lower() else "check network and endpoint"
        return errors.ConnectionFailedError(f"{endpoint} cannot be reached ({text}); {advice}")
    return errors.RejectedError(f"the request to {endpoint} cannot be made ({name}); check the endpoint")


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The gateway's id of a request, for the vendor's support."""
    return next((headers[name][:100] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def _told(body: bytes) -> tuple[str | None, str, str | None]:
    """Vendor code, text and request id, from any of the shapes of an error body."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        page = body[:200].lstrip().startswith(b"<")
        return None, "a web page, perhaps of a proxy in between" if page else "", None
    if isinstance(told, list) and told:
        told = told[0]
    if isinstance(told, dict) and isinstance(told.get("error"), dict):
        told = told["error"]
    if not isinstance(told, dict):
        return None, "", None
    code = _first(told, "error_code", "errorCode", "code")
    return code or None, _first(told, "error_msg", "errorMsg", "message"), _first(told, "request_id") or None


def _first(told: dict[str, Any], *names: str) -> str:
    value = next((told[name] for name in names if isinstance(told.get(name), str | int)), "")
    # One line, no control characters: this goes to logs and terminals.
    return re.sub(r"[^\x20-\x7e\u00a0-\u1fff\u3000-\ud7ff\uf900-\ufdff\uff00-\uffef]+", " ", str(value))[:300].strip()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After`` as a number or a date; None for anything else."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _window(text: str) -> float | None:
    """Seconds of the window in ``policy user over ratelimit,limit:200,time:5 minute``."""
    match = re.search(r"time:\s*(\d{1,6})\s*(second|minute|hour|day)", text)
    return float(match[1]) * _UNIT_SECONDS[match[2]] if match else None

"""Signatures that let a receiver check that a notice is genuine and recent: Standard Webhooks 1.0, symmetric.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

_PREFIX = "whsec_"


def headers(identity: str, seconds: int, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of one attempt to send a notice.

    Args:
        identity: id of the notice; the same in every attempt.
        seconds: Unix time of this attempt.
        body: the body, exactly as it is sent.
        secret: ``whsec_`` and the key in base64; None to send no signature.
    """
    unsigned = {"webhook-id": identity, "webhook-timestamp": str(seconds)}
    if secret is None:
        return unsigned
    key = b64decode(secret.removeprefix(_PREFIX))
    mac = hmac.new(key, f"{identity}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return unsigned | {"webhook-signature": f"v1,{b64encode(mac).decode()}"}

"""Keeps secrets out of everything that is logged: by value, by name, and by the shape of a header or URL."""

import json
import re
import threading
from base64 import b64decode
from collections.abc import Mapping
from html import unescape
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

_SECRET_NAMES = frozenset({
    "authorization", "proxyauthorization", "xauthtoken", "xsubjecttoken", "xsecuritytoken", "cookie", "setcookie",
    "password", "passwd", "pgpassword", "sslpassword", "token", "secret", "accesskey", "secretkey", "securitytoken",
})  # fmt: skip
_NAME = (
    r"(?:x-auth-token|x-subject-token|x-security-token|(?:pg|ssl)?password|passwd|secret[_-]?key|security[_-]?token)"
)
_SHAPES = (
    # quoted, as in JSON and in the repr of headers: "X-Auth-Token": "...", (b'X-Auth-Token', b'...')
    (rf"""(?i)((?:{_NAME}|(?:proxy-)?authorization)\\?["']\s*[:,=]\s*b?\\?)(["'])(?:\\.|(?!\2).)*""", rf"\1\2{MASK}"),
    # bare, as in HTTP and in connection strings: X-Auth-Token: ..., password=...
    (rf"""(?i)\b({_NAME}\s*[:=]\s*)(?!["'\\])[^\s"'&,;]+""", rf"\1{MASK}"),
    (r"""(?i)\b((?:proxy-)?authorization\s*[:=]\s*)(?!["'\\])[^\r\n"']+""", rf"\1{MASK}"),
    # what stands before the host of a URL; the scheme is bounded, or a long word would take seconds
    (r"""([A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/@:"']*:)[^\s/@"']+(?=@)""", rf"\1{MASK}"),
)
_PATTERNS = tuple((re.compile(pattern), masked) for pattern, masked in _SHAPES)
_DEEPEST = 6
_LONG = re.compile(r"[A-Za-z0-9+/=_\-.%~\\]{40,}")  # no word, but perhaps a token, or a key in whatever form
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LAYERS = 3  # of escapes that are looked through
_SHORTEST = 4  # shorter ones would mask half of every line, and hide nothing
_protecting = threading.Lock()
_protected: tuple[str, ...] = ()  # longest first, so that no part of a secret is left beside the mask of another


def protect(secret: str) -> None:
    """Mask this value in every later line, however it is escaped; of a secret of several lines, each line too."""
    global _protected  # noqa: PLW0603 - logging is one for the whole process, and so is what it must hide
    lines = [line for line in secret.splitlines() if len(line) >= _SHORTEST]
    forms = {form for text in (secret, secret.strip(), *lines) if len(text) >= _SHORTEST for form in _forms(text)}
    with _protecting:
        _protected = tuple(sorted({*_protected, *forms}, key=len, reverse=True))


def mask(text: str) -> str:
    """``text`` without secrets."""
    for secret in _protected:
        text = text.replace(secret, MASK)
    for pattern, masked in _PATTERNS:
        text = pattern.sub(masked, text)
    return text


def mask_foreign(text: str) -> str:
    """``text`` from outside without secrets: none that is known, however wrapped, and nothing that looks like one.

    A server may echo what no one here knows, such as a token that it has only just made.
    """
    return MASK if wraps_secret(text) else _LONG.sub(MASK, mask(text))


def wraps_secret(text: str) -> bool:
    """Whether a secret shows once ``text`` is read as base64, or as escaped for a URL, JSON, a repr or a page."""
    inner = text
    for _ in range(_LAYERS):
        if _holds_secret(_opened(inner)):
            return True
        inner = unescape(unquote(_ESCAPED.sub(_meant, inner)))
        if inner != text and mask(inner) != inner:
            return True
    return False


def mask_value(value: object, depth: int = 0) -> object:
    """``value`` without secrets, as text, numbers, lists and dicts that JSON can hold."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        shown = str(value)
        return value if mask(shown) == shown else MASK
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {
            mask(_text(name)): MASK if _is_secret(name) else mask_value(part, depth + 1) for name, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        parts = list(value)
        if len(parts) == 2 and _is_secret(parts[0]):  # noqa: PLR2004 - a header as a pair
            return [mask(_text(parts[0])), MASK]
        return [mask_value(part, depth + 1) for part in parts]
    return mask(_text(value))


def _forms(text: str) -> set[str]:
    """The ways in which ``text`` may stand in a URL, in JSON or in a repr."""
    return {text, quote(text, safe=""), quote(text), quote_plus(text), json.dumps(text)[1:-1], repr(text)[1:-1]}


def _meant(escape: re.Match[str]) -> str:
    """What an escape of JSON or a repr stands for; a byte is left as a URL has it, since a letter may be several."""
    if escape[2]:
        return f"%{escape[2]}"
    return chr(int(escape[1], 16)) if escape[1] else escape[3]


def _opened(text: str) -> str:
    """What the words of ``text`` say where they are base64, read from each place where it may begin."""
    parts = [word[start:] for word in _BASE64.findall(text.translate({0x2D: "+", 0x5F: "/"})) for start in range(4)]
    return " ".join(b64decode(part + "A" * (-len(part) % 4)).decode("utf-8", "replace") for part in parts)


def _holds_secret(text: str) -> bool:
    return any(secret in text for secret in _protected)


def _is_secret(name: object) -> bool:
    return isinstance(name, str | bytes) and re.sub(r"[-_\s]", "", _text(name)).lower() in _SECRET_NAMES


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a line is logged even where an object cannot say what it is
        return f"<{type(value).__name__}>"

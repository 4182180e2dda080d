"""Keeps secrets out of everything that is logged: by value, by name, and by the shape of a header or URL."""

import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from html import unescape
from typing import Any
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
    # what precedes the host of a URL; the scheme is bounded, or a long word would take seconds
    (r"""([A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/@:"']*:)[^\s/@"']+(?=@)""", rf"\1{MASK}"),
)
_PATTERNS = tuple((re.compile(pattern), masked) for pattern, masked in _SHAPES)
_DEEPEST = 6
# Not a word, but perhaps a token or some form of a key: from 24 characters on if it mixes digits and letters.
_LONG = re.compile(r"[A-Za-z0-9+/=_\-.%~\\]{24,}")
_SHORTEST_TOKEN = 24
_LONGEST = 40  # from here on, whatever it consists of
_MIXED = re.compile(r"[0-9][^A-Za-z]*[A-Za-z]|[A-Za-z][^0-9]*[0-9]")
_PLAIN = re.compile(r"(?:[A-Za-z]?[a-z]{0,15}|[A-Z]{0,16})[0-9]{0,4}|[0-9]{1,14}[A-Za-z]{0,3}")  # a part of an address
_ID = re.compile(
    r"(?<![A-Za-z0-9+_\-.%~\\])((?:req-)?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
    r"(?=/|\.?$|[^A-Za-z0-9+=_\-.%~\\])"
)
# The name of a secret, what may stand between the two, and the secret: up to its closing quote, or one word. Nothing
# here backtracks, and the whole matches once the first name is found, so that time is linear in the text's length.
_GAP = r"""(?:["'`]\s{0,3},|[-=]>|[\s"'`\\:=<>(\[{])++"""
_LABELLED = re.compile(
    rf"""(?i)(?P<gap>(?:
      (?:token|bearer|secret|password|passwd|pwd|authorization)s?
      (?:[_\ -]?(?:access[_\ -]?)?(?:id|key|value))?(?!'s\b){_GAP}
      (?:(?:is|was|are|value|id|key|header|string|provided|given|received|sent|used|got|with|basic){_GAP})*+
    )++)
    (?P<value>(?<=')[^']++(?=')|(?<=")[^"]++(?=")|[^\s"'`]++)?""",
    re.VERBOSE,
)
# Words that follow such a name in a sentence, and are not secrets.
_PROSE = re.compile(
    "an?|and|are|as|at|authentication|basic|be|been|before|but|by|can|cannot|check|could|denied|did|do|does|doesn|empty"
    "|errors?|exists?|expire[ds]?|fail(?:ed|s|ure)?|for|format|found|from|given|got|ha[ds]|have|header|id|if|in|incorrect"
    "|information|invalid|isn?|it|key|lifetime|limit|lookup|may|mismatch|missing|must|needs?|not?|null|of|on|or|please"
    "|policy|provided|received|refused|rejected|required|revoked|scope|sent|should|signature|string|tha[nt]|the|timeout"
    "|to|type|unauthorized|unknown|used|valid|validation|value|verification|verify|wasn?|were|when|which|will|with"
    "|without|wrong|your?"
)
_LEAD = re.compile(r"""[("'`<\[{]*(?:[A-Za-z][A-Za-z0-9+.-]{0,30}://)?""")
_UNSEEN = dict.fromkeys(
    [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)]
)  # letters and marks that are invisible
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_BREAKS = {"n": "\n", "r": "\r", "t": "\t"}
_LAYERS = 3  # of escapes that are resolved
_SHORTEST = 4  # characters; masking shorter ones would mask half of every line and hide nothing
_protecting = threading.Lock()
_protected: tuple[str, ...] = ()  # longest first, so that no part of a secret is left beside the mask of another


def protect(secret: str) -> None:
    """Mask this value in every later line, however it is escaped; each line of a secret of several lines, too."""
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
    """``text`` from outside without secrets: neither known ones, however wrapped, nor anything that looks like one.

    A server may echo secrets that are not known here, such as a token that it has only just created.
    """
    return MASK if wraps_secret(text) else _guessed(mask(_seen(text)))


def unexpected(error: BaseException) -> str:
    """What to say of an error that nobody foresaw, of any library: its kind and its text, masked."""
    text = f": {mask_foreign(str(error))}" if str(error) else ""
    return f"unexpected {type(error).__name__}{text}; please report it, with the log of `log_level` debug"


def wraps_secret(text: str) -> bool:
    """Whether a secret shows once ``text`` is decoded as base64, or unescaped from a URL, JSON, a repr or HTML.

    A known one may be split by blanks, line breaks or invisible characters, and be in upper or lower case.
    """
    if any(_holds_secret(inner) or _holds_secret(_opened(inner)) for inner in map(_joined, _layers(_joined(text)))):
        return True
    plain, *inners = _layers(text)
    guesses = _guessed(_seen(plain)).count(MASK) if inners else 0
    return any(mask(inner) != inner or _guessed(_seen(inner)).count(MASK) > guesses for inner in inners)


def mask_fields(fields: Mapping[Any, object], depth: int = 0) -> dict[str, object]:
    """``fields`` without secrets, as text, numbers, lists and dicts that JSON can hold."""
    return {
        mask(_text(name)): MASK if _is_secret(name) else _mask_value(part, depth + 1) for name, part in fields.items()
    }


def _mask_value(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        shown = str(value)
        return value if mask(shown) == shown else MASK
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return mask_fields(value, depth)
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        parts = list(value)
        match parts:
            case [name, _] if _is_secret(name):  # a header
                return [mask(_text(name)), MASK]
        return [_mask_value(part, depth + 1) for part in parts]
    return mask(_text(value))


def _forms(text: str) -> set[str]:
    """The forms that ``text`` may take in a URL, in JSON or in a repr."""
    return {text, quote(text, safe=""), quote(text), quote_plus(text), json.dumps(text)[1:-1], repr(text)[1:-1]}


def _layers(text: str) -> Iterator[str]:
    """Yield ``text``, then the same with its escapes resolved, as often as that changes it."""
    yield text
    for _ in range(_LAYERS):
        inner = unescape(unquote(_ESCAPED.sub(_meant, text)))
        if inner == text:
            return
        yield (text := inner)


def _meant(escape: re.Match[str]) -> str:
    """The character of an escape in JSON or a repr; a byte is left as in a URL, since a letter may be several."""
    if escape[2]:
        return f"%{escape[2]}"
    return chr(int(escape[1], 16)) if escape[1] else _BREAKS.get(escape[3], escape[3])


def _opened(text: str) -> str:
    """The words of ``text`` decoded as base64, from each place where it may begin."""
    parts = [word[start:] for word in _BASE64.findall(text.translate({0x2D: "+", 0x5F: "/"})) for start in range(4)]
    return " ".join(b64decode(part + "A" * (-len(part) % 4)).decode("utf-8", "replace") for part in parts)


def _holds_secret(text: str) -> bool:
    bare = _joined(text).casefold()
    return any(secret in bare for secret in _bare(_protected))


@lru_cache(maxsize=1)
def _bare(secrets: tuple[str, ...]) -> frozenset[str]:
    """Each secret as only its visible characters, and as hexadecimal digits."""
    forms = {form for secret in secrets for form in (_joined(secret).casefold(), secret.encode(errors="replace").hex())}
    return frozenset(form for form in forms if len(form) >= _SHORTEST)


def _joined(text: str) -> str:
    """``text`` without blanks, line breaks and invisible characters."""
    return _seen("".join(text.split()))


def _seen(text: str) -> str:
    """``text`` without invisible characters, but with its blanks and line breaks."""
    text = text.translate(_UNSEEN)
    return text if text.isprintable() else "".join(one for one in text if one.isprintable() or one.isspace())


def _guessed(text: str) -> str:
    """``text`` with everything masked that may be a secret: by what precedes it, what follows it, or its length."""
    text = re.sub(r"\S++", lambda word: _without_login(word[0]), text)
    text = _LABELLED.sub(_unnamed, text)
    return _LONG.sub(lambda run: "".join(map(_without_token, _ID.split(run[0]))), text)


def _without_login(word: str) -> str:
    """A word with what precedes its ``@`` masked."""
    login, at, host = word.rpartition("@")
    lead = _LEAD.match(login)
    return f"{lead[0]}{MASK}@{host}" if lead and lead[0] != login and at else word


def _unnamed(match: re.Match[str]) -> str:
    """The name of a secret, with the secret masked; a sentence about it stays if no sign announces a value."""
    gap, value = match["gap"], match["value"] or ""
    announced = gap.endswith(("'", '"', "`")) or gap.rstrip().endswith((":", "=", ">"))
    word = value.strip(".,;:!?()[]{}").casefold()
    return f"{gap}{value}" if not word or (_PROSE.fullmatch(word) and not announced) else f"{gap}{MASK}"


def _without_token(part: str) -> str:
    """A part of a long word, masked unless it is an id or readable."""
    if _ID.fullmatch(part) or len(part) < _SHORTEST_TOKEN:
        return part
    readable = all(_PLAIN.fullmatch(piece) for piece in re.split(r"[^A-Za-z0-9]+", part))
    return part if len(part) < _LONGEST and (readable or not _MIXED.search(part)) else MASK


def _is_secret(name: object) -> bool:
    return isinstance(name, str | bytes) and re.sub(r"[-_\s]", "", _text(name)).lower() in _SECRET_NAMES


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a line is logged even if an object in it has no text
        return f"<{type(value).__name__}>"

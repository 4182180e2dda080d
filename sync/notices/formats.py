"""The formats of notices: JSON for programs, text for a chat, without secrets or anything that a chat would act on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.sax.saxutils import escape

from sync import logs
from sync.domain.notices import Example, Notice
from sync.domain.values import iso

VERSION = 1
_LONGEST_SENTENCE = 600  # characters
_LONGEST_VALUE = 255
_LONGEST_TEXT = 3_000  # of a chat message, before it is escaped; Slack cuts messages of over 4,000


def as_json(notice: Notice) -> bytes:
    """One notice as ``docs/notice.schema.json`` describes it."""
    document = {
        "version": VERSION,
        "id": notice.id,
        "kind": notice.kind,
        "source": notice.source,
        "run": notice.run,
        "time": iso(notice.time),
        "sentence": _sentence(notice),
        "numbers": dict(notice.numbers),
        "examples": [{name: _value(value) for name, value in example.items()} for example in notice.examples],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def as_slack(notices: Sequence[Notice]) -> tuple[bytes, int]:
    """As many notices as fit into one message, at least one, for Slack or a chat that accepts the same format.

    Returns:
        The body, and the number of notices in it.
    """
    texts: list[str] = []
    size = 0
    for notice in notices:
        text = _text(notice)
        size += len(text) + 1
        if texts and size > _LONGEST_TEXT:
            break
        texts.append(text[:_LONGEST_TEXT])
    body = {"text": _inert("\n".join(texts)), "mrkdwn": False, "link_names": False}
    return json.dumps(body, ensure_ascii=False).encode(), len(texts)


def _text(notice: Notice) -> str:
    shown = [f"  - {_example(example)}" for example in notice.examples]
    more = sum(notice.numbers.get(name) or 0 for name in ("held", "changes", "quarantined")) - len(shown)
    rest = [f"  - and {more} more"] if shown and more > 0 else []
    head = f"{notice.source} (run {notice.run}): " if notice.run is not None else ""
    return "\n".join([f"{head}{_sentence(notice)}", *shown, *rest])


def _example(example: Example) -> str:
    values = {name: logs.escape(_value(value) or "") for name, value in example.items()}
    image = " ".join(filter(None, (values.pop("id", ""), values.pop("name", ""))))
    if "field" in values:
        return f"{image}: {values['field']} {values['old'] or 'nothing'} -> {values['new'] or 'nothing'}"
    return ": ".join(filter(None, (image, values.get("reason", ""))))


def _sentence(notice: Notice) -> str:
    return _short(logs.escape(logs.mask(notice.sentence)), _LONGEST_SENTENCE)


def _value(value: str | None) -> str | None:
    return None if value is None else _short(logs.mask(value), _LONGEST_VALUE)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _inert(text: str) -> str:
    """Text that a chat only shows: no mention, no link, no markup, whatever the names in it contain.

    Slack acts on text within ``<>``; other chats that accept its messages act on @ and on Markdown links.
    """
    text = escape(text)
    for active in ("@", "](", "://"):
        text = text.replace(active, f"{active[0]}\u200b{active[1:]}")
    return text

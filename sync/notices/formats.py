"""How notices are written: JSON for programs, text for a chat; no secret, and nothing that a chat would obey."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sync import logs
from sync.domain.image import iso
from sync.domain.notices import Example, Notice

VERSION = 1
_LONGEST_SENTENCE = 600  # characters
_LONGEST_VALUE = 255
_LONGEST_TEXT = 3_000  # of a chat's message, before it is escaped; Slack cuts what is longer than 4,000


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
    """As many of the notices, at least one, as one message to Slack, or to a chat that takes the same, holds.

    Returns:
        the body, and how many of the notices are in it.
    """
    taken: list[str] = []
    size = 0
    for notice in notices:
        text = _text(notice)
        size += len(text) + 1
        if taken and size > _LONGEST_TEXT:
            break
        taken.append(text[:_LONGEST_TEXT])
    body = {"text": _inert("\n".join(taken)), "mrkdwn": False, "link_names": False}
    return json.dumps(body, ensure_ascii=False).encode(), len(taken)


def _text(notice: Notice) -> str:
    shown = [f"  - {_example(example)}" for example in notice.examples]
    more = sum(notice.numbers.get(name) or 0 for name in ("held", "changes", "quarantined")) - len(shown)
    rest = [f"  - and {more} more"] if shown and more > 0 else []
    head = f"{notice.source} (run {notice.run}): " if notice.run is not None else ""
    return "\n".join([f"{head}{_sentence(notice)}", *shown, *rest])


def _example(example: Example) -> str:
    values = {name: logs.escape(_value(value) or "") for name, value in example.items()}
    known = " ".join(filter(None, (values.pop("id", ""), values.pop("name", ""))))
    if "field" in values:
        return f"{known}: {values['field']} {values['old'] or 'nothing'} -> {values['new'] or 'nothing'}"
    return ": ".join(filter(None, (known, values.get("reason", ""))))


def _sentence(notice: Notice) -> str:
    return _short(logs.escape(logs.mask(notice.sentence)), _LONGEST_SENTENCE)


def _value(value: str | None) -> str | None:
    return None if value is None else _short(logs.mask(value), _LONGEST_VALUE)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _inert(text: str) -> str:
    """``text`` as a chat shows it and does nothing: no mention, no link, no markup, whatever names hold.

    Slack obeys what stands in ``<>``; others that take its messages obey @, and links as Markdown writes them.
    """
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, entity)
    for obeyed in ("@", "](", "://"):
        text = text.replace(obeyed, f"{obeyed[0]}\u200b{obeyed[1:]}")
    return text

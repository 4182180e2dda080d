"""The queries by which a run compares a list with what is stored."""
# ruff: noqa: S608 - nothing but names of columns and constants is put into these texts

from __future__ import annotations

from sync.domain.apis.api import Api
from sync.store.runs.statements import listed_as_deleted, live

_KNOWN = f"""
SELECT coalesce(string_agg(raw_digest, ''), ''), coalesce(string_agg(content_digest, ''), ''),
       count(*) FILTER (WHERE live){{more}}
FROM (SELECT i.raw_digest, i.content_digest, {live("i")} AS live{{columns}} FROM inventory.images i
      WHERE i.source = %(source)s AND ({live("i")} OR {listed_as_deleted("i")}) ORDER BY {{order}}) AS listed
"""
_START = "FILTER (WHERE live AND NOT apart AND (place + 1) %% %(step)s = 0)"
_STARTS = f""",
       coalesce(array_agg(id) {_START}, '{{}}'), coalesce(array_agg(place) {_START}, '{{}}'),
       count(*) FILTER (WHERE NOT apart)"""


def known(api: Api) -> str:
    """The query of what is stored, in the order of the API's list.

    Of a list by marker also: the ids of live images of its usual list at equal steps, where these stand, and where the
    images of its other part begin.
    """
    if not api.by_marker:
        return _KNOWN.format(more="", columns="", order="i.created_at")
    # One text: the keys behind the first one would be compared without their first bytes at hand, in twice the time.
    order = f"""(CASE WHEN {_apart(api)} THEN '1' ELSE '0' END || i.id) COLLATE "C\""""
    columns = f", i.id, {_apart(api)} AS apart, row_number() OVER (ORDER BY {order}) - 1 AS place"
    return _KNOWN.format(more=_STARTS, columns=columns, order=order)


def _apart(api: Api) -> str:
    """Condition: the API leaves image ``i`` out of its usual list, and has it in a part of its own."""
    columns = {(api.by_name[name].column, value) for part in api.parts for name, value in part.query}
    return " OR ".join(f"i.{column} IS {value.upper()}" for column, value in sorted(columns)) or "false"


# One row per digest, tombstones included, so that a missing row is noticed. The digests are sent in binary: as text
# they would be escaped by rules that a session may change.
BY_DIGEST = f"""
SELECT id, {live("i")} AS live, created_at,
       CASE WHEN %(grace)s > 0 AND listed_since + make_interval(secs => %(grace)s) > clock_timestamp()
             -- in case the clock was set back by much: that is no sign of a replica that lags
             AND listed_since - make_interval(secs => %(grace)s) < clock_timestamp()
             AND NOT EXISTS (SELECT FROM inventory.held_deletions h
                             WHERE h.source = i.source AND h.id = i.id AND h.closed_at IS NULL)
            THEN listed_since + make_interval(secs => %(grace)s) END AS grace_until, owner
FROM inventory.images i WHERE source = %(source)s AND raw_digest = ANY(%(digests)b)
"""
CREATED_AT = "SELECT id, created_at FROM inventory.images WHERE source = %(source)s AND id = ANY(%(ids)s)"

"""The statements of the writing transaction; each works on the whole set at once.

``pg_temp.stage`` holds the images whose content differs from the stored one, ``pg_temp.gone`` the removals that go
through. Names of columns come from ``domain.fields``; values are always parameters.
"""
# ruff: noqa: S608 - nothing but the column names of fields.py is put into these texts

from __future__ import annotations

from collections.abc import Collection

from sync.domain.apis.api import Api
from sync.domain.fields import COLUMNS, IMAGE_COLUMNS, Kind

SQL_TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "timestamptz",
    Kind.TAGS: "text[]",
}
STAGED = ("seq", *COLUMNS, "extra", "raw_digest", "content_digest")
STAGED_TYPES = ("bigint", *(SQL_TYPES[column.kind] for column in IMAGE_COLUMNS), "text", "bytea", "bytea")
_ALL = ", ".join(COLUMNS)


def of(alias: str, columns: Collection[str] = COLUMNS) -> str:
    """These columns of a table, by its alias."""
    return ", ".join(f"{alias}.{column}" for column in columns)


def listed_as_deleted(alias: str) -> str:
    """Condition: the cloud itself lists this row as deleted."""
    return f"({alias}.vendor_deleted IS TRUE OR {alias}.status IS NOT DISTINCT FROM 'deleted')"


def live(alias: str) -> str:
    """Condition: this image is neither deleted nor invisible."""
    return f"({alias}.deleted_at IS NULL AND {alias}.invisible_since IS NULL)"


_DEAD, _DEAD_IMAGE, _LIVE = listed_as_deleted("s"), listed_as_deleted("i"), live("i")

# Held until the transaction ends. A lock of its own: if waiting for it fails, another run is writing, and it is not
# someone else who holds the row.
TURN = "SELECT pg_advisory_xact_lock(hashtextextended('image-sync run of ' || %(source)s, 0))"
FENCE = """
UPDATE inventory.sources
SET epoch = epoch + 1, api = %(api)s, filter = %(filter)s, scope = coalesce(%(scope)s, scope), effective_at = greatest(
    clock_timestamp(), effective_at + interval '1 microsecond',
    -- in case the clock was set back: no reader of reports is past this moment
    (SELECT max(read_to) + interval '1 microsecond' FROM inventory.report_bookmarks))
WHERE name = %(source)s AND epoch = %(epoch)s
RETURNING effective_at
"""

EPOCH = "SELECT epoch FROM inventory.sources WHERE name = %(source)s"

_STAGE = ", ".join(f"{column} {kind}" for column, kind in zip(STAGED, STAGED_TYPES, strict=True))
CREATE_STAGE = f"CREATE TEMPORARY TABLE stage ({_STAGE}) ON COMMIT DROP"
COPY_STAGE = f"COPY pg_temp.stage ({', '.join(STAGED)}) FROM STDIN (FORMAT binary)"

# A first load goes straight to the images; in binary, jsonb is a 1 and its text.
IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM inventory.images WHERE source = %(source)s)"
LOADED = (
    *("source", "first_seen_at", "valid_from", "listed_since", "valid_from_run"),
    *(*COLUMNS, "extra", "raw_digest", "content_digest"),
)
LOADED_TYPES = ("text", *["timestamptz"] * 3, "bigint", *STAGED_TYPES[1:-3], "bytea", "bytea", "bytea")
# Without statistics the planner's guesses cost the next run more than this does; it waits for no other transaction.
FEW_SAMPLES = "SET LOCAL default_statistics_target = 10"
ANALYZE_IMAGES = "ANALYZE (SKIP_LOCKED) inventory.images"
COPY_IMAGES = f"COPY inventory.images ({', '.join(LOADED)}) FROM STDIN (FORMAT binary)"

# The stored content takes part where a listing showed an id both as stored and otherwise, first or last.
_LAST = 2**63 - 1
STAGE_STORED = f"""
INSERT INTO pg_temp.stage (seq, {_ALL}, extra, raw_digest, content_digest)
SELECT CASE WHEN id = ANY(%(last)s) THEN {_LAST} ELSE -1 END, {_ALL}, extra::text, raw_digest, content_digest
FROM inventory.images WHERE source = %(source)s AND id = ANY(%(ids)s)
"""
# Of two contents of one id the one updated last stands: an older one comes from a replica that lags. Of those updated
# at the same time the one asked for last stands, unless they came in one answer.
DROP_OLDER = """
DELETE FROM pg_temp.stage s USING pg_temp.stage t
WHERE s.id = t.id AND s.seq <> t.seq
  AND (coalesce(s.updated_at, '-infinity') < coalesce(t.updated_at, '-infinity')
       OR s.updated_at IS NOT DISTINCT FROM t.updated_at AND s.seq < t.seq
          AND (s.content_digest = t.content_digest OR s.id <> ALL(%(torn)s)))
"""
# What is left came in one answer, and was updated at the same time: none is believed.
CREATE_TIED = """CREATE TEMPORARY TABLE tied ON COMMIT DROP AS SELECT s.* FROM pg_temp.stage s
WHERE EXISTS (SELECT FROM pg_temp.stage t WHERE s.id = t.id AND s.seq <> t.seq)"""
DROP_TIED = """WITH dropped AS (DELETE FROM pg_temp.stage s USING pg_temp.tied t WHERE s.id = t.id RETURNING s.id)
SELECT count(DISTINCT id) FROM dropped"""
TIED = f"SELECT {_ALL}, extra FROM pg_temp.tied WHERE seq BETWEEN 0 AND {_LAST - 1} ORDER BY seq"
QUARANTINE = """
INSERT INTO inventory.quarantine (source, digest, id, raw, reason, first_run, first_seen_at)
VALUES (%(source)s, %(digest)s, %(id)s, %(raw)s, %(reason)s, %(run)s, %(effective_at)s) ON CONFLICT DO NOTHING
"""
FINDING = """
INSERT INTO inventory.findings (source, kind, subject, detail, first_run, first_seen_at)
VALUES (%(source)s, %(kind)s, %(subject)s, %(detail)s, %(run)s, %(effective_at)s) ON CONFLICT DO NOTHING
"""

# Per column: whether updated images had a value before this run, and none has one now.
VANISHED = f"""
SELECT {", ".join(f"count(v.{column}) > 0 AND count(s.{column}) = 0" for column in COLUMNS)}
FROM pg_temp.stage s JOIN inventory.image_versions v
  ON v.source = %(source)s AND v.id = s.id AND v.valid_to_run = %(run)s
"""


def differs(ignore: Collection[str], api: Api) -> str:
    """Condition: staged image ``s`` differs in content from stored ``i``, but for ignored fields, a parameter."""
    ignored = {field.column for field in api.fields if field.api in ignore}
    compared = [column for column in COLUMNS if column not in ignored]
    names = "%(ignored)s::text[]"
    return (
        f"(i.content_digest <> s.content_digest AND ({of('i', compared)}, coalesce(i.extra, '{{}}') - {names})"
        f" IS DISTINCT FROM ({of('s', compared)}, coalesce(s.extra::jsonb, '{{}}') - {names}))"
    )


PLAN = f"""
SELECT count(*) FILTER (WHERE i.id IS NULL),
       count(*) FILTER (WHERE ({_LIVE} OR {_DEAD}) AND {{differs}}),
       count(*) FILTER (WHERE NOT {_LIVE} AND NOT {_DEAD}),
       count(*) FILTER (WHERE {_LIVE} AND {{differs}})
FROM pg_temp.stage s LEFT JOIN inventory.images i ON i.source = %(source)s AND i.id = s.id
"""

_CLOSE = f"""
INSERT INTO inventory.image_versions
       (source, {_ALL}, extra, valid_from, valid_to, valid_from_run, valid_to_run, invisible)
SELECT i.source, {of("i")}, i.extra, i.valid_from, %(effective_at)s, i.valid_from_run, %(run)s, """
CLOSE_UPDATED = f"""{_CLOSE}false
FROM inventory.images i JOIN pg_temp.stage s ON s.id = i.id
WHERE i.source = %(source)s AND {_LIVE} AND {{differs}}
"""
UPDATE = f"""
UPDATE inventory.images i
SET {", ".join(f"{column} = s.{column}" for column in COLUMNS if column != "id")}, extra = s.extra::jsonb,
    raw_digest = s.raw_digest, content_digest = s.content_digest,
    valid_from = CASE WHEN NOT {_LIVE} AND {_DEAD} THEN i.valid_from ELSE %(effective_at)s END,
    valid_from_run = CASE WHEN NOT {_LIVE} AND {_DEAD} THEN i.valid_from_run ELSE %(run)s END,
    listed_since = CASE WHEN {_LIVE} OR {_DEAD} THEN i.listed_since ELSE %(effective_at)s END,
    deleted_at = CASE WHEN {_DEAD} THEN i.deleted_at END, deleted_run = CASE WHEN {_DEAD} THEN i.deleted_run END,
    invisible_since = CASE WHEN {_DEAD} THEN i.invisible_since END,
    invisible_run = CASE WHEN {_DEAD} THEN i.invisible_run END,
    last_seen_at = CASE WHEN {_DEAD} THEN i.last_seen_at END
FROM pg_temp.stage s
WHERE i.source = %(source)s AND i.id = s.id AND ({{differs}} OR NOT {_LIVE} AND NOT {_DEAD})
"""
INSERT = f"""
INSERT INTO inventory.images (source, {_ALL}, extra, first_seen_at, valid_from, listed_since, valid_from_run,
                              raw_digest, content_digest)
SELECT %(source)s, {of("s")}, s.extra::jsonb, %(effective_at)s, %(effective_at)s, %(effective_at)s, %(run)s,
       s.raw_digest, s.content_digest
FROM pg_temp.stage s
WHERE NOT EXISTS (SELECT FROM inventory.images i WHERE i.source = %(source)s AND i.id = s.id)
"""

# Candidates for removal: missing and confirmed gone or no longer visible, or listed by the cloud itself as deleted.
CREATE_GONE = """
CREATE TEMPORARY TABLE gone (
    id text PRIMARY KEY, approved boolean NOT NULL, waiting boolean NOT NULL, invisible boolean NOT NULL
) ON COMMIT DROP
"""
_CANDIDATE_IDS = f"""
    SELECT unnest(%(gone)s::text[])
    UNION SELECT unnest(%(invisible)s::text[])
    UNION SELECT s.id FROM pg_temp.stage s WHERE {_DEAD} AND NOT EXISTS (
        SELECT FROM inventory.images i WHERE i.source = %(source)s AND i.id = s.id AND NOT {_LIVE})
    UNION SELECT i.id FROM inventory.images i
    WHERE i.source = %(source)s AND {_LIVE} AND {_DEAD_IMAGE} AND i.id <> ALL(%(doubtful)s)
      AND NOT EXISTS (SELECT FROM pg_temp.stage s WHERE s.id = i.id)
"""
FILL_GONE = f"""
INSERT INTO pg_temp.gone (id, approved, waiting, invisible)
SELECT c.id, h.approved_at IS NOT NULL, h.id IS NOT NULL AND h.approved_at IS NULL,
       -- what the cloud itself listed as deleted is deleted
       c.id = ANY(%(invisible)s) AND NOT EXISTS (
           SELECT FROM inventory.images i WHERE i.source = %(source)s AND i.id = c.id AND {_DEAD_IMAGE})
FROM ({_CANDIDATE_IDS}) AS c (id)
LEFT JOIN inventory.held_deletions h ON h.source = %(source)s AND h.id = c.id AND h.closed_at IS NULL
"""
CANDIDATES = """
SELECT count(*) FILTER (WHERE NOT approved), count(*) FILTER (WHERE waiting), count(*) FILTER (WHERE approved),
       count(*) FILTER (WHERE invisible AND approved), count(*) FILTER (WHERE invisible AND NOT waiting),
       (SELECT coalesce(sum(deleted + invisible - approved), 0)::bigint FROM inventory.runs
        WHERE source = %(source)s AND effective_at > %(effective_at)s - interval '24 hours' AND run <> %(run)s)
FROM pg_temp.gone
"""
HOLD = """
WITH held AS (DELETE FROM pg_temp.gone WHERE waiting OR %(all)s AND NOT approved RETURNING id)
INSERT INTO inventory.held_deletions (source, id, run, reason, held_at, last_seen_at)
SELECT i.source, i.id, %(run)s, %(reason)s, %(effective_at)s, greatest(i.valid_from, i.listed_since, src.seen_at)
FROM held JOIN inventory.images i ON i.source = %(source)s AND i.id = held.id
JOIN inventory.sources src ON src.name = i.source
ON CONFLICT DO NOTHING
"""
HELD_BY = """
SELECT coalesce(array_agg(DISTINCT run ORDER BY run) FILTER (WHERE approved_at IS NULL), '{}'), count(*)
FROM inventory.held_deletions WHERE source = %(source)s AND closed_at IS NULL
"""
# Sent when, and only if, the transaction commits. A listener that stopped listening fills a queue of the whole server,
# and a full queue would fail the run: rather than that, nothing is sent.
NOTIFY = """
SELECT pg_notify('inventory_changes', %(payload)s) WHERE pg_notification_queue_usage() < 0.9
"""
# A version that began in this very run has no period of its own.
CLOSE_GONE = f"""{_CLOSE}g.invisible
FROM inventory.images i JOIN pg_temp.gone g ON g.id = i.id
WHERE i.source = %(source)s AND {_LIVE} AND i.valid_from < %(effective_at)s
"""
# The last run that accounted for each image saw it, unless its deletion is held: then the case says when it was seen.
REMOVE = f"""
WITH removed AS (
    UPDATE inventory.images i
    SET deleted_at = CASE WHEN NOT g.invisible THEN %(effective_at)s::timestamptz END,
        deleted_run = CASE WHEN NOT g.invisible THEN %(run)s::bigint END,
        invisible_since = CASE WHEN g.invisible THEN %(effective_at)s::timestamptz END,
        invisible_run = CASE WHEN g.invisible THEN %(run)s::bigint END,
        last_seen_at = greatest(i.valid_from, i.listed_since, coalesce(h.last_seen_at, src.seen_at))
    FROM pg_temp.gone g
    JOIN inventory.sources src ON src.name = %(source)s
    LEFT JOIN inventory.held_deletions h ON h.source = %(source)s AND h.id = g.id AND h.closed_at IS NULL
    WHERE i.source = %(source)s AND i.id = g.id AND {_LIVE}
    RETURNING i.valid_from, i.deleted_at
)
SELECT count(*) FILTER (WHERE deleted_at IS NOT NULL), count(*) FILTER (WHERE deleted_at IS NULL),
       count(*) FILTER (WHERE valid_from < %(effective_at)s) FROM removed
"""
CLOSE_REMOVED = """
UPDATE inventory.held_deletions h
SET closed_at = %(effective_at)s, closed_run = %(run)s,
    outcome = CASE WHEN g.invisible THEN 'invisible' ELSE 'deleted' END
FROM pg_temp.gone g WHERE h.source = %(source)s AND h.id = g.id AND h.closed_at IS NULL
"""
# An image that a list shows again starts anew: it may have been gone in between, or a replica may still think so.
CLOSE_RETURNED = f"""
WITH returned AS (
    UPDATE inventory.held_deletions h
    SET closed_at = %(effective_at)s, closed_run = %(run)s, outcome = 'returned'
    FROM inventory.images i
    WHERE h.source = %(source)s AND h.closed_at IS NULL
      AND NOT EXISTS (SELECT FROM unnest(%(kept)s::text[]) AS k (id) WHERE k.id = h.id)
      AND i.source = h.source AND i.id = h.id AND {_LIVE} AND NOT {_DEAD_IMAGE}
    RETURNING h.id
)
UPDATE inventory.images i SET listed_since = %(effective_at)s
FROM returned WHERE i.source = %(source)s AND i.id = returned.id
  AND NOT EXISTS (SELECT FROM unnest(%(unlisted)s::text[]) AS u (id) WHERE u.id = i.id)
"""
OPEN = """
SELECT id FROM inventory.missing_images WHERE source = %(source)s AND ended_at IS NULL
UNION SELECT id FROM inventory.held_deletions WHERE source = %(source)s AND closed_at IS NULL
"""
COUNT_MISSING = "SELECT count(*) FROM inventory.missing_images WHERE source = %(source)s AND ended_at IS NULL"
COUNT_QUARANTINED = """
SELECT count(*) FROM inventory.quarantine WHERE source = %(source)s AND digest = ANY(%(digests)b)
"""
# Images that are no longer missing: a list shows them again, or they were removed, or their removal is held.
END_MISSING = """
WITH ended AS (
    UPDATE inventory.missing_images m
    SET ended_at = %(effective_at)s, ended_run = %(run)s,
        outcome = CASE WHEN i.deleted_at IS NOT NULL THEN 'deleted'
                       WHEN i.invisible_since IS NOT NULL THEN 'invisible'
                       WHEN EXISTS (SELECT FROM inventory.held_deletions h
                                    WHERE h.source = m.source AND h.id = m.id AND h.closed_at IS NULL) THEN 'held'
                       ELSE 'listed' END
    FROM inventory.images i
    WHERE m.source = %(source)s AND m.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM unnest(%(kept)s::text[]) AS k (id) WHERE k.id = m.id)
      AND i.source = m.source AND i.id = m.id
    RETURNING m.id, m.outcome
)
UPDATE inventory.images i SET listed_since = %(effective_at)s
FROM ended WHERE i.source = %(source)s AND i.id = ended.id AND ended.outcome = 'listed'
"""
DELETED_OF = "SELECT id FROM inventory.images WHERE source = %(source)s AND id = ANY(%(ids)s) AND deleted_run = %(run)s"
_MISSING = "unnest(%(ids)s::text[], %(states)s::text[], %(until)s::timestamptz[]) AS n (id, state, pending_until)"
RENEW_MISSING = f"""
UPDATE inventory.missing_images m
SET state = n.state, state_run = %(run)s, pending_until = n.pending_until
FROM {_MISSING}
WHERE m.source = %(source)s AND m.id = n.id AND m.ended_at IS NULL
  AND (m.state, m.pending_until) IS DISTINCT FROM (n.state, n.pending_until)
"""
BEGIN_MISSING = f"""
INSERT INTO inventory.missing_images (source, id, since, run, state, state_run, pending_until)
SELECT %(source)s, n.id, %(effective_at)s, %(run)s, n.state, %(run)s, n.pending_until
FROM {_MISSING} WHERE NOT EXISTS (
    SELECT FROM inventory.missing_images m WHERE m.source = %(source)s AND m.id = n.id AND m.ended_at IS NULL)
"""
# Listed as deleted by the cloud itself, and stored so by a run that withheld deletions.
ANY_DEAD = f"SELECT EXISTS (SELECT FROM inventory.images i WHERE i.source = %(source)s AND {_LIVE} AND {_DEAD_IMAGE})"

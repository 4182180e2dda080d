"""The invariants of an inventory at rest, whatever happened to it; nearly all of them in SQL.

I2: A run that did not commit changed no table but ``runs``.
I3: ``images`` without tombstones are the open versions, and the reverse.
I4: The periods of one id are not empty, do not overlap, touch while it lives, and leave a gap where it was deleted or
    invisible.
I5: Two versions that touch differ.
I6: Digests are what they should be.
I7: ``effective_at`` strictly rises, and every bound in the history is one.
I8: A removal implies a proven list, a confirmation, and a passed guard or a used approval.
I12: The counts of a run are what it did, and add up.
I13: The past is what it was: each run's digest follows from its record, its changes, and the run before it.
I14: A run says how it ended, and an eventful one left its evidence.

Pruned history is not missed.
"""
# ruff: noqa: S608 - nothing but the column names of fields.py is put into these texts

from __future__ import annotations

from sync.domain.apis import APIS
from sync.domain.fields import COLUMNS
from sync.store.runs.statements import listed_as_deleted, live, of

_CONTENT = (*COLUMNS, "extra")
CONTENTS = ", ".join(_CONTENT)
_PARTS = ", ".join(f"('{api.name}', '{part.name}')" for api in APIS.values() for part in api.parts)

# spans: every period in which an image had one content; the open ones end at infinity. chain: the periods before and
# after each.
COMMON = f"""
WITH pruned AS MATERIALIZED (
    SELECT name AS source, coalesce(pruned_before, '-infinity') AS until FROM inventory.sources
),
took AS MATERIALIZED (
    SELECT r.*, p.until FROM inventory.runs r JOIN pruned p USING (source) WHERE effective_at IS NOT NULL
),
spans AS MATERIALIZED (
    SELECT source, {CONTENTS}, valid_from, valid_to, valid_from_run, valid_to_run, invisible
    FROM inventory.image_versions
    UNION ALL
    SELECT source, {CONTENTS}, valid_from, 'infinity', valid_from_run, NULL, false FROM inventory.images
    WHERE deleted_at IS NULL AND invisible_since IS NULL
),
chain AS MATERIALIZED (
    SELECT source, id, valid_from, valid_to, valid_from_run, valid_to_run, invisible, lag(valid_to) OVER w AS before,
           lag(valid_to_run) OVER w AS before_run, lead(valid_from) OVER w AS after
    FROM spans WINDOW w AS (PARTITION BY source, id ORDER BY valid_from)
),
last AS MATERIALIZED (
    SELECT DISTINCT ON (source, id) * FROM inventory.image_versions ORDER BY source, id, valid_from DESC
),
bounds AS MATERIALIZED (
    SELECT source, id, 'version from' AS what, valid_from AS at, valid_from_run AS run FROM inventory.image_versions
    UNION ALL SELECT source, id, 'version to', valid_to, valid_to_run FROM inventory.image_versions
    UNION ALL SELECT source, id, 'image from', valid_from, valid_from_run FROM inventory.images
    UNION ALL SELECT source, id, 'deleted', deleted_at, deleted_run FROM inventory.images WHERE deleted_at IS NOT NULL
    UNION ALL SELECT source, id, 'invisible', invisible_since, invisible_run FROM inventory.images
              WHERE invisible_since IS NOT NULL
    UNION ALL SELECT source, id, 'held', held_at, run FROM inventory.held_deletions
    UNION ALL SELECT source, id, 'closed', closed_at, closed_run FROM inventory.held_deletions
              WHERE closed_at IS NOT NULL
    UNION ALL SELECT source, id, 'missing', since, run FROM inventory.missing_images
    UNION ALL SELECT source, id, 'missing no more', ended_at, ended_run FROM inventory.missing_images
              WHERE ended_at IS NOT NULL
    UNION ALL SELECT source, id, 'quarantined', first_seen_at, first_run FROM inventory.quarantine
    UNION ALL SELECT source, subject, 'found', first_seen_at, first_run FROM inventory.findings
)
"""

# Each row that one of these finds is a violation.
RULES: dict[str, str] = {
    "I2: a run that did not commit left evidence": """
        SELECT p.run::text FROM inventory.run_pages p LEFT JOIN took r USING (source, run) WHERE r.run IS NULL""",
    "I8: a list that is proven by cover, and whose pages do not cover it": """
        SELECT r.run::text FROM took r JOIN inventory.run_pages p USING (source, run)
        WHERE r.proven_by = 'cover' AND p.reading = r.read_attempts
        GROUP BY r.source, r.run, p.part
        -- a list without rows, in either order, is empty; one without an offset is read by marker
        HAVING NOT (sum(p.row_count) = 0 AND bool_or(p.descending) AND NOT bool_and(p.descending))
          AND CASE WHEN bool_and(p.row_offset IS NULL) THEN range_agg(p.covers_ids) IS DISTINCT FROM '{(,)}'
                   ELSE range_agg(p.covers) IS DISTINCT FROM '{(,)}' END""",
    "I8: a list that is proven without one of its parts": f"""
        SELECT r.run::text FROM took r JOIN inventory.sources s ON s.name = r.source
        JOIN (VALUES {_PARTS}) AS due (api, part) USING (api)
        WHERE r.proven AND EXISTS (
            SELECT FROM inventory.run_pages p
            WHERE p.source = r.source AND p.run = r.run AND p.reading = r.read_attempts AND p.part <> '')
          AND NOT EXISTS (
            SELECT FROM inventory.run_pages p
            WHERE p.source = r.source AND p.run = r.run AND p.reading = r.read_attempts AND p.part = due.part)""",
    "I8: a list that is proven by one answer that does not hold as many images as it says there are": """
        SELECT r.run::text FROM took r JOIN inventory.run_pages p USING (source, run)
        WHERE r.proven_by = 'whole' AND p.reading = r.read_attempts AND NOT p.descending
          AND CASE WHEN p.row_offset IS NULL THEN p.row_count > 0
                   ELSE (p.row_offset, p.row_count) IS DISTINCT FROM (0, coalesce(p.total, 0)) END""",
    "I8: a run that is proven and does not say how, or the other way round": """
        SELECT run::text FROM took WHERE proven <> (proven_by IS NOT NULL)""",
    "I3: a version of no image": """
        SELECT v.id FROM inventory.image_versions v LEFT JOIN inventory.images i USING (source, id)
        WHERE i.id IS NULL""",
    "I3: a deleted image whose last period does not end when it was deleted": """
        SELECT i.id FROM inventory.images i JOIN pruned p USING (source) LEFT JOIN last v USING (source, id)
        WHERE i.deleted_at > p.until AND v.valid_to IS DISTINCT FROM i.deleted_at
          AND (v.id IS NOT NULL OR i.valid_from <> i.deleted_at OR i.first_seen_at <> i.deleted_at)""",
    "I3: an invisible image whose last period does not end so, and then": """
        SELECT i.id FROM inventory.images i JOIN pruned p USING (source) LEFT JOIN last v USING (source, id)
        WHERE i.invisible_since > p.until AND (v.valid_to, v.invisible) IS DISTINCT FROM (i.invisible_since, true)""",
    "I3: a deleted image whose last period ends as that of an invisible one": """
        SELECT i.id FROM inventory.images i JOIN last v USING (source, id)
        WHERE i.deleted_at IS NOT NULL AND v.invisible""",
    "I3: a period that ends as that of an invisible image, and another one follows at once": """
        SELECT v.id FROM inventory.image_versions v JOIN spans s USING (source, id)
        WHERE v.invisible AND s.valid_from = v.valid_to""",
    "I3: an image that is both deleted and invisible": """
        SELECT id FROM inventory.images WHERE deleted_at IS NOT NULL AND invisible_since IS NOT NULL""",
    "I3: an image that is not live, and not as it last was": f"""
        SELECT i.id FROM inventory.images i JOIN last v USING (source, id)
        WHERE NOT {live("i")} AND i.valid_from < coalesce(i.deleted_at, i.invisible_since)
          AND NOT {listed_as_deleted("i")}
          AND (v.valid_from <> i.valid_from OR ({of("i", _CONTENT)}) IS DISTINCT FROM ({of("v", _CONTENT)}))""",
    "I4: an empty period": "SELECT id FROM spans WHERE valid_from >= valid_to",
    "I4: periods that overlap": "SELECT id FROM chain WHERE before > valid_from",
    "I4: periods that touch, bounded by two different runs": """
        SELECT id FROM chain WHERE before = valid_from AND before_run <> valid_from_run""",
    "I4: a gap that begins without a removal": """
        SELECT id FROM chain c WHERE after IS DISTINCT FROM valid_to AND valid_to < 'infinity'
          AND NOT EXISTS (
            SELECT FROM took r WHERE r.source = c.source AND r.run = c.valid_to_run
              AND CASE WHEN c.invisible THEN r.invisible ELSE r.deleted END > 0)""",
    "I4: a gap that ends without a return": """
        SELECT id FROM chain c WHERE before < valid_from
          AND NOT EXISTS (
            SELECT FROM took r WHERE r.source = c.source AND r.run = c.valid_from_run AND r.restored > 0)""",
    "I4: a first period that does not begin when the image was first seen": """
        SELECT c.id FROM chain c JOIN inventory.images i USING (source, id) JOIN pruned p USING (source)
        WHERE c.before IS NULL AND c.valid_from > p.until
          AND (c.valid_from < i.first_seen_at OR c.valid_from > i.first_seen_at
          AND NOT EXISTS (
            SELECT FROM took r WHERE r.source = c.source AND r.run = c.valid_from_run AND r.restored > 0))""",
    "I5: two touching versions that are the same": f"""
        SELECT a.id FROM spans a JOIN spans b ON a.source = b.source AND a.id = b.id AND a.valid_to = b.valid_from
        WHERE ({of("a", _CONTENT)}) IS NOT DISTINCT FROM ({of("b", _CONTENT)})""",
    "I7: effective_at does not rise": """
        SELECT run::text FROM (SELECT run, effective_at <= lag(effective_at) OVER (PARTITION BY source ORDER BY run)
        AS falls FROM took) AS r WHERE falls""",
    "I7, I2, I11: a bound that is not the effective_at of a committed run of its source": """
        SELECT b.what || ' ' || b.id FROM bounds b LEFT JOIN took r ON r.run = b.run AND r.source = b.source
        WHERE r.effective_at IS DISTINCT FROM b.at""",
    "I7: a moment that is not the effective_at of any run of its source": """
        SELECT i.id FROM inventory.images i WHERE NOT EXISTS (
            SELECT FROM took r WHERE r.source = i.source AND r.effective_at = i.first_seen_at)
          OR NOT EXISTS (SELECT FROM took r WHERE r.source = i.source AND r.effective_at = i.listed_since)
          OR i.last_seen_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM took r WHERE r.source = i.source AND r.effective_at = i.last_seen_at)""",
    "I7: a removed image that was last seen never, after its removal, or before its last content": f"""
        SELECT id FROM inventory.images i WHERE {live("i")} <> (last_seen_at IS NULL)
          OR last_seen_at NOT BETWEEN valid_from AND coalesce(deleted_at, invisible_since)""",
    "I7: a source that does not match its last run": """
        SELECT s.name FROM inventory.sources s WHERE
            s.epoch <> (SELECT count(*) FROM took r WHERE r.source = s.name)
            OR s.effective_at IS DISTINCT FROM (SELECT max(effective_at) FROM took r WHERE r.source = s.name)
            OR s.proven_at IS DISTINCT FROM (SELECT max(effective_at) FROM took r WHERE r.source = s.name AND proven)
        """,
    "I7: runs that committed though another was ahead": """
        SELECT run::text FROM (SELECT run, epoch <> row_number() OVER (PARTITION BY source ORDER BY run) - 1 AS off
        FROM took) AS r WHERE off""",
    "I7: a run number that was used twice": "SELECT run::text FROM inventory.runs GROUP BY run HAVING count(*) > 1",
    "I8: removals without a proven list": "SELECT run::text FROM took WHERE deleted + invisible > 0 AND NOT proven",
    "I8: unapproved removals beside newly held ones": """
        SELECT run::text FROM took r WHERE deleted + invisible <> approved AND EXISTS (
            SELECT FROM inventory.held_deletions h WHERE h.source = r.source AND h.run = r.run)""",
    "I8: removed while held, without approval": """
        SELECT id FROM inventory.held_deletions WHERE outcome IN ('deleted', 'invisible') AND approved_at IS NULL""",
    "I7: a source that accounted for its images later than it proved its list": """
        SELECT name FROM inventory.sources WHERE seen_at > proven_at""",
    "I8: approvals that were not used exactly once": """
        SELECT run::text FROM took r WHERE approved <> (SELECT count(*) FROM inventory.held_deletions h
        WHERE h.source = r.source AND h.closed_run = r.run AND h.outcome <> 'returned'
          AND h.approved_at IS NOT NULL)""",
    "I8: removals that were not confirmed": f"""
        SELECT r.run::text FROM took r JOIN (
            SELECT i.source, coalesce(i.deleted_run, i.invisible_run) AS run, count(*) AS n FROM inventory.images i
            WHERE NOT {live("i")} AND NOT {listed_as_deleted("i")} GROUP BY 1, 2
        ) AS went USING (source, run) WHERE r.missing - r.still_there - r.unconfirmed - r.pending < went.n""",
    "I8: confirmed removals that were neither made nor held": """
        SELECT run::text FROM took WHERE missing - still_there - unconfirmed - pending > deleted + invisible + held""",
    "I8: unconfirmed images, and nothing is withheld": """
        SELECT run::text FROM took WHERE unconfirmed > 0 AND status = 'done'""",
    "I8: missing images that are not on record, or not as the last proven list found them": """
        SELECT s.name FROM inventory.sources s JOIN took r ON r.source = s.name AND r.effective_at = s.proven_at
        LEFT JOIN (
            SELECT source, count(*) FILTER (WHERE state = 'still_there') AS still_there,
                   count(*) FILTER (WHERE state = 'unconfirmed') AS unconfirmed,
                   count(*) FILTER (WHERE state = 'pending') AS pending
            FROM inventory.missing_images JOIN inventory.sources ON name = source
            WHERE ended_at IS NULL OR ended_at > proven_at GROUP BY 1 -- a later list that is not proven may show some
        ) AS m ON m.source = s.name
        WHERE (r.still_there, r.unconfirmed, r.pending)
              <> (coalesce(m.still_there, 0), coalesce(m.unconfirmed, 0), coalesce(m.pending, 0))""",
    "I8: a missing image that is not live": f"""
        SELECT m.id FROM inventory.missing_images m LEFT JOIN inventory.images i USING (source, id)
        WHERE m.ended_at IS NULL AND (i.id IS NULL OR NOT {live("i")})""",
    "I8: an image that was listed again, with an older listed_since": f"""
        SELECT i.id FROM inventory.images i JOIN inventory.missing_images m USING (source, id)
        WHERE m.outcome = 'listed' AND {live("i")} AND i.listed_since < m.ended_at""",
    "I8: an open case of an image that is not live": f"""
        SELECT h.id FROM inventory.held_deletions h LEFT JOIN inventory.images i USING (source, id)
        WHERE h.closed_at IS NULL AND (i.id IS NULL OR NOT {live("i")})""",
    "I8: a case closed by a removal that is not there": """
        SELECT h.id FROM inventory.held_deletions h JOIN pruned p USING (source)
        WHERE h.outcome <> 'returned' AND h.closed_at > p.until
          AND NOT EXISTS (SELECT FROM inventory.images i WHERE i.source = h.source AND i.id = h.id
                          AND CASE h.outcome WHEN 'deleted' THEN i.deleted_run ELSE i.invisible_run END = h.closed_run)
          AND NOT EXISTS (SELECT FROM inventory.image_versions v WHERE v.source = h.source AND v.id = h.id
                          AND v.valid_to_run = h.closed_run AND v.invisible = (h.outcome = 'invisible'))""",
    "I8: an approval without its moment or its name": """
        SELECT id FROM inventory.held_deletions WHERE (approved_at IS NULL) <> (approved_by IS NULL)""",
    "I12: received is not the sum of its parts": """
        SELECT run::text FROM took
        WHERE received <> created + updated + restored + unchanged + duplicates + quarantined""",
    "I12: listed is not received without duplicates": """
        SELECT run::text FROM took WHERE listed <> received - duplicates""",
    "I12: a count below zero": """
        SELECT run::text FROM inventory.runs
        WHERE least(received, listed, created, updated, restored, deleted, approved, held, unchanged, duplicates) < 0
           OR invisible < 0 OR least(quarantined, missing, still_there, unconfirmed, pending, type_mismatches) < 0
           OR least(requests, retries, bytes, pages) < 0
           OR still_there + unconfirmed + pending > missing OR approved > deleted + invisible""",
    "I12: created does not match the new images": """
        SELECT r.run::text FROM took r LEFT JOIN (
            SELECT source, first_seen_at AS at, count(*) AS n FROM inventory.images GROUP BY 1, 2
        ) AS came ON came.source = r.source AND came.at = r.effective_at WHERE r.created <> coalesce(came.n, 0)""",
    "I12: restored does not match the images that came back": """
        SELECT r.run::text FROM took r LEFT JOIN (
            SELECT c.source, c.valid_from AS at, count(*) AS n FROM chain c JOIN inventory.images i USING (source, id)
            WHERE c.before IS DISTINCT FROM c.valid_from AND i.first_seen_at < c.valid_from GROUP BY 1, 2
        ) AS back ON back.source = r.source AND back.at = r.effective_at
        WHERE r.effective_at > r.until AND r.restored <> coalesce(back.n, 0)""",
    "I12: updated is less than what changed": """
        SELECT r.run::text FROM took r JOIN (
            SELECT source, valid_from AS at, count(*) AS n FROM chain WHERE before = valid_from GROUP BY 1, 2
        ) AS changed ON changed.source = r.source AND changed.at = r.effective_at WHERE r.updated < changed.n""",
    "I12: deleted does not match the images that went": """
        SELECT r.run::text FROM took r LEFT JOIN (
            SELECT source, at, count(*) AS n FROM (
                SELECT source, valid_to AS at FROM chain WHERE after IS DISTINCT FROM valid_to AND NOT invisible
                UNION ALL
                SELECT i.source, i.first_seen_at FROM inventory.images i WHERE NOT EXISTS (
                    SELECT FROM chain c WHERE c.source = i.source AND c.id = i.id AND c.valid_from = i.first_seen_at)
            ) AS each GROUP BY 1, 2
        ) AS went ON went.source = r.source AND went.at = r.effective_at
        WHERE r.effective_at > r.until AND r.deleted <> coalesce(went.n, 0)""",
    "I12: invisible does not match the images that were no longer visible": """
        SELECT r.run::text FROM took r LEFT JOIN (
            SELECT source, valid_to AS at, count(*) AS n FROM chain
            WHERE after IS DISTINCT FROM valid_to AND invisible GROUP BY 1, 2
        ) AS went ON went.source = r.source AND went.at = r.effective_at
        WHERE r.effective_at > r.until AND r.invisible <> coalesce(went.n, 0)""",
    "I14: a run that does not say how it ended": """
        SELECT run::text FROM inventory.runs WHERE (status = 'running') <> (finished_at IS NULL)
          OR status IN ('failed', 'interrupted', 'superseded') AND (error IS NULL OR reason = '')
          OR status IN ('done', 'withheld') AND ((status = 'withheld') <> (reason <> '') OR error IS NOT NULL)""",
    "I14: an eventful run without its evidence": """
        SELECT run::text FROM took r
        WHERE effective_at > until AND (
            SELECT count(*) FROM inventory.run_pages p WHERE p.source = r.source AND p.run = r.run) <>
        CASE WHEN created + updated + restored + deleted + invisible + held > 0 OR status = 'withheld' THEN pages
             ELSE 0 END""",
    "I13: a digest of a run that did not commit": """
        SELECT run::text FROM inventory.runs
        WHERE effective_at IS NULL AND (digest IS NOT NULL OR changes_digest IS NOT NULL)""",
    "I13: history marked as pruned, without a pruning on record": """
        SELECT name FROM inventory.sources s WHERE pruned_before IS DISTINCT FROM (
            SELECT max(p.pruned_before) FROM inventory.prunings p WHERE p.source = s.name)""",
    "I6: a digest of the wrong length": """
        SELECT id FROM inventory.images WHERE length(raw_digest) <> 16 OR length(content_digest) <> 16""",
}

-- How far can the inventory be trusted? One row per source.
CREATE VIEW inventory.freshness AS
SELECT s.name AS source, s.filter, s.proven_at, clock_timestamp() - s.proven_at AS age,
       proven.run AS proven_run, last.run AS last_run, last.status AS last_status, last.started_at AS last_started_at,
       last.proof AS last_proof, last.reason AS last_reason, since.failed AS failed_since,
       (SELECT count(*) FROM inventory.images i
        WHERE i.source = s.name AND i.deleted_at IS NULL AND i.invisible_since IS NULL) AS live,
       (SELECT count(*) FROM inventory.images i WHERE i.source = s.name AND i.deleted_at IS NOT NULL) AS deleted,
       (SELECT count(*) FROM inventory.images i WHERE i.source = s.name AND i.invisible_since IS NOT NULL) AS invisible,
       (SELECT count(*) FROM inventory.held_deletions h WHERE h.source = s.name AND h.closed_at IS NULL) AS held,
       missing.still_there, missing.unconfirmed, missing.pending, missing.pending_until,
       (SELECT count(*) FROM inventory.quarantine q WHERE q.source = s.name) AS quarantined,
       (SELECT count(*) FROM inventory.findings f WHERE f.source = s.name) AS findings
FROM inventory.sources s
LEFT JOIN inventory.runs proven ON proven.source = s.name AND proven.effective_at = s.proven_at
LEFT JOIN LATERAL (
    SELECT r.run, r.status, r.started_at, r.proof, r.reason FROM inventory.runs r
    WHERE r.source = s.name ORDER BY r.run DESC LIMIT 1
) AS last ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS failed FROM inventory.runs r
    WHERE r.source = s.name AND r.run > coalesce(proven.run, 0) AND r.status NOT IN ('running', 'skipped', 'superseded')
) AS since
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.state = 'still_there') AS still_there,
           count(*) FILTER (WHERE m.state = 'unconfirmed') AS unconfirmed,
           count(*) FILTER (WHERE m.state = 'pending') AS pending, max(m.pending_until) AS pending_until
    FROM inventory.missing_images m WHERE m.source = s.name AND m.ended_at IS NULL
) AS missing;

COMMENT ON VIEW inventory.freshness IS
    'How far each source can be trusted: when its list was last proven complete, and what came since';
COMMENT ON COLUMN inventory.freshness.source IS 'Name of the source in the settings';
COMMENT ON COLUMN inventory.freshness.age IS 'How long ago its list was last proven complete; NULL: it never was';
COMMENT ON COLUMN inventory.freshness.proven_run IS 'Run that proved it last';
COMMENT ON COLUMN inventory.freshness.last_run IS 'Newest run, however it ended';
COMMENT ON COLUMN inventory.freshness.last_status IS 'How the newest run ended, or running';
COMMENT ON COLUMN inventory.freshness.last_started_at IS 'When the newest run began';
COMMENT ON COLUMN inventory.freshness.last_proof IS 'Why the newest list is or is not proven, in words';
COMMENT ON COLUMN inventory.freshness.last_reason IS 'Why the newest run ended that way, in words';
COMMENT ON COLUMN inventory.freshness.failed_since IS
    'Ended runs since the last proven one; each failed, or could not prove its list';
COMMENT ON COLUMN inventory.freshness.live IS 'Images that exist';
COMMENT ON COLUMN inventory.freshness.deleted IS
    'Images that are gone, those that the cloud listed as deleted from the first included';
COMMENT ON COLUMN inventory.freshness.invisible IS
    'Images of other projects that are no longer visible: not shared any more, or gone';
COMMENT ON COLUMN inventory.freshness.held IS 'Removals that wait for a person';
COMMENT ON COLUMN inventory.freshness.still_there IS
    'Images that the last proven list lacked, and that the cloud still has: they left the filter';
COMMENT ON COLUMN inventory.freshness.unconfirmed IS
    'Images that the last proven list lacked, and for which the cloud did not say whether they are gone';
COMMENT ON COLUMN inventory.freshness.pending IS
    'Images that the last proven list lacked, and that were listed too recently to be believed gone';
COMMENT ON COLUMN inventory.freshness.pending_until IS 'When the last of the pending ones may be believed gone';
COMMENT ON COLUMN inventory.freshness.quarantined IS 'Records that cannot be read as an image';
COMMENT ON COLUMN inventory.freshness.findings IS 'Other things worth knowing; see the table of this name';

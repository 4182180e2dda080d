-- What happened to which image, when, and found by which run? One row per changed field.
CREATE VIEW inventory.image_changes AS
SELECT h.source, h.id, h.name, h.valid_from AS at,
       greatest(CASE WHEN p.valid_to < h.valid_from THEN p.valid_to ELSE p.valid_from END, (
           SELECT max(r.effective_at) FROM inventory.runs r
           WHERE r.source = h.source AND r.effective_at < h.valid_from
             AND r.proven AND r.unconfirmed + r.pending + r.held + r.quarantined = 0
       )) AS not_before,
       h.valid_from_run AS run,
       CASE WHEN p.valid_to = h.valid_from THEN 'updated'
            WHEN p.id IS NOT NULL OR s.pruned_before >= (
                SELECT i.first_seen_at FROM inventory.images i WHERE i.source = h.source AND i.id = h.id
            ) THEN 'restored' ELSE 'created' END AS kind,
       f.field, inventory.field_text(ROW(p.*)::inventory.image_version, f.field) AS old, inventory.field_text(ROW(h.*)::inventory.image_version, f.field) AS new
FROM inventory.image_history h
JOIN inventory.sources s ON s.name = h.source AND (s.pruned_before IS NULL OR h.valid_from > s.pruned_before)
LEFT JOIN LATERAL (
    SELECT * FROM inventory.image_history e
    WHERE e.source = h.source AND e.id = h.id AND e.valid_to <= h.valid_from
    ORDER BY e.valid_from DESC LIMIT 1
) AS p ON true
CROSS JOIN LATERAL unnest(
    CASE WHEN p.id IS NULL THEN ARRAY[NULL::text]
         WHEN p.valid_to = h.valid_from THEN inventory.changed_fields(ROW(p.*)::inventory.image_version, ROW(h.*)::inventory.image_version)
         ELSE NULL::text || inventory.changed_fields(ROW(p.*)::inventory.image_version, ROW(h.*)::inventory.image_version) END
) AS f (field)
UNION ALL
SELECT v.source, v.id, v.name, v.valid_to,
       coalesce(nullif(i.last_seen_at, v.valid_to), greatest(v.valid_from, (
           SELECT max(r.effective_at) FROM inventory.runs r
           WHERE r.source = v.source AND r.effective_at < v.valid_to
             AND r.proven AND r.unconfirmed + r.pending + r.held + r.quarantined = 0
       ))),
       v.valid_to_run, CASE WHEN v.invisible THEN 'invisible' ELSE 'deleted' END, NULL, NULL, NULL
FROM inventory.image_versions v
LEFT JOIN inventory.images i ON i.source = v.source AND i.id = v.id AND coalesce(i.deleted_at, i.invisible_since) = v.valid_to
-- Not image_history, of which older versions of PostgreSQL make a join by time alone.
WHERE NOT EXISTS (
    SELECT FROM inventory.image_versions n WHERE n.source = v.source AND n.id = v.id AND n.valid_from = v.valid_to
) AND NOT EXISTS (
    SELECT FROM inventory.images n
    WHERE n.source = v.source AND n.id = v.id AND n.valid_from = v.valid_to
      AND n.deleted_at IS NULL AND n.invisible_since IS NULL
);

COMMENT ON VIEW inventory.image_changes IS
    'Everything that happened to images: one row per changed field; '
    'an image that was created, deleted or restored, or is no longer visible, has one row without a field. '
    'An image that the cloud already listed as deleted when it was first seen never was live, and is not here';
COMMENT ON COLUMN inventory.image_changes.name IS 'Name of the image after the change; of one that went, its last';
COMMENT ON COLUMN inventory.image_changes.at IS 'When the change was found: it happened no later than that';
COMMENT ON COLUMN inventory.image_changes.not_before IS
    'When the image was last seen as it had been, or, of a new one, last not seen by a run that saw all of its list; '
    'NULL: nobody had looked before';
COMMENT ON COLUMN inventory.image_changes.run IS 'Run that found it';
COMMENT ON COLUMN inventory.image_changes.kind IS
    'created, updated, deleted, restored, or invisible: an image of another project that is no longer visible';
COMMENT ON COLUMN inventory.image_changes.field IS 
    'Column that changed, or extra.<name> for a property of extra; NULL: the image itself came or went';
COMMENT ON COLUMN inventory.image_changes.old IS 'Its value before, as text; NULL: it had none';
COMMENT ON COLUMN inventory.image_changes.new IS 'Its value after, as text; NULL: it has none';

-- What changed between two moments? Only the two states count, not what came and went in between.
CREATE FUNCTION inventory.images_diff(from_moment timestamptz, to_moment timestamptz, of_source text DEFAULT NULL)
RETURNS TABLE (source text, id text, name text, change text, field text, old text, new text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT coalesce(o.source, n.source), coalesce(o.id, n.id), coalesce(n.name, o.name),
       CASE WHEN n.id IS NULL THEN (
                SELECT CASE WHEN e.invisible THEN 'invisible' ELSE 'deleted' END FROM inventory.image_versions e
                WHERE e.source = o.source AND e.id = o.id AND e.valid_to <= to_moment
                ORDER BY e.valid_from DESC LIMIT 1
            )
            WHEN o.id IS NOT NULL THEN 'updated'
            ELSE (
                SELECT CASE WHEN from_moment < s.pruned_before THEN 'unclear'
                            WHEN i.first_seen_at <= s.pruned_before OR EXISTS (
                                SELECT FROM inventory.image_versions e
                                WHERE e.source = i.source AND e.id = i.id AND e.valid_to <= from_moment
                            ) THEN 'restored' ELSE 'created' END
                FROM inventory.images i JOIN inventory.sources s ON s.name = i.source
                WHERE i.source = n.source AND i.id = n.id
            ) END,
       f.field, inventory.field_text(ROW(o.*)::inventory.image_version, f.field),
       inventory.field_text(ROW(n.*)::inventory.image_version, f.field)
FROM (
    SELECT * FROM inventory.image_history h
    WHERE h.valid_from <= from_moment AND h.valid_to > from_moment AND h.valid_to <= to_moment
      AND (of_source IS NULL OR h.source = of_source)
) AS o
FULL JOIN (
    SELECT * FROM inventory.image_history h
    WHERE h.valid_from > from_moment AND h.valid_from <= to_moment AND (h.valid_to > to_moment OR h.valid_to IS NULL)
      AND (of_source IS NULL OR h.source = of_source)
) AS n ON n.source = o.source AND n.id = o.id
CROSS JOIN LATERAL unnest(
    CASE WHEN o.id IS NULL OR n.id IS NULL THEN ARRAY[NULL::text]
         ELSE inventory.changed_fields(ROW(o.*)::inventory.image_version, ROW(n.*)::inventory.image_version) END
) AS f (field)
$$;

COMMENT ON FUNCTION inventory.images_diff IS
    'The changes from one moment to another: one row per image and changed field; '
    'an image that was created, deleted or restored, or is no longer visible, has one row without a field. '
    'If history from the first moment was pruned, changes are missing, and what is new there is unclear';

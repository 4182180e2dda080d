-- What changed between two moments? Only the two states count, not what came and went in between.
CREATE FUNCTION inventory.images_diff(from_moment timestamptz, to_moment timestamptz, of_source text DEFAULT NULL)
RETURNS TABLE (source text, id text, name text, change text, field text, old text, new text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT coalesce(o.source, n.source), coalesce(o.id, n.id), coalesce(n.name, o.name),
       CASE WHEN n.id IS NULL THEN 'deleted' WHEN o.id IS NOT NULL THEN 'updated'
            WHEN from_moment < (
                SELECT i.first_seen_at FROM inventory.images i WHERE i.source = n.source AND i.id = n.id
            ) THEN 'created' ELSE 'restored' END,
       f.field, inventory.field_text(o, f.field), inventory.field_text(n, f.field)
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
    CASE WHEN o.id IS NULL OR n.id IS NULL THEN ARRAY[NULL::text] ELSE inventory.changed_fields(o, n) END
) AS f (field)
$$;

COMMENT ON FUNCTION inventory.images_diff IS
    'What changed from one moment to another: a row a changed field of each image; '
    'what was created, deleted or restored has one row without a field';

-- Which images became public or private, and which lost or got their protection?
CREATE VIEW inventory.exposure_changes AS
SELECT c.source, c.id, c.name, c.at, c.not_before, c.run, c.kind, c.field, c.old, c.new,
       CASE WHEN (c.field, c.new) IN (('visibility', 'public'), ('protected', 'false')) THEN 'widened'
            WHEN (c.field, c.new) IN (('visibility', 'private'), ('protected', 'true')) THEN 'narrowed'
            WHEN c.field = 'visibility' AND w.before < w.after THEN 'widened'
            WHEN c.field = 'visibility' AND w.before > w.after THEN 'narrowed'
            ELSE 'unclear' END AS exposure
FROM inventory.image_changes c
CROSS JOIN LATERAL (
    SELECT array_position(v.widening, c.old) AS before, array_position(v.widening, c.new) AS after
    FROM (VALUES (ARRAY['private', 'shared', 'community', 'public'])) AS v (widening)
) AS w
WHERE c.field IN ('visibility', 'protected');

COMMENT ON VIEW inventory.exposure_changes IS
    'Changes of who sees an image and of whether it is protected, from image_changes';
COMMENT ON COLUMN inventory.exposure_changes.exposure IS
    'widened: more projects may see it, or it lost its protection; narrowed: the reverse; unclear: '
    'no document names this value';

-- Which images became public or private, and which lost or got their protection?
CREATE VIEW inventory.exposure_changes AS
SELECT c.source, c.id, c.name, c.at, c.not_before, c.run, c.kind, c.field, c.old, c.new,
       CASE WHEN (c.field, c.new) IN (('visibility', 'public'), ('protected', 'false')) THEN 'widened'
            WHEN (c.field, c.new) IN (('visibility', 'private'), ('protected', 'true')) THEN 'narrowed'
            ELSE 'unclear' END AS exposure
FROM inventory.image_changes c
WHERE c.field IN ('visibility', 'protected');

COMMENT ON VIEW inventory.exposure_changes IS
    'Changes of who sees an image and of whether it is protected, from image_changes';
COMMENT ON COLUMN inventory.exposure_changes.exposure IS
    'widened: it became public, or lost its protection; narrowed: the reverse; unclear: '
    'the document does not name this value';

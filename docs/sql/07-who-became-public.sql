-- Who was private and became public, what lost its protection, and found by which run?
SELECT id, name, field, old, new, exposure, run
FROM inventory.exposure_changes
ORDER BY at, id, field
LIMIT 10;

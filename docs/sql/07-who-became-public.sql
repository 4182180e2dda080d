-- Which images became public or lost their protection, and which run found it?
SELECT id, name, field, old, new, exposure, run
FROM inventory.exposure_changes
ORDER BY at, id, field
LIMIT 10;

-- Which images became visible to more or fewer projects, or lost or got protection, and which run found it?
SELECT id, name, field, old, new, exposure, run
FROM inventory.exposure_changes
ORDER BY at, id, field
LIMIT 10;

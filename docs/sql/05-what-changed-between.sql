-- What changed between two moments? Here: between the first and the last run.
SELECT name, change, field, old, new
FROM inventory.images_diff(
    (SELECT min(effective_at) FROM inventory.runs), (SELECT max(effective_at) FROM inventory.runs)
)
ORDER BY change, name, field
LIMIT 15;

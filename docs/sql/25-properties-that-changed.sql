-- Which properties without a column changed, and how? In a difference, each is a field of its own: extra.NAME.
SELECT source, id, name, field, old, new, run
FROM inventory.image_changes
WHERE field LIKE 'extra.%'
ORDER BY at DESC, source, id, field
LIMIT 10;

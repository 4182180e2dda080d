-- What is the history of one image? Here: one that was deleted and came back.
SELECT c.kind, c.field, c.old, c.new, c.run
FROM inventory.image_changes c
WHERE c.id = (SELECT min(id) FROM inventory.flapping_images WHERE returns > 0)
ORDER BY c.at, c.field NULLS FIRST;

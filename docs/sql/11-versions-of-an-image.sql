-- Which versions did an image have, and from which run to which?
SELECT name, status, min_disk, valid_from_run, valid_to_run, valid @> now() AS holds_now
FROM inventory.image_history
WHERE id = (SELECT min(id) FROM inventory.image_changes WHERE kind = 'updated')
ORDER BY valid_from;

-- What existed at a moment? Here: that of run 1; any timestamp will do.
SELECT status, visibility, count(*) AS images, min(observed_run) AS seen_by_run, min(observed_next_run) AS next_looked
FROM inventory.images_as_of((SELECT effective_at FROM inventory.runs WHERE run = 1))
GROUP BY status, visibility
ORDER BY images DESC, status, visibility;

-- How far can an answer about a moment be trusted? Here: a year before the first run.
SELECT source, run_before, run_after, doubt, says
FROM inventory.observed((SELECT min(started_at) - interval '1 year' FROM inventory.runs))
ORDER BY source;

-- How far can I trust what I see? The age is that of the last list proven complete.
SELECT source, age < interval '1 hour' AS fresh, proven_run, last_run, last_status, failed_since, live, held, quarantined
FROM inventory.freshness
ORDER BY source;

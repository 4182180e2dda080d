-- How did the inventory grow, day by day?
SELECT source, runs, live, created, changed, restored, deleted
FROM inventory.daily_counts
ORDER BY source, day;

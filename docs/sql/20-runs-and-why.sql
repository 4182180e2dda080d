-- How did each run end, what did it find, and why may its deletions be believed?
SELECT run, status, listed, created, updated, restored, deleted, unchanged, proven, proof
FROM inventory.runs
ORDER BY run;

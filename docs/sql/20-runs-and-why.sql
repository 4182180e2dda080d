-- How did each run end, what did it find, and why can its deletions be trusted?
SELECT run, status, listed, created, updated, restored, deleted, invisible, unchanged, proven, proof
FROM inventory.runs
ORDER BY run;

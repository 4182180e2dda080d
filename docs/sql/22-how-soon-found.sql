-- How long did it take at most to find a change?
SELECT kind, count(*) AS changes, max(at - not_before) < interval '1 day' AS within_a_day
FROM inventory.image_changes
WHERE not_before IS NOT NULL
GROUP BY kind
ORDER BY kind;

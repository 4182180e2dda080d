-- Which fields change most?
SELECT field, count(*) AS changes, count(DISTINCT id) AS images
FROM inventory.image_changes
WHERE kind = 'updated'
GROUP BY field
ORDER BY changes DESC, field;

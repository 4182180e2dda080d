-- Which names do several images share?
SELECT source, name, count(*) AS images
FROM inventory.live_images
GROUP BY source, name
HAVING count(*) > 1
ORDER BY images DESC, name
LIMIT 10;

-- What exists now, by operating system?
SELECT os_version, count(*) AS images, count(*) FILTER (WHERE visibility = 'public') AS public
FROM inventory.live_images
GROUP BY os_version
ORDER BY images DESC, os_version
LIMIT 10;

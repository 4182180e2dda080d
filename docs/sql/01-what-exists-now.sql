-- What exists now, by operating system?
SELECT inventory.operating_system(os_version, extra) AS system, count(*) AS images,
       count(*) FILTER (WHERE visibility = 'public') AS public
FROM inventory.live_images
GROUP BY system
ORDER BY images DESC, system
LIMIT 10;

-- How many images use an operating system without updates? Here: CentOS.
SELECT os_version, count(*) AS images
FROM inventory.live_images
WHERE platform = 'CentOS'
GROUP BY os_version
ORDER BY images DESC, os_version;

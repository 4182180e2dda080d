-- How many images use an operating system without updates? Here: CentOS, whatever an API calls it.
SELECT inventory.operating_system(os_version, extra) AS system, count(*) AS images
FROM inventory.live_images
WHERE inventory.operating_system(os_version, extra) ILIKE 'centos %'
GROUP BY system
ORDER BY images DESC, system;

-- How many private images could be deleted by accident, by operating system?
SELECT os_type, count(*) AS unprotected
FROM inventory.live_images
WHERE imagetype = 'private' AND protected IS NOT TRUE
GROUP BY os_type
ORDER BY unprotected DESC, os_type;

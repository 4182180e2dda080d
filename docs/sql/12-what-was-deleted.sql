-- What was deleted within the last 7 days, and between which two readings of the cloud?
SELECT name, inventory.operating_system(os_version, extra) AS system, deleted_at > last_seen_at AS seen_before,
       deleted_run
FROM inventory.deleted_images
WHERE deleted_at > now() - interval '7 days'
ORDER BY name, id;

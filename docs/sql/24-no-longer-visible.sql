-- Which images of other projects are no longer visible, since when, and in which systems?
SELECT source, name, owner, inventory.operating_system(os_version, extra) AS system, invisible_since, last_seen_at
FROM inventory.invisible_images
ORDER BY invisible_since DESC, source, id;

-- Which images can everyone see although they were made for one account (IEC, IMS) or one project (Glance)?
SELECT i.source, i.id, i.name, i.owner
FROM inventory.live_images i JOIN inventory.sources s ON s.name = i.source
WHERE i.visibility IN ('public', 'community')
  AND (i.imagetype = 'private' OR s.api = 'glance' AND split_part(s.scope, '&', 1) = 'project=' || i.owner)
ORDER BY i.name, i.id
LIMIT 10;

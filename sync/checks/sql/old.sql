-- title: Image that has not changed for years
-- severity: low
-- why: Its software is as old, with all the vulnerabilities found since.
-- do: Rebuild it, or delete it.
-- threshold: days = 1095 -- how many days without a change are acceptable
SELECT source, id, name, 'last changed ' || inventory.instant(coalesce(updated_at, created_at)) AS detail
FROM live_images
WHERE coalesce(updated_at, created_at) < CAST(:moment AS timestamptz) - CAST(:days AS int) * interval '1 day'

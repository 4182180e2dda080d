-- title: Image that was not changed for years
-- severity: low
-- why: It holds software of that time, with the holes known since.
-- do: Build it anew, or delete it.
-- threshold: days = 1095 -- how many days without a change are fine
SELECT source, id, name, 'last changed ' || inventory.instant(coalesce(updated_at, created_at)) AS detail
FROM live_images
WHERE coalesce(updated_at, created_at) < CAST(:moment AS timestamptz) - CAST(:days AS int) * interval '1 day'

-- title: Name shared by several images
-- severity: low
-- why: Anyone who chooses an image by its name may get any of them.
-- do: Rename or delete all but one.
SELECT source, id, name, 'one of ' || images || ' of this name' AS detail
FROM (SELECT source, id, name, count(*) OVER (PARTITION BY source, name) AS images FROM live_images) AS named
WHERE images > 1

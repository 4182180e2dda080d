-- title: Image that could not be created
-- severity: medium
-- why: Its status is killed: it takes up space and can never be used.
-- do: Delete it, and create it again if it is needed.
SELECT source, id, name, 'status killed' AS detail
FROM live_images
WHERE status = 'killed'

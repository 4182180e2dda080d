-- title: Image that could not be made
-- severity: medium
-- why: Its status is killed: it takes room and can never be used.
-- do: Delete it, and make it again if it is needed.
SELECT source, id, name, 'status killed' AS detail
FROM live_images
WHERE status = 'killed'

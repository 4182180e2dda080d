-- title: Active image that is not registered
-- severity: low
-- why: It cannot be used until it is registered.
-- do: Register or delete it.
SELECT source, id, name, 'active, not registered' AS detail
FROM live_images
WHERE status = 'active' AND isregistered IS FALSE

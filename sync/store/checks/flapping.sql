-- title: Image that comes and goes
-- severity: medium
-- why: Something deletes and makes it again and again, or two of the cloud's replicas disagree.
-- do: Look at its changes: `image-sync history ID`.
-- threshold: returns = 2 -- how often within 30 days is one too many
SELECT source, id, name, 'came back ' || returns || ' times within 30 days' AS detail
FROM inventory.flapping_images
WHERE returns >= CAST(:returns AS int)

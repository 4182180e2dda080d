-- title: Image that comes and goes
-- severity: medium
-- why: Something deletes and makes it again and again, or two of the cloud's replicas disagree.
-- do: Look at its changes: `image-sync history ID`.
-- threshold: returns = 2 -- how often within 30 days is one too many
SELECT source, id, (array_agg(name ORDER BY at DESC))[1] AS name,
       'came back ' || count(*) || ' times within 30 days' AS detail
FROM inventory.image_changes
WHERE kind = 'restored' AND field IS NULL
  AND at <= :moment AND at > CAST(:moment AS timestamptz) - interval '30 days'
GROUP BY source, id
HAVING count(*) >= CAST(:returns AS int)

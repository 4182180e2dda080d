-- title: Image that comes and goes
-- severity: medium
-- why: Something keeps deleting and recreating it, or two of the cloud's replicas disagree.
-- do: Look at its changes: `image-sync history ID`.
-- threshold: returns = 2 -- how many returns within 30 days are too many
SELECT source, id, (array_agg(name ORDER BY at DESC))[1] AS name,
       'came back ' || count(*) || ' times within 30 days' AS detail
FROM inventory.image_changes
WHERE kind = 'restored' AND field IS NULL
  AND at <= :moment AND at > CAST(:moment AS timestamptz) - interval '30 days'
GROUP BY source, id
HAVING count(*) >= CAST(:returns AS int)

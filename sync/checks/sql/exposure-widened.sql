-- title: Image that became public, or lost its protection
-- severity: high
-- why: Such a change is rarely meant, and easily overlooked.
-- do: Ask its owner; the run named here found it.
-- threshold: days = 7 -- how many days back
SELECT source, id, name,
       concat(field, ': ', coalesce(old, 'nothing'), ' -> ', coalesce(new, 'nothing'), ', found by run ', run) AS detail
FROM inventory.exposure_changes
WHERE exposure = 'widened' AND at <= :moment AND at > CAST(:moment AS timestamptz) - CAST(:days AS int) * interval '1 day'

-- title: Image that became visible to more projects, or lost its protection
-- severity: high
-- why: Such a change is rarely intended and easily overlooked.
-- do: Ask the owner of the image; the finding names the run that found the change.
-- threshold: days = 7 -- how many days to look back
SELECT source, id, name,
       concat(field, ': ', coalesce(old, 'nothing'), ' -> ', coalesce(new, 'nothing'), ', found by run ', run) AS detail
FROM inventory.exposure_changes
WHERE exposure = 'widened' AND at <= :moment AND at > CAST(:moment AS timestamptz) - CAST(:days AS int) * interval '1 day'

-- title: Image of an operating system that no longer gets security updates
-- severity: high
-- why: Every machine started from it has known vulnerabilities that nobody will fix.
-- do: Rebuild it on a system that is still supported, then delete it. The dates are in end_of_life.csv; give a file of
--     your own with `end_of_life_file`.
-- threshold: days = 0 -- how many days before that date to report the image
SELECT DISTINCT ON (i.source, i.id) i.source, i.id, i.name,
       i.system || ': updates ended or end on ' || e.until AS detail
FROM (SELECT source, id, name, inventory.operating_system(os_version, extra) AS system FROM live_images) AS i
JOIN jsonb_to_recordset(CAST(:systems AS jsonb)) AS e (system text, until date)
  ON starts_with(lower(i.system), lower(e.system)) AND substr(i.system, length(e.system) + 1, 1) !~ '[0-9]'
WHERE e.until < CAST(CAST(:moment AS timestamptz) AT TIME ZONE 'UTC' AS date) + CAST(:days AS int)
  AND NOT EXISTS ( -- a longer name, such as that of a service pack, says more
      SELECT FROM jsonb_to_recordset(CAST(:systems AS jsonb)) AS n (system text)
      WHERE starts_with(lower(i.system), lower(n.system)) AND length(n.system) > length(e.system))
ORDER BY i.source, i.id

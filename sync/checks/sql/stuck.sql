-- title: Image that has been in creation for too long
-- severity: medium
-- why: It should be active within hours; most likely the upload or the export has failed.
-- do: Look for its job in the cloud (`relation_job_id` in IEC), and create it again.
-- threshold: hours = 24 -- how long creation may take
SELECT source, id, name,
       status || ' since ' || inventory.instant(coalesce(updated_at, created_at)) AS detail
FROM live_images
WHERE status IN ('queued', 'saving', 'uploading', 'importing')
  AND coalesce(updated_at, created_at) < CAST(:moment AS timestamptz) - CAST(:hours AS int) * interval '1 hour'

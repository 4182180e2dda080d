-- How did the inventory grow and change, day by day? Days in UTC; a day without a run is a row as well.
CREATE VIEW inventory.daily_counts AS
WITH days AS (
    SELECT r.source, (r.effective_at AT TIME ZONE 'UTC')::date AS day, count(*) AS runs,
           sum(r.created)::bigint AS created, sum(r.updated)::bigint AS changed,
           sum(r.restored)::bigint AS restored, sum(r.deleted)::bigint AS deleted,
           sum(r.invisible)::bigint AS invisible
    FROM inventory.runs r WHERE r.effective_at IS NOT NULL GROUP BY 1, 2
),
calendar AS (
    SELECT d.source, generate_series(
        min(d.day)::timestamp, date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC'), '1 day')::date AS day
    FROM days d GROUP BY 1
)
SELECT c.source, c.day, coalesce(d.runs, 0) AS runs,
       sum(coalesce(d.created + d.restored - d.deleted - d.invisible, 0))
           OVER (PARTITION BY c.source ORDER BY c.day)::bigint AS live,
       coalesce(d.created, 0) AS created, coalesce(d.changed, 0) AS changed,
       coalesce(d.restored, 0) AS restored, coalesce(d.deleted, 0) AS deleted,
       coalesce(d.invisible, 0) AS invisible
FROM calendar c LEFT JOIN days d ON d.source = c.source AND d.day = c.day;

COMMENT ON VIEW inventory.daily_counts IS 'Counts per day and source, from its first run to today; days in UTC';
COMMENT ON COLUMN inventory.daily_counts.day IS 'The day, in UTC';
COMMENT ON COLUMN inventory.daily_counts.runs IS 'Committed runs on that day; 0: nobody looked';
COMMENT ON COLUMN inventory.daily_counts.live IS 'Images that existed at the end of the day, as far as runs had found';
COMMENT ON COLUMN inventory.daily_counts.created IS 'Images first seen on that day';
COMMENT ON COLUMN inventory.daily_counts.changed IS
    'Changes found on that day, those of images that the cloud goes on listing as deleted included';
COMMENT ON COLUMN inventory.daily_counts.restored IS 'Images that came back on that day';
COMMENT ON COLUMN inventory.daily_counts.deleted IS 'Images found to be gone on that day';
COMMENT ON COLUMN inventory.daily_counts.invisible IS
    'Images of other projects that were found to be no longer visible on that day';

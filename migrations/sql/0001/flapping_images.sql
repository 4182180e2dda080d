-- Which images come and go, or change again and again? Counted over the last 30 days.
CREATE VIEW inventory.flapping_images AS
SELECT c.source, c.id, (array_agg(c.name ORDER BY c.at DESC))[1] AS name,
       count(*) FILTER (WHERE c.kind IN ('deleted', 'invisible')) AS deletions,
       count(*) FILTER (WHERE c.kind = 'restored' AND c.field IS NULL) AS returns,
       count(DISTINCT c.at) FILTER (WHERE c.kind = 'updated') AS changes, max(c.at) AS last_at
FROM inventory.image_changes c
WHERE c.at > now() - interval '30 days'
GROUP BY c.source, c.id
HAVING count(*) FILTER (WHERE c.kind = 'restored' AND c.field IS NULL) >= 1
    OR count(DISTINCT c.at) FILTER (WHERE c.kind = 'updated') >= 10;

COMMENT ON VIEW inventory.flapping_images IS
    'Images that within the last 30 days came back after they had been gone or invisible, or changed at least 10 times';
COMMENT ON COLUMN inventory.flapping_images.name IS 'Its last name';
COMMENT ON COLUMN inventory.flapping_images.deletions IS 'How often it was found to be gone, or no longer visible';
COMMENT ON COLUMN inventory.flapping_images.returns IS 'How often it came back';
COMMENT ON COLUMN inventory.flapping_images.changes IS 'How often it was found changed while it existed';
COMMENT ON COLUMN inventory.flapping_images.last_at IS 'When the last of this was found';

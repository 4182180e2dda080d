-- What has not changed for years, by the cloud's own clock?
SELECT extract(year FROM updated_at)::int AS last_updated, count(*) AS images
FROM inventory.live_images
GROUP BY 1
ORDER BY 1;

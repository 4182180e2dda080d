-- What does the cloud send that its API document does not have, or that does not fit its column?
SELECT key, count(*) AS images
FROM inventory.live_images, jsonb_object_keys(extra) AS key
GROUP BY key
ORDER BY images DESC, key;

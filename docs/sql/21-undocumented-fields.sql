-- What is in extra: properties of users, fields without a column, and values that do not fit theirs?
SELECT s.api, key, count(*) AS images
FROM inventory.live_images i JOIN inventory.sources s ON s.name = i.source, jsonb_object_keys(i.extra) AS key
GROUP BY s.api, key
ORDER BY images DESC, s.api, key;

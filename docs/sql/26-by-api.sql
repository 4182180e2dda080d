-- What does each source read, and how many images does it have?
SELECT s.name, s.api, s.filter, s.scope, count(i.id) AS live
FROM inventory.sources s LEFT JOIN inventory.live_images i ON i.source = s.name
GROUP BY s.name, s.api, s.filter, s.scope
ORDER BY s.api, s.name;

-- Which images of the private type can everyone see now?
SELECT source, id, name, owner
FROM inventory.live_images
WHERE imagetype = 'private' AND visibility = 'public'
ORDER BY name, id
LIMIT 10;

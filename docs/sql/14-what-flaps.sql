-- What comes and goes, or changes again and again?
SELECT name, deletions, returns, changes
FROM inventory.flapping_images
ORDER BY returns DESC, changes DESC, name;

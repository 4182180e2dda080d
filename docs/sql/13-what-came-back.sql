-- What was deleted and came back?
SELECT name, run
FROM inventory.image_changes
WHERE kind = 'restored' AND field IS NULL
ORDER BY run, name;

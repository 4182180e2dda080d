-- How many private images could be deleted by accident, by kind of operating system?
SELECT coalesce(os_type, inventory.text_of(extra -> 'os_type')) AS kind, count(*) AS unprotected
FROM inventory.live_images
WHERE (imagetype = 'private' OR imagetype IS NULL AND visibility IN ('private', 'shared')) -- Glance has no type
  AND protected IS NOT TRUE
GROUP BY kind
ORDER BY unprotected DESC, kind;

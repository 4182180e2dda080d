-- title: Private image that is not protected
-- severity: low
-- why: A single mistaken call deletes it, and the cloud does not ask for confirmation.
-- do: Set `protected` on images that something depends on.
SELECT source, id, name, 'not protected' AS detail
FROM live_images
WHERE (imagetype = 'private' OR imagetype IS NULL AND visibility IN ('private', 'shared')) -- OpenStack has no type
  AND protected IS NOT TRUE

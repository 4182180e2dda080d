-- title: Image of type private that everyone can see
-- severity: high
-- why: It was made for one account, and may hold data that is nobody else's business.
-- do: Set `visibility` to private, and find out who made it public: `image-sync history ID`.
SELECT source, id, name, 'type private, visibility public' AS detail
FROM live_images
WHERE imagetype = 'private' AND visibility = 'public'

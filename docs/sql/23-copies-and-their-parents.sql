-- Which IEC images are copies of IMS images, and of which? The source of a copy is ims:ID:REGION.
SELECT copy.source AS iec_source, copy.name AS copy, parent.source AS ims_source, parent.name AS parent, parent.status
FROM inventory.iec_images copy
JOIN inventory.ims_images parent ON parent.id = split_part(copy.data_source, ':', 2)
WHERE copy.data_source LIKE 'ims:%'
ORDER BY copy.source, copy.id;

-- title: Active image without a firmware type
-- severity: low
-- why: The cloud has to guess how it boots; on ARM it must be uefi.
-- do: Set `hw_firmware_type`.
SELECT source, id, name, 'no hw_firmware_type' || CASE WHEN support_arm THEN ', and it is for ARM' ELSE '' END AS detail
FROM live_images
WHERE status = 'active' AND hw_firmware_type IS NULL
  AND imagetype IS NOT NULL -- OpenStack has no type, and boots an image without a firmware type by BIOS

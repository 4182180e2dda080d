-- What exists now in sources of OpenStack Glance, under the names of its API? A value that does not fit is NULL here.
CREATE VIEW inventory.glance_images AS
SELECT i.source,
       i.id, i.name, i.status, i.disk_format, i.container_format, i.min_disk, i.min_ram, i.owner, i.protected,
       i.visibility, i.hidden AS os_hidden, i.created_at, i.updated_at, i.tags, i.size_bytes AS size,
       inventory.bigint_of(i.extra -> 'virtual_size') AS virtual_size, i.checksum, i.hash_algorithm AS os_hash_algo,
       i.hash_value AS os_hash_value, i.hw_firmware_type, i.self_link AS self,
       inventory.text_of(i.extra -> 'file') AS file, inventory.text_of(i.extra -> 'schema') AS schema,
       inventory.text_of(i.extra -> 'stores') AS stores, inventory.text_of(i.extra -> 'os_type') AS os_type,
       inventory.text_of(i.extra -> 'os_distro') AS os_distro,
       inventory.text_of(i.extra -> 'os_version') AS os_version,
       inventory.text_of(i.extra -> 'os_admin_user') AS os_admin_user,
       inventory.text_of(i.extra -> 'architecture') AS architecture,
       inventory.text_of(i.extra -> 'image_type') AS image_type,
       inventory.text_of(i.extra -> 'base_image_ref') AS base_image_ref,
       inventory.text_of(i.extra -> 'instance_uuid') AS instance_uuid,
       inventory.text_of(i.extra -> 'user_id') AS user_id,
       i.extra, i.first_seen_at, i.valid_from
FROM inventory.images i JOIN inventory.sources s ON s.name = i.source
WHERE s.api = 'glance' AND i.deleted_at IS NULL AND i.invisible_since IS NULL;

COMMENT ON VIEW inventory.glance_images IS
    'Images that exist now in sources of OpenStack Glance: each documented field under its name in the API; '
    'a value that does not fit its type is NULL here, and in extra';
COMMENT ON COLUMN inventory.glance_images.id IS 'Id of the image, given by the cloud';
COMMENT ON COLUMN inventory.glance_images.name IS 'Name of the image';
COMMENT ON COLUMN inventory.glance_images.status IS 'State of the image in the cloud';
COMMENT ON COLUMN inventory.glance_images.disk_format IS 'Format of the image file, such as zvhd2';
COMMENT ON COLUMN inventory.glance_images.container_format IS 'Format of the container around the image file, such as bare';
COMMENT ON COLUMN inventory.glance_images.min_disk IS 'Smallest system disk the image runs on, in GB';
COMMENT ON COLUMN inventory.glance_images.min_ram IS 'Smallest memory the image runs with; 0 is no limit, in MB';
COMMENT ON COLUMN inventory.glance_images.owner IS 'Id of the project that owns the image';
COMMENT ON COLUMN inventory.glance_images.protected IS 'Whether the cloud refuses to delete the image';
COMMENT ON COLUMN inventory.glance_images.visibility IS 'Who sees the image';
COMMENT ON COLUMN inventory.glance_images.os_hidden IS 'Whether the cloud leaves the image out of its usual list';
COMMENT ON COLUMN inventory.glance_images.created_at IS 'When the image was created, by the cloud''s clock';
COMMENT ON COLUMN inventory.glance_images.updated_at IS 'When the image was last changed, by the cloud''s clock';
COMMENT ON COLUMN inventory.glance_images.tags IS 'Tags, sorted, each once';
COMMENT ON COLUMN inventory.glance_images.size IS 'Size of the image file, in bytes';
COMMENT ON COLUMN inventory.glance_images.virtual_size IS 'Size of the disk in the image, in bytes';
COMMENT ON COLUMN inventory.glance_images.checksum IS 'MD5 of the image file';
COMMENT ON COLUMN inventory.glance_images.os_hash_algo IS 'Algorithm of hash_value, such as sha512';
COMMENT ON COLUMN inventory.glance_images.os_hash_value IS 'Hash of the image file';
COMMENT ON COLUMN inventory.glance_images.hw_firmware_type IS 'How the image boots';
COMMENT ON COLUMN inventory.glance_images.self IS 'Path of the image in the API';
COMMENT ON COLUMN inventory.glance_images.file IS 'Path of the image file in the API';
COMMENT ON COLUMN inventory.glance_images.schema IS 'Path of the schema of an image in the API';
COMMENT ON COLUMN inventory.glance_images.stores IS 'Stores that hold the image file';
COMMENT ON COLUMN inventory.glance_images.os_type IS 'Kind of operating system, such as linux';
COMMENT ON COLUMN inventory.glance_images.os_distro IS 'Distribution of the operating system, such as ubuntu';
COMMENT ON COLUMN inventory.glance_images.os_version IS 'Version of the operating system, such as 22.04';
COMMENT ON COLUMN inventory.glance_images.os_admin_user IS 'Name of the administrator in the operating system';
COMMENT ON COLUMN inventory.glance_images.architecture IS 'Architecture of the processor, such as x86_64';
COMMENT ON COLUMN inventory.glance_images.image_type IS 'snapshot: made from a server';
COMMENT ON COLUMN inventory.glance_images.base_image_ref IS 'Id of the image that the server of a snapshot was made from';
COMMENT ON COLUMN inventory.glance_images.instance_uuid IS 'Id of the server that a snapshot was made from';
COMMENT ON COLUMN inventory.glance_images.user_id IS 'Id of the user who made a snapshot';

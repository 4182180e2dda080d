-- What did each image look like, and from when to when? One row per version, the current one included.
CREATE VIEW inventory.image_history AS
SELECT source, id, name, status, disk_format, min_disk, min_ram, owner, protected, visibility, created_at, updated_at,
       self_link, vendor_deleted, virtual_env_type, vendor_deleted_at, relation_job_id, imagetype, platform, os_type,
       os_version, isregistered, support_kvm, support_kvm_gpu_type, support_kvm_ascend_310, support_kvm_hi1822_hiovs,
       support_arm, hw_firmware_type, data_source, support_gpu_t4, support_amd,
       container_format, size_bytes, checksum, hash_algorithm, hash_value, tags, hidden, enterprise_project_id,
       parent_image_id, data_origin, encryption_key_id, active_at, os_bit, offshelved, product_code,
       extra,
       valid_from, NULL::timestamptz AS valid_to, tstzrange(valid_from, NULL) AS valid,
       valid_from_run, NULL::bigint AS valid_to_run
FROM inventory.images
WHERE deleted_at IS NULL AND invisible_since IS NULL
UNION ALL
SELECT source, id, name, status, disk_format, min_disk, min_ram, owner, protected, visibility, created_at, updated_at,
       self_link, vendor_deleted, virtual_env_type, vendor_deleted_at, relation_job_id, imagetype, platform, os_type,
       os_version, isregistered, support_kvm, support_kvm_gpu_type, support_kvm_ascend_310, support_kvm_hi1822_hiovs,
       support_arm, hw_firmware_type, data_source, support_gpu_t4, support_amd,
       container_format, size_bytes, checksum, hash_algorithm, hash_value, tags, hidden, enterprise_project_id,
       parent_image_id, data_origin, encryption_key_id, active_at, os_bit, offshelved, product_code,
       extra,
       valid_from, valid_to, tstzrange(valid_from, valid_to), valid_from_run, valid_to_run
FROM inventory.image_versions;

COMMENT ON VIEW inventory.image_history IS
    'All versions of all images, the current ones included: one row per period in which an image had one content';
COMMENT ON COLUMN inventory.image_history.valid_to IS 'End of that period, exclusive; NULL: it is current';
COMMENT ON COLUMN inventory.image_history.valid IS 'The same period as a range: valid @> moment';
COMMENT ON COLUMN inventory.image_history.valid_to_run IS 'Run that found it changed or gone; NULL: it is current';

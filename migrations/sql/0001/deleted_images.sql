-- What existed and is gone, and between which two moments did it go?
CREATE VIEW inventory.deleted_images AS
SELECT source, id, name, status, disk_format, min_disk, min_ram, owner, protected, visibility, created_at, updated_at,
       self_link, vendor_deleted, virtual_env_type, vendor_deleted_at, relation_job_id, imagetype, platform, os_type,
       os_version, isregistered, support_kvm, support_kvm_gpu_type, support_kvm_ascend_310, support_kvm_hi1822_hiovs,
       support_arm, hw_firmware_type, data_source, support_gpu_t4, support_amd,
       container_format, size_bytes, checksum, hash_algorithm, hash_value, tags, hidden, enterprise_project_id,
       parent_image_id, data_origin, encryption_key_id, active_at, os_bit, offshelved, product_code,
       extra,
       first_seen_at, valid_from, valid_from_run, last_seen_at, deleted_at, deleted_run
FROM inventory.images
WHERE deleted_at IS NOT NULL;

COMMENT ON VIEW inventory.deleted_images IS
    'Images that are gone, as they last were; each was found to be gone at deleted_at. '
    'image_changes says between which moments it went';

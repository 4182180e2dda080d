-- Which images of other projects were visible, and are no longer? They may be gone, or not shared any more.
CREATE VIEW inventory.invisible_images AS
SELECT source, id, name, status, disk_format, min_disk, min_ram, owner, protected, visibility, created_at, updated_at,
       self_link, vendor_deleted, virtual_env_type, vendor_deleted_at, relation_job_id, imagetype, platform, os_type,
       os_version, isregistered, support_kvm, support_kvm_gpu_type, support_kvm_ascend_310, support_kvm_hi1822_hiovs,
       support_arm, hw_firmware_type, data_source, support_gpu_t4, support_amd,
       container_format, size_bytes, checksum, hash_algorithm, hash_value, tags, hidden, enterprise_project_id,
       parent_image_id, data_origin, encryption_key_id, active_at, os_bit, offshelved, product_code,
       extra,
       first_seen_at, valid_from, valid_from_run, last_seen_at, invisible_since, invisible_run
FROM inventory.images
WHERE invisible_since IS NOT NULL;

COMMENT ON VIEW inventory.invisible_images IS
    'Images of other projects that were visible and are no longer, as they last were: '
    'they are gone, or not shared with the project any more; it is not known which';

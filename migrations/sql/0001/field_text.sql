-- The value of one field of a version, as text.
CREATE FUNCTION inventory.field_text(version inventory.image_version, field text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT CASE field
    WHEN 'id' THEN (version).id
    WHEN 'name' THEN (version).name
    WHEN 'status' THEN (version).status
    WHEN 'disk_format' THEN (version).disk_format
    WHEN 'min_disk' THEN (version).min_disk::text
    WHEN 'min_ram' THEN (version).min_ram::text
    WHEN 'owner' THEN (version).owner
    WHEN 'protected' THEN (version).protected::text
    WHEN 'visibility' THEN (version).visibility
    WHEN 'created_at' THEN inventory.instant((version).created_at)
    WHEN 'updated_at' THEN inventory.instant((version).updated_at)
    WHEN 'self_link' THEN (version).self_link
    WHEN 'vendor_deleted' THEN (version).vendor_deleted::text
    WHEN 'virtual_env_type' THEN (version).virtual_env_type
    WHEN 'vendor_deleted_at' THEN inventory.instant((version).vendor_deleted_at)
    WHEN 'relation_job_id' THEN (version).relation_job_id
    WHEN 'imagetype' THEN (version).imagetype
    WHEN 'platform' THEN (version).platform
    WHEN 'os_type' THEN (version).os_type
    WHEN 'os_version' THEN (version).os_version
    WHEN 'isregistered' THEN (version).isregistered::text
    WHEN 'support_kvm' THEN (version).support_kvm::text
    WHEN 'support_kvm_gpu_type' THEN (version).support_kvm_gpu_type
    WHEN 'support_kvm_ascend_310' THEN (version).support_kvm_ascend_310::text
    WHEN 'support_kvm_hi1822_hiovs' THEN (version).support_kvm_hi1822_hiovs::text
    WHEN 'support_arm' THEN (version).support_arm::text
    WHEN 'hw_firmware_type' THEN (version).hw_firmware_type
    WHEN 'data_source' THEN (version).data_source
    WHEN 'support_gpu_t4' THEN (version).support_gpu_t4::text
    WHEN 'support_amd' THEN (version).support_amd::text
    WHEN 'container_format' THEN (version).container_format
    WHEN 'size_bytes' THEN (version).size_bytes::text
    WHEN 'checksum' THEN (version).checksum
    WHEN 'hash_algorithm' THEN (version).hash_algorithm
    WHEN 'hash_value' THEN (version).hash_value
    WHEN 'tags' THEN to_jsonb((version).tags)::text
    WHEN 'hidden' THEN (version).hidden::text
    WHEN 'enterprise_project_id' THEN (version).enterprise_project_id
    WHEN 'parent_image_id' THEN (version).parent_image_id
    WHEN 'data_origin' THEN (version).data_origin
    WHEN 'encryption_key_id' THEN (version).encryption_key_id
    WHEN 'active_at' THEN inventory.instant((version).active_at)
    WHEN 'os_bit' THEN (version).os_bit
    WHEN 'offshelved' THEN (version).offshelved::text
    WHEN 'product_code' THEN (version).product_code
    ELSE (version).extra ->> substr(field, length('extra.') + 1)
END
$$;

COMMENT ON FUNCTION inventory.field_text IS
    'The value of one field of a version as text: true and false, instants in UTC, tags and all but text in extra as JSON; '
    'a property of extra is named extra.<name>; NULL: it has none';

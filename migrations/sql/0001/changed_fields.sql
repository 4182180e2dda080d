-- In which fields do two versions of an image differ, the old one o and the new one n?
CREATE FUNCTION inventory.changed_fields(o inventory.image_version, n inventory.image_version)
RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT array_remove(ARRAY[
    CASE WHEN (o).name IS DISTINCT FROM (n).name THEN 'name' END,
    CASE WHEN (o).status IS DISTINCT FROM (n).status THEN 'status' END,
    CASE WHEN (o).disk_format IS DISTINCT FROM (n).disk_format THEN 'disk_format' END,
    CASE WHEN (o).min_disk IS DISTINCT FROM (n).min_disk THEN 'min_disk' END,
    CASE WHEN (o).min_ram IS DISTINCT FROM (n).min_ram THEN 'min_ram' END,
    CASE WHEN (o).owner IS DISTINCT FROM (n).owner THEN 'owner' END,
    CASE WHEN (o).protected IS DISTINCT FROM (n).protected THEN 'protected' END,
    CASE WHEN (o).visibility IS DISTINCT FROM (n).visibility THEN 'visibility' END,
    CASE WHEN (o).created_at IS DISTINCT FROM (n).created_at THEN 'created_at' END,
    CASE WHEN (o).updated_at IS DISTINCT FROM (n).updated_at THEN 'updated_at' END,
    CASE WHEN (o).self_link IS DISTINCT FROM (n).self_link THEN 'self_link' END,
    CASE WHEN (o).vendor_deleted IS DISTINCT FROM (n).vendor_deleted THEN 'vendor_deleted' END,
    CASE WHEN (o).virtual_env_type IS DISTINCT FROM (n).virtual_env_type THEN 'virtual_env_type' END,
    CASE WHEN (o).vendor_deleted_at IS DISTINCT FROM (n).vendor_deleted_at THEN 'vendor_deleted_at' END,
    CASE WHEN (o).relation_job_id IS DISTINCT FROM (n).relation_job_id THEN 'relation_job_id' END,
    CASE WHEN (o).imagetype IS DISTINCT FROM (n).imagetype THEN 'imagetype' END,
    CASE WHEN (o).platform IS DISTINCT FROM (n).platform THEN 'platform' END,
    CASE WHEN (o).os_type IS DISTINCT FROM (n).os_type THEN 'os_type' END,
    CASE WHEN (o).os_version IS DISTINCT FROM (n).os_version THEN 'os_version' END,
    CASE WHEN (o).isregistered IS DISTINCT FROM (n).isregistered THEN 'isregistered' END,
    CASE WHEN (o).support_kvm IS DISTINCT FROM (n).support_kvm THEN 'support_kvm' END,
    CASE WHEN (o).support_kvm_gpu_type IS DISTINCT FROM (n).support_kvm_gpu_type THEN 'support_kvm_gpu_type' END,
    CASE WHEN (o).support_kvm_ascend_310 IS DISTINCT FROM (n).support_kvm_ascend_310 THEN 'support_kvm_ascend_310' END,
    CASE WHEN (o).support_kvm_hi1822_hiovs IS DISTINCT FROM (n).support_kvm_hi1822_hiovs THEN 'support_kvm_hi1822_hiovs' END,
    CASE WHEN (o).support_arm IS DISTINCT FROM (n).support_arm THEN 'support_arm' END,
    CASE WHEN (o).hw_firmware_type IS DISTINCT FROM (n).hw_firmware_type THEN 'hw_firmware_type' END,
    CASE WHEN (o).data_source IS DISTINCT FROM (n).data_source THEN 'data_source' END,
    CASE WHEN (o).support_gpu_t4 IS DISTINCT FROM (n).support_gpu_t4 THEN 'support_gpu_t4' END,
    CASE WHEN (o).support_amd IS DISTINCT FROM (n).support_amd THEN 'support_amd' END,
    CASE WHEN (o).container_format IS DISTINCT FROM (n).container_format THEN 'container_format' END,
    CASE WHEN (o).size_bytes IS DISTINCT FROM (n).size_bytes THEN 'size_bytes' END,
    CASE WHEN (o).checksum IS DISTINCT FROM (n).checksum THEN 'checksum' END,
    CASE WHEN (o).hash_algorithm IS DISTINCT FROM (n).hash_algorithm THEN 'hash_algorithm' END,
    CASE WHEN (o).hash_value IS DISTINCT FROM (n).hash_value THEN 'hash_value' END,
    CASE WHEN (o).tags IS DISTINCT FROM (n).tags THEN 'tags' END,
    CASE WHEN (o).hidden IS DISTINCT FROM (n).hidden THEN 'hidden' END,
    CASE WHEN (o).enterprise_project_id IS DISTINCT FROM (n).enterprise_project_id THEN 'enterprise_project_id' END,
    CASE WHEN (o).parent_image_id IS DISTINCT FROM (n).parent_image_id THEN 'parent_image_id' END,
    CASE WHEN (o).data_origin IS DISTINCT FROM (n).data_origin THEN 'data_origin' END,
    CASE WHEN (o).encryption_key_id IS DISTINCT FROM (n).encryption_key_id THEN 'encryption_key_id' END,
    CASE WHEN (o).active_at IS DISTINCT FROM (n).active_at THEN 'active_at' END,
    CASE WHEN (o).os_bit IS DISTINCT FROM (n).os_bit THEN 'os_bit' END,
    CASE WHEN (o).offshelved IS DISTINCT FROM (n).offshelved THEN 'offshelved' END,
    CASE WHEN (o).product_code IS DISTINCT FROM (n).product_code THEN 'product_code' END
], NULL) || CASE WHEN (o).extra IS DISTINCT FROM (n).extra
                 THEN inventory.changed_properties((o).extra, (n).extra) ELSE '{}' END
$$;

COMMENT ON FUNCTION inventory.changed_fields IS 
    'Names of the columns in which two versions of an image differ, and extra.<name> for each such property of extra';

-- What exists now in sources of Huawei Cloud IEC, under the names of its API? A value that does not fit is NULL here.
CREATE VIEW inventory.iec_images AS
SELECT i.source,
       i.id, i.name, i.status, i.disk_format, i.min_disk, i.min_ram, i.owner, i.protected, i.visibility,
       i.created_at, i.updated_at, i.self_link AS self, i.vendor_deleted AS deleted, i.virtual_env_type,
       i.vendor_deleted_at AS deleted_at, i.relation_job_id, i.imagetype AS __imagetype, i.platform AS __platform,
       i.os_type AS __os_type, i.os_version AS __os_version, i.isregistered AS __isregistered,
       i.support_kvm AS __support_kvm, i.support_kvm_gpu_type AS __support_kvm_gpu_type,
       i.support_kvm_ascend_310 AS __support_kvm_ascend_310,
       i.support_kvm_hi1822_hiovs AS __support_kvm_hi1822_hiovs, i.support_arm AS __support_arm, i.hw_firmware_type,
       i.data_source, i.support_gpu_t4 AS __support_gpu_t4, i.support_amd AS __support_amd,
       i.extra, i.first_seen_at, i.valid_from
FROM inventory.images i JOIN inventory.sources s ON s.name = i.source
WHERE s.api = 'iec' AND i.deleted_at IS NULL AND i.invisible_since IS NULL;

COMMENT ON VIEW inventory.iec_images IS
    'Images that exist now in sources of Huawei Cloud IEC: each documented field under its name in the API; '
    'a value that does not fit its type is NULL here, and in extra';
COMMENT ON COLUMN inventory.iec_images.id IS 'Id of the image, given by the cloud';
COMMENT ON COLUMN inventory.iec_images.name IS 'Name of the image';
COMMENT ON COLUMN inventory.iec_images.status IS 'State of the image in the cloud';
COMMENT ON COLUMN inventory.iec_images.disk_format IS 'Format of the image file, such as zvhd2';
COMMENT ON COLUMN inventory.iec_images.min_disk IS 'Smallest system disk the image runs on, in GB';
COMMENT ON COLUMN inventory.iec_images.min_ram IS 'Smallest memory the image runs with; 0 is no limit, in MB';
COMMENT ON COLUMN inventory.iec_images.owner IS 'Id of the project that owns the image';
COMMENT ON COLUMN inventory.iec_images.protected IS 'Whether the cloud refuses to delete the image';
COMMENT ON COLUMN inventory.iec_images.visibility IS 'Who sees the image';
COMMENT ON COLUMN inventory.iec_images.created_at IS 'When the image was created, by the cloud''s clock';
COMMENT ON COLUMN inventory.iec_images.updated_at IS 'When the image was last changed, by the cloud''s clock';
COMMENT ON COLUMN inventory.iec_images.self IS 'Path of the image in the API';
COMMENT ON COLUMN inventory.iec_images.deleted IS 'Whether the cloud itself calls the image deleted';
COMMENT ON COLUMN inventory.iec_images.virtual_env_type IS 'Environment the image is for';
COMMENT ON COLUMN inventory.iec_images.deleted_at IS 'When the cloud itself says it was deleted';
COMMENT ON COLUMN inventory.iec_images.relation_job_id IS 'Id of the job that made the image';
COMMENT ON COLUMN inventory.iec_images.__imagetype IS 'Type of the image; gold is public';
COMMENT ON COLUMN inventory.iec_images.__platform IS 'Family of the operating system, such as CentOS';
COMMENT ON COLUMN inventory.iec_images.__os_type IS 'Kind of operating system';
COMMENT ON COLUMN inventory.iec_images.__os_version IS 'Exact version of the operating system';
COMMENT ON COLUMN inventory.iec_images.__isregistered IS 'Whether the image is registered, hence usable';
COMMENT ON COLUMN inventory.iec_images.__support_kvm IS 'Runs on KVM';
COMMENT ON COLUMN inventory.iec_images.__support_kvm_gpu_type IS 'Type of GPU on KVM';
COMMENT ON COLUMN inventory.iec_images.__support_kvm_ascend_310 IS 'Supports AI acceleration (Ascend 310)';
COMMENT ON COLUMN inventory.iec_images.__support_kvm_hi1822_hiovs IS 'Supports enhanced computing (Hi1822)';
COMMENT ON COLUMN inventory.iec_images.__support_arm IS 'Runs on ARM';
COMMENT ON COLUMN inventory.iec_images.hw_firmware_type IS 'How the image boots';
COMMENT ON COLUMN inventory.iec_images.data_source IS 'What the image was made from, such as instance:<id>';
COMMENT ON COLUMN inventory.iec_images.__support_gpu_t4 IS 'Supports the GPU T4';
COMMENT ON COLUMN inventory.iec_images.__support_amd IS 'Runs on AMD';

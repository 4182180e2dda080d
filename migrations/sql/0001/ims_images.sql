-- What exists now in sources of Huawei Cloud IMS, under the names of its API? A value that does not fit is NULL here.
CREATE VIEW inventory.ims_images AS
SELECT i.source,
       inventory.text_of(i.extra -> '__backup_id') AS __backup_id, i.data_origin AS __data_origin,
       inventory.text_of(i.extra -> '__description') AS __description, i.size_bytes AS __image_size,
       inventory.text_of(i.extra -> '__image_source_type') AS __image_source_type, i.imagetype AS __imagetype,
       i.isregistered AS __isregistered, i.parent_image_id AS __originalimagename, i.os_bit AS __os_bit,
       i.os_type AS __os_type, i.os_version AS __os_version, i.platform AS __platform,
       i.product_code AS __productcode,
       inventory.boolean_of(i.extra -> '__support_diskintensive') AS __support_diskintensive,
       inventory.boolean_of(i.extra -> '__support_highperformance') AS __support_highperformance,
       i.support_kvm AS __support_kvm, i.support_kvm_gpu_type AS __support_kvm_gpu_type,
       inventory.boolean_of(i.extra -> '__support_kvm_infiniband') AS __support_kvm_infiniband,
       inventory.boolean_of(i.extra -> '__support_largememory') AS __support_largememory,
       inventory.boolean_of(i.extra -> '__support_xen') AS __support_xen,
       inventory.text_of(i.extra -> '__support_xen_gpu_type') AS __support_xen_gpu_type,
       inventory.boolean_of(i.extra -> '__support_xen_hana') AS __support_xen_hana,
       inventory.boolean_of(i.extra -> '__system_support_market') AS __system_support_market, i.checksum,
       i.container_format, i.created_at, i.disk_format, i.enterprise_project_id,
       inventory.text_of(i.extra -> 'file') AS file, i.id, i.min_disk, i.min_ram, i.name, i.owner, i.protected,
       inventory.text_of(i.extra -> 'schema') AS schema, i.self_link AS self,
       inventory.bigint_of(i.extra -> 'size') AS size, i.status, i.tags, i.updated_at, i.virtual_env_type,
       inventory.bigint_of(i.extra -> 'virtual_size') AS virtual_size, i.visibility,
       inventory.boolean_of(i.extra -> '__support_fc_inject') AS __support_fc_inject, i.hw_firmware_type,
       i.support_arm AS __support_arm, inventory.bigint_of(i.extra -> 'max_ram') AS max_ram,
       i.encryption_key_id AS __system__cmkid,
       inventory.text_of(i.extra -> '__os_feature_list') AS __os_feature_list,
       inventory.text_of(i.extra -> '__account_code') AS __account_code,
       inventory.boolean_of(i.extra -> 'hw_vif_multiqueue_enabled') AS hw_vif_multiqueue_enabled,
       i.offshelved AS __is_offshelved, inventory.boolean_of(i.extra -> '__lazyloading') AS __lazyloading,
       inventory.text_of(i.extra -> '__root_origin') AS __root_origin,
       inventory.text_of(i.extra -> '__sequence_num') AS __sequence_num, i.active_at,
       inventory.text_of(i.extra -> '__support_agent_list') AS __support_agent_list,
       inventory.text_of(i.extra -> '__image_displayname') AS __image_displayname, i.support_amd AS __support_amd,
       inventory.boolean_of(i.extra -> '__support_kvm_hi1822_hisriov') AS __support_kvm_hi1822_hisriov,
       inventory.boolean_of(i.extra -> '__support_kvm_hi1822_hivirtionet') AS __support_kvm_hi1822_hivirtionet,
       inventory.bigint_of(i.extra -> 'os_shutdown_timeout') AS os_shutdown_timeout,
       i.extra, i.first_seen_at, i.valid_from
FROM inventory.images i JOIN inventory.sources s ON s.name = i.source
WHERE s.api = 'ims' AND i.deleted_at IS NULL AND i.invisible_since IS NULL;

COMMENT ON VIEW inventory.ims_images IS
    'Images that exist now in sources of Huawei Cloud IMS: each documented field under its name in the API; '
    'a value that does not fit its type is NULL here, and in extra';
COMMENT ON COLUMN inventory.ims_images.__backup_id IS 'Id of the backup that the image was made from';
COMMENT ON COLUMN inventory.ims_images.__data_origin IS 'What the image was made from, such as server_backup,<id>';
COMMENT ON COLUMN inventory.ims_images.__description IS 'Description';
COMMENT ON COLUMN inventory.ims_images.__image_size IS 'Size of the image file, in bytes';
COMMENT ON COLUMN inventory.ims_images.__image_source_type IS 'Kind of storage behind the image';
COMMENT ON COLUMN inventory.ims_images.__imagetype IS 'Type of the image; gold is public';
COMMENT ON COLUMN inventory.ims_images.__isregistered IS 'Whether the image is registered, hence usable';
COMMENT ON COLUMN inventory.ims_images.__originalimagename IS 'Id of the image that this one was made from';
COMMENT ON COLUMN inventory.ims_images.__os_bit IS 'Bits of the operating system, such as 64';
COMMENT ON COLUMN inventory.ims_images.__os_type IS 'Kind of operating system';
COMMENT ON COLUMN inventory.ims_images.__os_version IS 'Exact version of the operating system';
COMMENT ON COLUMN inventory.ims_images.__platform IS 'Family of the operating system, such as CentOS';
COMMENT ON COLUMN inventory.ims_images.__productcode IS 'Product code of an image from the marketplace';
COMMENT ON COLUMN inventory.ims_images.__support_diskintensive IS 'Supports dense storage';
COMMENT ON COLUMN inventory.ims_images.__support_highperformance IS 'Supports high computing performance';
COMMENT ON COLUMN inventory.ims_images.__support_kvm IS 'Runs on KVM';
COMMENT ON COLUMN inventory.ims_images.__support_kvm_gpu_type IS 'Type of GPU on KVM';
COMMENT ON COLUMN inventory.ims_images.__support_kvm_infiniband IS 'Supports InfiniBand cards on KVM';
COMMENT ON COLUMN inventory.ims_images.__support_largememory IS 'Supports very large memory';
COMMENT ON COLUMN inventory.ims_images.__support_xen IS 'Runs on Xen';
COMMENT ON COLUMN inventory.ims_images.__support_xen_gpu_type IS 'Type of GPU on Xen';
COMMENT ON COLUMN inventory.ims_images.__support_xen_hana IS 'Supports HANA on Xen';
COMMENT ON COLUMN inventory.ims_images.__system_support_market IS 'Whether it can be published in the market place';
COMMENT ON COLUMN inventory.ims_images.checksum IS 'MD5 of the image file';
COMMENT ON COLUMN inventory.ims_images.container_format IS 'Format of the container around the image file, such as bare';
COMMENT ON COLUMN inventory.ims_images.created_at IS 'When the image was created, by the cloud''s clock';
COMMENT ON COLUMN inventory.ims_images.disk_format IS 'Format of the image file, such as zvhd2';
COMMENT ON COLUMN inventory.ims_images.enterprise_project_id IS 'Id of the enterprise project; 0 is the default one';
COMMENT ON COLUMN inventory.ims_images.file IS 'Path for upload and download of the file';
COMMENT ON COLUMN inventory.ims_images.id IS 'Id of the image, given by the cloud';
COMMENT ON COLUMN inventory.ims_images.min_disk IS 'Smallest system disk the image runs on, in GB';
COMMENT ON COLUMN inventory.ims_images.min_ram IS 'Smallest memory the image runs with; 0 is no limit, in MB';
COMMENT ON COLUMN inventory.ims_images.name IS 'Name of the image';
COMMENT ON COLUMN inventory.ims_images.owner IS 'Id of the project that owns the image';
COMMENT ON COLUMN inventory.ims_images.protected IS 'Whether the cloud refuses to delete the image';
COMMENT ON COLUMN inventory.ims_images.schema IS 'Path of the schema of an image';
COMMENT ON COLUMN inventory.ims_images.self IS 'Path of the image in the API';
COMMENT ON COLUMN inventory.ims_images.size IS 'Unused at present';
COMMENT ON COLUMN inventory.ims_images.status IS 'State of the image in the cloud';
COMMENT ON COLUMN inventory.ims_images.tags IS 'Tags, sorted, each once';
COMMENT ON COLUMN inventory.ims_images.updated_at IS 'When the image was last changed, by the cloud''s clock';
COMMENT ON COLUMN inventory.ims_images.virtual_env_type IS 'Environment the image is for';
COMMENT ON COLUMN inventory.ims_images.virtual_size IS 'Unused at present';
COMMENT ON COLUMN inventory.ims_images.visibility IS 'Who sees the image';
COMMENT ON COLUMN inventory.ims_images.__support_fc_inject IS 'true: passwords and keys can NOT be injected by cloud-init';
COMMENT ON COLUMN inventory.ims_images.hw_firmware_type IS 'How the image boots';
COMMENT ON COLUMN inventory.ims_images.__support_arm IS 'Runs on ARM';
COMMENT ON COLUMN inventory.ims_images.max_ram IS 'Largest memory, in MB';
COMMENT ON COLUMN inventory.ims_images.__system__cmkid IS 'Id of the key that encrypts the image';
COMMENT ON COLUMN inventory.ims_images.__os_feature_list IS 'Advanced features of the system';
COMMENT ON COLUMN inventory.ims_images.__account_code IS 'Code by which a charged image is billed';
COMMENT ON COLUMN inventory.ims_images.hw_vif_multiqueue_enabled IS 'Supports several queues of a network card';
COMMENT ON COLUMN inventory.ims_images.__is_offshelved IS 'Whether a public image was taken off the shelf';
COMMENT ON COLUMN inventory.ims_images.__lazyloading IS 'Supports delayed loading';
COMMENT ON COLUMN inventory.ims_images.__root_origin IS 'Set if the image was imported from outside';
COMMENT ON COLUMN inventory.ims_images.__sequence_num IS 'Slot of the system disk on the server';
COMMENT ON COLUMN inventory.ims_images.active_at IS 'When the image became usable, by the cloud''s clock';
COMMENT ON COLUMN inventory.ims_images.__support_agent_list IS 'Which agents are supported, or installed';
COMMENT ON COLUMN inventory.ims_images.__image_displayname IS 'Name that is displayed outside';
COMMENT ON COLUMN inventory.ims_images.__support_amd IS 'Runs on AMD';
COMMENT ON COLUMN inventory.ims_images.__support_kvm_hi1822_hisriov IS 'Supports SR-IOV pass-through (Hi1822)';
COMMENT ON COLUMN inventory.ims_images.__support_kvm_hi1822_hivirtionet IS 'Supports virtio-net pass-through (Hi1822)';
COMMENT ON COLUMN inventory.ims_images.os_shutdown_timeout IS 'Seconds a server has to shut down before it is forced';

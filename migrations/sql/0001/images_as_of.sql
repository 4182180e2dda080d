-- What existed at a moment, and between which two proven runs does that moment lie?
CREATE FUNCTION inventory.images_as_of(moment timestamptz, of_source text DEFAULT NULL)
RETURNS TABLE (
    source text, id text, name text, status text, disk_format text, min_disk bigint, min_ram bigint, owner text,
    protected boolean, visibility text, created_at timestamptz, updated_at timestamptz, self_link text, vendor_deleted
    boolean, virtual_env_type text, vendor_deleted_at timestamptz, relation_job_id text, imagetype text, platform
    text, os_type text, os_version text, isregistered boolean, support_kvm boolean, support_kvm_gpu_type text,
    support_kvm_ascend_310 boolean, support_kvm_hi1822_hiovs boolean, support_arm boolean, hw_firmware_type text,
    data_source text, support_gpu_t4 boolean, support_amd boolean,
    container_format text, size_bytes bigint, checksum text, hash_algorithm text, hash_value text, tags text[],
    hidden boolean, enterprise_project_id text, parent_image_id text, data_origin text, encryption_key_id text,
    active_at timestamptz, os_bit text, offshelved boolean, product_code text,
    extra jsonb,
    valid_from timestamptz,
    observed_run bigint, observed_at timestamptz, observed_next_run bigint, observed_next_at timestamptz,
    observed_doubt boolean
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
WITH o AS MATERIALIZED (SELECT * FROM inventory.observed(moment, of_source))
SELECT h.source,
       h.id, h.name, h.status, h.disk_format, h.min_disk, h.min_ram, h.owner, h.protected, h.visibility, h.created_at,
       h.updated_at, h.self_link, h.vendor_deleted, h.virtual_env_type, h.vendor_deleted_at, h.relation_job_id,
       h.imagetype, h.platform, h.os_type, h.os_version, h.isregistered, h.support_kvm, h.support_kvm_gpu_type,
       h.support_kvm_ascend_310, h.support_kvm_hi1822_hiovs, h.support_arm, h.hw_firmware_type, h.data_source,
       h.support_gpu_t4, h.support_amd,
       h.container_format, h.size_bytes, h.checksum, h.hash_algorithm, h.hash_value, h.tags, h.hidden,
       h.enterprise_project_id, h.parent_image_id, h.data_origin, h.encryption_key_id, h.active_at, h.os_bit,
       h.offshelved, h.product_code,
       h.extra,
       h.valid_from, o.run_before, o.before_at, o.run_after, o.after_at, o.doubt
FROM inventory.image_history h
JOIN o ON o.source = h.source
WHERE h.valid_from <= moment AND (h.valid_to > moment OR h.valid_to IS NULL)
  AND (of_source IS NULL OR h.source = of_source)
$$;

COMMENT ON FUNCTION inventory.images_as_of IS
    'The images that existed at a moment, as they were then; observed_*: the proven runs on both sides of it, '
    'and whether there is doubt. '
    'If it returns no row, ask observed(moment)';

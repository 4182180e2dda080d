-- Which operating system is in an image, whatever its API calls it?
CREATE FUNCTION inventory.operating_system(os_version text, extra jsonb)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT coalesce(nullif(os_version, ''), nullif(concat_ws(' ',
    nullif(inventory.text_of(extra -> 'os_distro'), ''), nullif(inventory.text_of(extra -> 'os_version'), '')), ''))
$$;

COMMENT ON FUNCTION inventory.operating_system IS
    'The operating system of an image: the column os_version, or else os_distro and os_version of extra, which Glance '
    'has; NULL: none is given';

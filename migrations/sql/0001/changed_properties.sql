-- Which properties differ between two values of extra? What the job reads as equal is equal: see docs/evidence.md.
CREATE FUNCTION inventory.changed_properties(o jsonb, n jsonb)
RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT coalesce(array_agg('extra.' || name ORDER BY name COLLATE "C"), '{}')
FROM jsonb_each(coalesce(o, '{}')) AS a (name, value) FULL JOIN jsonb_each(coalesce(n, '{}')) AS b (name, value)
USING (name)
WHERE CASE WHEN a.value IN ('null', '""') THEN NULL WHEN a.value = '"true"' THEN 'true' WHEN a.value = '"false"'
           THEN 'false' ELSE a.value END
      IS DISTINCT FROM
      CASE WHEN b.value IN ('null', '""') THEN NULL WHEN b.value = '"true"' THEN 'true' WHEN b.value = '"false"'
           THEN 'false' ELSE b.value END
$$;

COMMENT ON FUNCTION inventory.changed_properties IS
    'Names of the properties in which two values of extra differ, each as extra.<name>';

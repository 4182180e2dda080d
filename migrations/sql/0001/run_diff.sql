-- What did one run change?
CREATE FUNCTION inventory.run_diff(of_run bigint)
RETURNS TABLE (source text, id text, name text, change text, field text, old text, new text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT d.* FROM inventory.runs r
JOIN inventory.sources s ON s.name = r.source AND (s.pruned_before IS NULL OR r.effective_at > s.pruned_before)
CROSS JOIN LATERAL inventory.images_diff(r.effective_at - interval '1 microsecond', r.effective_at, r.source) AS d
WHERE r.run = of_run
$$;

COMMENT ON FUNCTION inventory.run_diff IS
    'The changes of one run, as images_diff shows them; none if it wrote nothing or its history was pruned';

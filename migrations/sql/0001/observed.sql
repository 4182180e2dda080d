-- Who looked before a moment, and who looked after it? What is not in the inventory may just not have been looked for.
CREATE FUNCTION inventory.observed(moment timestamptz, of_source text DEFAULT NULL)
RETURNS TABLE (
    source text, run_before bigint, before_at timestamptz, run_after bigint, after_at timestamptz, failed bigint,
    doubt boolean, says text
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT s.name, earlier.run, earlier.effective_at, later.run, later.effective_at, lost.failed,
       earlier.run IS NULL OR lost.failed > 0 OR coalesce(moment < s.pruned_before, false) OR earlier.withheld > 0,
       CASE WHEN earlier.run IS NULL THEN 'before the first proven run: what existed then is not known'
            WHEN moment < s.pruned_before THEN 'before the history that is kept: older versions were pruned'
            WHEN later.run IS NULL AND lost.failed > 0 THEN 'after the last proven run; later runs did not prove theirs'
            WHEN lost.failed > 0 THEN 'in a gap: runs between two proven ones did not prove their list'
            WHEN earlier.withheld > 0 THEN 'after a run that withheld deletions: some images may be gone'
            WHEN later.run IS NULL THEN 'after the last proven run'
            ELSE 'between two proven runs' END
FROM inventory.sources s
LEFT JOIN LATERAL (
    SELECT r.run, r.effective_at, r.held + r.unconfirmed + r.pending AS withheld FROM inventory.runs r
    WHERE r.source = s.name AND r.effective_at <= moment AND r.proven
    ORDER BY r.effective_at DESC LIMIT 1
) AS earlier ON true
LEFT JOIN LATERAL (
    SELECT r.run, r.effective_at FROM inventory.runs r
    WHERE r.source = s.name AND r.effective_at > moment AND r.proven
    ORDER BY r.effective_at LIMIT 1
) AS later ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS failed FROM inventory.runs r
    WHERE r.source = s.name AND NOT (r.proven AND r.effective_at IS NOT NULL)
      AND r.status NOT IN ('running', 'skipped', 'superseded')
      AND r.run > coalesce(earlier.run, 0) AND r.run < coalesce(later.run, 9223372036854775807)
) AS lost
WHERE of_source IS NULL OR s.name = of_source
$$;

COMMENT ON FUNCTION inventory.observed IS
    'Per source: the proven runs on both sides of a moment, how many runs between them did not prove their list, '
    'and what that means';

-- What does a run vouch for? Its own record, what it changed, and the run before it.
CREATE FUNCTION inventory.run_digest(r inventory.runs, predecessor bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT sha256(coalesce(predecessor, ''::bytea) || r.changes_digest || convert_to(jsonb_build_array(
    r.run, r.source, r.status, r.reason, r.trigger,
    (extract(epoch FROM r.started_at) * 1000000)::bigint, (extract(epoch FROM r.finished_at) * 1000000)::bigint,
    (extract(epoch FROM r.effective_at) * 1000000)::bigint,
    r.proven, r.proven_by, r.proof, r.read_attempts, r.pages, r.received, r.listed, r.total,
    r.created, r.updated, r.restored, r.deleted, r.invisible, r.approved, r.held, r.unchanged, r.duplicates, r.quarantined,
    r.missing, r.still_there, r.unconfirmed, r.pending, r.type_mismatches, r.requests, r.retries, r.bytes, r.throttled_ms, r.version, r.host, r.ignored
)::text, 'UTF8'))
$$;

COMMENT ON FUNCTION inventory.run_digest IS
    'The digest that a committed run must have, given the digest of the run of its source that committed before it; '
    'see docs/evidence.md';

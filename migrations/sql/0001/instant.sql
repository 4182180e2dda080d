-- An instant as the API writes it, whatever zone the session is in.
CREATE FUNCTION inventory.instant(moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT replace(to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z'
$$;

COMMENT ON FUNCTION inventory.instant IS
    'An instant in RFC 3339: UTC, Z, a fraction only where there is one; whatever zone the session is in';

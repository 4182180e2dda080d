-- A property of extra as a whole number, if it is one, or its digits; no value makes it fail.
CREATE FUNCTION inventory.bigint_of(value jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE WHEN jsonb_typeof(value) IN ('number', 'string') AND value #>> '{}' ~ '^(0|-?[1-9][0-9]{0,18})$'
            THEN CASE WHEN (value #>> '{}')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
                      THEN (value #>> '{}')::bigint END END
$$;

COMMENT ON FUNCTION inventory.bigint_of IS
    'A property of extra as a whole number, also from its digits as text; NULL: it is none, or too large';

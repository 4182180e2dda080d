-- A property of extra as true or false, if it is one of them, or the word.
CREATE FUNCTION inventory.boolean_of(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE WHEN jsonb_typeof(value) IN ('boolean', 'string')
            THEN CASE lower(value #>> '{}') WHEN 'true' THEN true WHEN 'false' THEN false END END
$$;

COMMENT ON FUNCTION inventory.boolean_of IS
    'A property of extra as true or false, also from the words in any case; NULL: it is neither';

-- A property of extra as text, if it is text.
CREATE FUNCTION inventory.text_of(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE jsonb_typeof(value) WHEN 'string' THEN value #>> '{}' END
$$;

COMMENT ON FUNCTION inventory.text_of IS 'A property of extra as text; NULL: it is not text';

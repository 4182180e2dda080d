-- A column of a view that bears the name of a column of a table, and has no comment of its own, means the same.
DO $$
DECLARE
    missing record;
BEGIN
    FOR missing IN
        SELECT v.relname AS view, a.attname AS name, (
            SELECT col_description(t.oid, b.attnum) FROM pg_class t JOIN pg_attribute b ON b.attrelid = t.oid
            WHERE t.relnamespace = v.relnamespace AND b.attname = a.attname AND b.attnum > 0
              AND col_description(t.oid, b.attnum) IS NOT NULL
              AND t.relname IN ('images', 'image_versions', 'runs', 'sources', 'image_changes')
            ORDER BY array_position(
                ARRAY['images', 'image_versions', 'image_changes', 'sources', 'runs'], t.relname::text)
            LIMIT 1
        ) AS meaning
        FROM pg_class v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
        WHERE v.relnamespace = 'inventory'::regnamespace AND v.relkind = 'v'
          AND col_description(v.oid, a.attnum) IS NULL
    LOOP
        EXECUTE 'COMMENT ON COLUMN inventory.' || quote_ident(missing.view) || '.' || quote_ident(missing.name)
            || ' IS ' || quote_nullable(missing.meaning);
    END LOOP;
END
$$;

-- What the server offers to a database that is to be made, and whether this admin may make one, as one JSON value.
-- https://www.postgresql.org/docs/current/view-pg-available-extension-versions.html
-- https://www.postgresql.org/docs/current/catalog-pg-collation.html
SELECT pg_catalog.jsonb_build_object(
  'server', {server},
  'create_database', r.rolcreatedb OR r.rolsuper,
  'create_role', r.rolcreaterole OR r.rolsuper,
  'takes_tokens', EXISTS (
    SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_iam' AND pg_catalog.pg_has_role(SESSION_USER, g.oid, 'MEMBER')),
  'wal_level', pg_catalog.current_setting('wal_level'),
  'bounds_slots', pg_catalog.current_setting('max_slot_wal_keep_size') <> '-1',
  'template', (
    SELECT pg_catalog.jsonb_build_object(
      'provider', COALESCE(j.row ->> 'datlocprovider', 'c'),
      'lc_collate', d.datcollate,
      'lc_ctype', d.datctype,
      'locale', COALESCE(j.row ->> 'datlocale', j.row ->> 'daticulocale'))
    FROM pg_catalog.pg_database d
    CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) AS row) j
    WHERE d.datname = 'template0'),
  -- Made by initdb where the server was built with ICU.
  'icu', EXISTS (SELECT FROM pg_catalog.pg_collation c WHERE c.collprovider = 'i' AND c.collname LIKE '%-x-icu'),
  'libc', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(c.collctype, pg_catalog.pg_encoding_to_char(c.collencoding)), '{}')
    FROM pg_catalog.pg_collation c
    WHERE c.collprovider = 'c' AND c.collencoding >= 0
      AND c.collnamespace = 'pg_catalog'::pg_catalog.regnamespace),
  'extensions', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(e.name, pg_catalog.jsonb_build_object(
      'needs_superuser', v.superuser AND NOT v.trusted,
      'requires', COALESCE(pg_catalog.to_jsonb(v.requires), '[]'))), '{}')
    FROM pg_catalog.pg_available_extensions e
    JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version)
)::text
FROM pg_catalog.pg_roles r
WHERE r.rolname = CURRENT_USER

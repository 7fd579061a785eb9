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
  -- Groups of managed services, and modules that have the same use elsewhere.
  'privileged', EXISTS (
    SELECT FROM pg_catalog.pg_roles g
    WHERE g.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin', 'neon_superuser')
      AND pg_catalog.pg_has_role(g.oid, 'MEMBER'))
    OR pg_catalog.current_setting('extwlist.extensions', true) IS NOT NULL
    OR pg_catalog.current_setting('supautils.privileged_extensions', true) IS NOT NULL,
  'extensions', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(e.name, pg_catalog.jsonb_build_object(
      'default_version', e.default_version,
      'versions', v.versions)), '{}')
    FROM pg_catalog.pg_available_extensions e
    JOIN LATERAL (
      SELECT w.name, pg_catalog.jsonb_object_agg(w.version, pg_catalog.jsonb_build_object(
        'needs_superuser', w.superuser AND NOT w.trusted,
        'requires', COALESCE(pg_catalog.to_jsonb(w.requires), '[]'),
        'schema', w.schema,
        -- What a superuser's hand makes of a trusted one is a superuser's to move.
        'movable', w.relocatable AND (r.rolsuper OR NOT w.superuser))) AS versions
      FROM pg_catalog.pg_available_extension_versions w
      GROUP BY w.name) v ON v.name = e.name
    WHERE e.default_version IS NOT NULL)
)::text
FROM pg_catalog.pg_roles r
WHERE r.rolname = CURRENT_USER

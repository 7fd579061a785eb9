-- What is held on the objects of a database, and what they were given when they were made: the beginning of the statements
-- that read it and that take it back.
--
-- Objects of PostgreSQL itself (below OID 16384) and of extensions are held against what they were given then, ordinary
-- ones against PostgreSQL's defaults. Temporary objects are left out: they end with their session, and no other may use them.
-- https://www.postgresql.org/docs/current/catalog-pg-init-privs.html
--
-- Whoever owns an extension can add objects of its own to it, with all that others hold on them: those of an owner who owns neither
-- the database nor the server stay ordinary ones.
WITH members AS MATERIALIZED (
  SELECT d.classid, d.objid, e.extowner,
         CASE WHEN NOT r.rolsuper AND e.extowner <> (
                SELECT b.datdba FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())
              THEN e.extowner END AS guest
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_roles r ON r.oid = e.extowner
  JOIN pg_catalog.pg_depend d
    ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e'
), namespaces AS (
  SELECT n.*, pg_catalog.starts_with(n.nspname::text, 'pg_temp_') OR pg_catalog.starts_with(n.nspname::text, 'pg_toast') AS hidden
  FROM pg_catalog.pg_namespace n
), granted AS MATERIALIZED (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid, 0 AS subid, c.relnamespace AS namespace, c.relowner AS owner,
         c.relacl AS acl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS kind, c.relname::text AS name
  FROM pg_catalog.pg_class c WHERE c.relacl IS NOT NULL AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, a.attnum, c.relnamespace, c.relowner, a.attacl, 'c', c.relname::text
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0, p.pronamespace, p.proowner, p.proacl, 'f', p.proname::text
  FROM pg_catalog.pg_proc p WHERE p.proacl IS NOT NULL
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, t.typnamespace, t.typowner, t.typacl, 'T', t.typname::text
  FROM pg_catalog.pg_type t WHERE t.typacl IS NOT NULL
  UNION ALL
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 0, 0, n.nspowner, n.nspacl, 'n', n.nspname::text
  FROM namespaces n WHERE n.nspacl IS NOT NULL AND NOT n.hidden
  UNION ALL
  SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 0, 0, l.lanowner, l.lanacl, 'l', l.lanname::text
  FROM pg_catalog.pg_language l WHERE l.lanacl IS NOT NULL
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, 0, 0, w.fdwowner, w.fdwacl, 'F', w.fdwname::text
  FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.fdwacl IS NOT NULL
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 0, 0, s.srvowner, s.srvacl, 'S', s.srvname::text
  FROM pg_catalog.pg_foreign_server s WHERE s.srvacl IS NOT NULL
  UNION ALL
  SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid, 0, 0, l.lomowner, l.lomacl, 'L', l.oid::text
  FROM pg_catalog.pg_largeobject_metadata l WHERE l.lomacl IS NOT NULL
), held AS (
  -- What initdb grants on information_schema is on no record.
  -- The OID of a large object is its maker's choice.
  SELECT g.*, g.oid < 16384 AND g.kind <> 'L' OR m.objid IS NOT NULL AS original,
         CASE WHEN i.initprivs IS NOT NULL AND (g.oid < 16384 AND g.kind <> 'L' OR m.objid IS NOT NULL) THEN i.initprivs
              WHEN g.oid < 16384 AND (g.namespace = 'information_schema'::pg_catalog.regnamespace AND g.kind = 'r'
                                      OR g.oid = 'information_schema'::pg_catalog.regnamespace AND g.kind = 'n')
                THEN pg_catalog.acldefault(g.kind, g.owner)
                     || pg_catalog.makeaclitem(0, g.owner, CASE g.kind WHEN 'n' THEN 'USAGE' ELSE 'SELECT' END, false)
              ELSE pg_catalog.acldefault(g.kind, g.owner) END AS expected
  FROM granted g
  LEFT JOIN members m ON m.classid = g.classid AND m.objid = g.oid AND m.guest IS DISTINCT FROM g.owner
  LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = g.oid AND i.classoid = g.classid AND i.objsubid = g.subid
)

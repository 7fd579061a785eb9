-- What only a session inside a database sees, as one JSON value: its schemas, extensions and default privileges, who holds
-- what on its objects and owns which, and the things that act in it. The braces are for held.sql.
-- $1: how many names of each kind are given; the rest is counted.
--
-- Names are bytes in hexadecimal digits: another role may have written them, in an encoding that this session cannot show.
-- What an owner holds on its own is left out.
{held}, encoding AS (
  SELECT pg_catalog.getdatabaseencoding() AS name
), grants AS (
  SELECT h.kind, h.namespace, h.owner, h.original, a.grantee, a.privilege_type AS privilege, a.is_grantable AS grantable,
         pg_catalog.count(DISTINCT h.oid) AS count,
         (pg_catalog.array_agg(DISTINCT h.name))[1:$1] AS names
  FROM held h
  CROSS JOIN LATERAL (
    SELECT x.grantee, x.privilege_type, x.is_grantable
    FROM pg_catalog.aclexplode(h.acl) x
    WHERE x.grantee <> h.owner
    EXCEPT
    SELECT d.grantee, d.privilege_type, d.is_grantable FROM pg_catalog.aclexplode(h.expected) d) a
  -- Those on ordinary schemas come with the schemas.
  WHERE h.acl <> h.expected AND (h.kind <> 'n' OR h.name IN ('pg_catalog', 'information_schema'))
  GROUP BY 1, 2, 3, 4, 5, 6, 7
), made AS (
  -- Objects whose owner is told: the bootstrap superuser's, which pg_shdepend does not have; extensions' that belong to neither it
  -- nor whoever made the extension; and routines that act as their owner. Of a composite type it is the type that is the extension's.
  SELECT 'pg_class' AS class, false AS acts, c.relname::text AS name, c.relowner AS owner, false AS definer,
         CASE c.relkind WHEN 'c' THEN 'pg_catalog.pg_type' ELSE 'pg_catalog.pg_class' END::pg_catalog.regclass AS classid,
         CASE c.relkind WHEN 'c' THEN c.reltype ELSE c.oid END AS oid
  FROM pg_catalog.pg_class c
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'pg_proc', false, p.proname::text, p.proowner, p.prosecdef, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
  FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
  UNION ALL
  SELECT 'pg_type', false, t.typname::text, t.typowner, false, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
  FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e', 'r', 'b') AND t.typelem = 0
  UNION ALL
  SELECT 'pg_largeobject', false, l.oid::text, l.lomowner, false, 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid
  FROM pg_catalog.pg_largeobject_metadata l WHERE l.lomowner = 10
  UNION ALL
  -- What acts in the database, whoever owns it.
  SELECT 'pg_event_trigger', true, t.evtname::text, 0, false, 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, t.oid
  FROM pg_catalog.pg_event_trigger t
  UNION ALL
  SELECT 'pg_publication', true, p.pubname::text, p.pubowner, false, 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid
  FROM pg_catalog.pg_publication p
  UNION ALL
  SELECT 'pg_foreign_data_wrapper', true, w.fdwname::text, 0, false, 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid
  FROM pg_catalog.pg_foreign_data_wrapper w
  UNION ALL
  SELECT 'pg_foreign_server', true, s.srvname::text, 0, false, 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid
  FROM pg_catalog.pg_foreign_server s
  UNION ALL
  -- Of those that initdb makes, one that became trusted.
  SELECT 'pg_language', true, l.lanname::text, 0, false, 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid
  FROM pg_catalog.pg_language l WHERE l.oid >= 16384 OR l.lanpltrusted AND l.lanname IN ('c', 'internal')
  UNION ALL
  SELECT 'pg_am', true, a.amname::text, 0, false, 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid
  FROM pg_catalog.pg_am a WHERE a.oid >= 16384
  UNION ALL
  -- Between types of PostgreSQL's own: only a superuser makes one. Casts of its own types are a tenant's affair.
  SELECT 'pg_cast', true, pg_catalog.format('%s AS %s', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)),
         0, false, 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid
  FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND c.castsource < 16384 AND c.casttarget < 16384
), told AS MATERIALIZED (
  SELECT o.class, o.acts, o.name, o.owner, o.definer AND m.objid IS NULL AS definer, m.objid IS NOT NULL AS original
  FROM made o
  LEFT JOIN members m ON m.classid = o.classid AND m.objid = o.oid AND m.guest IS DISTINCT FROM o.owner
  WHERE CASE WHEN o.acts THEN m.objid IS NULL
             WHEN m.objid IS NULL THEN o.owner = 10 OR o.definer
             ELSE o.owner NOT IN (10, m.extowner) END
), owners AS (
  SELECT t.class, t.owner, t.definer, t.original, pg_catalog.count(*) AS count,
         (pg_catalog.array_agg(t.name ORDER BY t.name))[1:$1] AS names
  FROM told t WHERE NOT t.acts
  GROUP BY 1, 2, 3, 4
), relations AS (
  SELECT CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind, c.relnamespace AS namespace, c.relowner AS owner, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_class c
  LEFT JOIN members m ON m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND m.objid IS NULL
  GROUP BY 1, 2, 3
), defaults AS (
  SELECT d.defaclrole AS owner, d.defaclnamespace AS namespace, d.defaclobjtype AS kind, a.grantee,
         pg_catalog.array_agg(DISTINCT a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END) AS privileges
  FROM pg_catalog.pg_default_acl d
  CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
  -- Those of all schemas stand in the place of what PostgreSQL itself gives PUBLIC on routines and types.
  WHERE a.grantee <> d.defaclrole
    AND (a.grantee <> 0 OR d.defaclobjtype NOT IN ('f', 'T') OR d.defaclnamespace <> 0 OR a.is_grantable)
  GROUP BY 1, 2, 3, 4
)
SELECT pg_catalog.jsonb_build_object(
  'schemas', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, e.name), 'hex'),
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(n.nspowner)::text, e.name), 'hex'),
      'owner_usable', pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
      'comment', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.left(c.description, 4096), e.name), 'hex'),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0
                          THEN pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(a.grantee)::text, e.name), 'hex') END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE a.grantee <> n.nspowner),
      -- The bootstrap superuser's objects are not in pg_shdepend.
      'planted', EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_shdepend o
          ON o.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())
          AND o.classid = d.classid AND o.objid = d.objid AND o.objsubid = 0 AND o.deptype = 'o'
          AND o.refobjid <> (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER)
        WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
          AND NOT EXISTS (
            SELECT FROM members m
            WHERE m.classid = d.classid AND m.objid = d.objid AND m.guest IS DISTINCT FROM o.refobjid)))), '[]')
    FROM (
      SELECT s.* FROM namespaces s
      WHERE NOT s.hidden AND s.nspname NOT IN ('pg_catalog', 'information_schema')
      -- Those of the database's owner first: whoever makes many hides none of them.
      ORDER BY s.nspowner <> (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()), s.oid
      LIMIT 100) n
    LEFT JOIN pg_catalog.pg_description c
      ON c.objoid = n.oid AND c.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND c.objsubid = 0),
  'count_of_schemas', (
    SELECT pg_catalog.count(*) FROM namespaces s
    WHERE NOT s.hidden AND s.nspname NOT IN ('pg_catalog', 'information_schema')),
  'extensions', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', pg_catalog.encode(pg_catalog.convert_to(x.extname::text, e.name), 'hex'),
      'schema', pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, e.name), 'hex'),
      'version', x.extversion,
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(x.extowner)::text, e.name), 'hex'),
      'owner_usable', pg_catalog.pg_has_role(x.extowner, 'USAGE'),
      -- What a superuser's hand made of a trusted extension is a superuser's to move.
      'movable', x.extrelocatable AND ((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER) OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid AND d.deptype = 'e'
          AND d.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
                            'pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
          AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_shdepend o
            WHERE o.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())
              AND o.classid = d.classid AND o.objid = d.objid AND o.objsubid = 0 AND o.deptype = 'o'
              AND pg_catalog.pg_has_role(o.refobjid, 'USAGE')))),
      -- Which reads the control files of all.
      'fixed', CASE WHEN n.nspname <> 'extensions' THEN (
        SELECT v.schema FROM pg_catalog.pg_available_extension_versions v WHERE v.name = x.extname AND v.version = x.extversion) END,
      'requires', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.encode(pg_catalog.convert_to(r.extname::text, e.name), 'hex') ORDER BY r.extname), '[]')
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension r ON r.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.objid = x.oid
          AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass))), '[]')
    FROM pg_catalog.pg_extension x
    JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
    WHERE x.extname <> 'plpgsql'),
  'grants', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'kind', g.kind,
      'original', g.original,
      'schema', pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, e.name), 'hex'),
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(g.owner)::text, e.name), 'hex'),
      'owner_usable', pg_catalog.pg_has_role(g.owner, 'USAGE'),
      'grantee', CASE WHEN g.grantee <> 0
                      THEN pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(g.grantee)::text, e.name), 'hex') END,
      'privilege', g.privilege,
      'grantable', g.grantable,
      'count', g.count,
      'names', (SELECT pg_catalog.jsonb_agg(pg_catalog.encode(pg_catalog.convert_to(i.name, e.name), 'hex') ORDER BY i.name)
                FROM pg_catalog.unnest(g.names) AS i (name)))), '[]')
    FROM (SELECT * FROM grants ORDER BY original DESC, grantee, kind, namespace, privilege LIMIT 1000) g
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = g.namespace),
  'groups_of_grants', (SELECT pg_catalog.count(*) FROM grants),
  'owners', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'class', o.class,
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(o.owner)::text, e.name), 'hex'),
      'definer', o.definer,
      'original', o.original,
      'count', o.count,
      'names', (SELECT pg_catalog.jsonb_agg(pg_catalog.encode(pg_catalog.convert_to(i.name, e.name), 'hex') ORDER BY i.name)
                FROM pg_catalog.unnest(o.names) AS i (name)))), '[]')
    FROM (SELECT * FROM owners ORDER BY owner, class, definer, original LIMIT 100) o),
  'relations', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'kind', r.kind,
      'schema', pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, e.name), 'hex'),
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(r.owner)::text, e.name), 'hex'),
      'count', r.count)), '[]')
    FROM (SELECT * FROM relations ORDER BY namespace, owner, kind LIMIT 1000) r
    JOIN pg_catalog.pg_namespace n ON n.oid = r.namespace),
  'defaults', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'owner', pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(d.owner)::text, e.name), 'hex'),
      'owner_usable', pg_catalog.pg_has_role(d.owner, 'USAGE'),
      'schema', pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, e.name), 'hex'),
      'kind', d.kind,
      'grantee', CASE WHEN d.grantee <> 0
                      THEN pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(d.grantee)::text, e.name), 'hex') END,
      'privileges', d.privileges)), '[]')
    FROM (SELECT * FROM defaults ORDER BY owner, namespace, kind, grantee LIMIT 500) d
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.namespace),
  'things', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'class', t.class,
      'name', pg_catalog.encode(pg_catalog.convert_to(t.name, e.name), 'hex'),
      'owner', CASE WHEN t.owner <> 0
                    THEN pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_get_userbyid(t.owner)::text, e.name), 'hex') END)), '[]')
    FROM (SELECT * FROM told WHERE acts ORDER BY class, name LIMIT 100) t)
)::text
FROM encoding e

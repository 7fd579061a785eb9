-- What only a session inside a database sees: schemas with their ACLs, and extensions, as one JSON value.
-- $1: the schemas that are asked for; those that carry a comment of ours, and `public`, come as well.
-- $2: how that comment begins, or NULL. $3: roles that may hold privileges here; NULL: no matter who does.
-- https://www.postgresql.org/docs/current/catalog-pg-namespace.html
SELECT pg_catalog.jsonb_build_object(
  'schemas', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', n.nspname,
      'owner', pg_catalog.pg_get_userbyid(n.nspowner),
      'owner_usable', pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
      'comment', pg_catalog.left(c.description, 4096),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE a.grantee <> n.nspowner))), '[]')
    FROM pg_catalog.pg_namespace n
    LEFT JOIN pg_catalog.pg_description c
      ON c.objoid = n.oid AND c.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND c.objsubid = 0
    WHERE n.nspname = 'public' OR n.nspname = ANY ($1) OR pg_catalog.starts_with(c.description, $2)),
  -- What roles hold on objects here, but for their owner: $3 are the roles that are no strangers.
  'grants', (
    SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
      'class', i.type, 'object', i.identity, 'grantee', r.rolname, 'owner', w.rolname)), '[]')
    FROM pg_catalog.pg_shdepend s
    JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, 0) i
    LEFT JOIN pg_catalog.pg_shdepend o
      ON o.dbid = s.dbid AND o.classid = s.classid AND o.objid = s.objid AND o.objsubid = 0 AND o.deptype = 'o'
    LEFT JOIN pg_catalog.pg_roles w ON w.oid = o.refobjid
    WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
      AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.deptype = 'a'
      AND r.rolname <> ALL ($3) AND i.type <> 'default acl'),
  -- What objects made here later would grant to others. That PUBLIC may execute functions and use types is
  -- PostgreSQL's own default.
  'default_privileges', (
    SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
      'role', r.rolname, 'schema', n.nspname, 'class', d.defaclobjtype::text, 'grantee', g.rolname)), '[]')
    FROM pg_catalog.pg_default_acl d
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
    JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
    WHERE (a.grantee = 0 AND (d.defaclobjtype NOT IN ('f', 'T') OR d.defaclnamespace <> 0) OR g.rolname <> ALL ($3))
      AND a.grantee <> d.defaclrole),
  'extensions', (
    SELECT COALESCE(pg_catalog.jsonb_agg(e.extname), '[]')
    FROM pg_catalog.pg_extension e
    WHERE e.extname <> 'plpgsql')
)::text

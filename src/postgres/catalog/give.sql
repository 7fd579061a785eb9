-- Gives a role what it is to have on the objects of a tenant: on those that are there and lack it, and on those that the tenant
-- makes later. Runs as a member of the tenant's role, which grants it. Objects of extensions are left out.
-- Before: set_config of 'pgtenant.tenant' and 'pgtenant.role', the two roles; 'pgtenant.relations', 'pgtenant.sequences' and
-- 'pgtenant.schemas', the privileges on each kind, as GRANT takes them, none of them empty; and 'pgtenant.places', a JSON list of the
-- schemas in which.
-- https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
DO $give$
DECLARE
  tenant constant pg_catalog.oid := (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = pg_catalog.current_setting('pgtenant.tenant'));
  role constant pg_catalog.oid := (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = pg_catalog.current_setting('pgtenant.role'));
  places constant pg_catalog.oid[] := (
    SELECT pg_catalog.array_agg(n.oid)
    FROM pg_catalog.jsonb_array_elements_text(pg_catalog.current_setting('pgtenant.places')::jsonb) AS p (name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = p.name);
  this record;
BEGIN
  FOR this IN
    SELECT w.class, w.privileges, pg_catalog.array_agg(o.name) AS objects
    FROM (
      SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS class, c.relacl AS acl,
             pg_catalog.format('%s.%I', c.relnamespace::pg_catalog.regnamespace, c.relname) AS name
      FROM pg_catalog.pg_class c
      WHERE c.relowner = tenant AND c.relnamespace = ANY (places) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
      UNION ALL
      SELECT 'SCHEMA', n.nspacl, pg_catalog.quote_ident(n.nspname)
      FROM pg_catalog.pg_namespace n
      WHERE n.nspowner = tenant AND n.oid = ANY (places)) o
    JOIN (VALUES
      ('TABLE', pg_catalog.current_setting('pgtenant.relations')),
      ('SEQUENCE', pg_catalog.current_setting('pgtenant.sequences')),
      ('SCHEMA', pg_catalog.current_setting('pgtenant.schemas'))) w (class, privileges) ON w.class = o.class
    WHERE EXISTS (
      SELECT FROM pg_catalog.unnest(pg_catalog.string_to_array(w.privileges, ', ')) p
      WHERE NOT EXISTS (SELECT FROM pg_catalog.aclexplode(o.acl) a WHERE a.grantee = role AND a.privilege_type = p))
    GROUP BY 1, 2
    ORDER BY 1
  LOOP
    EXECUTE pg_catalog.format('GRANT %s ON %s %s TO %I', this.privileges, this.class,
                              pg_catalog.array_to_string(this.objects, ', '), pg_catalog.pg_get_userbyid(role));
  END LOOP;

  FOR this IN
    SELECT w.class, w.privileges
    FROM (VALUES
      ('TABLES', pg_catalog.current_setting('pgtenant.relations')),
      ('SEQUENCES', pg_catalog.current_setting('pgtenant.sequences')),
      ('SCHEMAS', pg_catalog.current_setting('pgtenant.schemas'))) w (class, privileges)
  LOOP
    EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT %s ON %s TO %I',
                              pg_catalog.pg_get_userbyid(tenant), this.privileges, this.class, pg_catalog.pg_get_userbyid(role));
  END LOOP;
END
$give$

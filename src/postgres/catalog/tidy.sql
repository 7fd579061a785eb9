-- Takes back what others than the tenant and the admin hold on the objects of a database, and what the tenant's default
-- privileges would give them: a batch at a time, by object identity, as the role that granted it. What cannot be taken back is
-- left: whoever runs this reads again. Of schemas those that the tenant owns. The braces are for held.sql.
-- Before: set_config('pgtenant.home', <a JSON list of the roles that may hold something>, true), and 'pgtenant.tenant', the
-- tenant's role among them, to which nobody's default privileges give anything.
DO $tidy$
DECLARE
  home constant oid[] := (
    SELECT pg_catalog.array_agg(r.oid)
    FROM pg_catalog.jsonb_array_elements_text(pg_catalog.current_setting('pgtenant.home')::jsonb) AS h (name)
    JOIN pg_catalog.pg_roles r ON r.rolname = h.name);
  -- Set where one role alone is to lose what it has beyond these privileges: then all at once, for it is done in one transaction
  -- with what it keeps.
  single constant oid := (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = NULLIF(pg_catalog.current_setting('pgtenant.role', true), ''));
  this record;
  object text;
BEGIN
  FOR this IN
    {held}, excess AS (
      SELECT h.classid, h.oid, h.subid, h.kind, a.grantee, a.privilege_type AS privilege
      FROM held h
      CROSS JOIN LATERAL (
        SELECT x.grantee, x.privilege_type, x.is_grantable
        FROM pg_catalog.aclexplode(h.acl) x
        WHERE x.grantee <> h.owner
        EXCEPT
        SELECT d.grantee, d.privilege_type, d.is_grantable FROM pg_catalog.aclexplode(h.expected) d) a
      WHERE h.acl <> h.expected AND pg_catalog.pg_has_role(h.owner, 'USAGE') AND (h.original OR a.grantee <> ALL (home))
        AND (h.kind <> 'n' OR h.name IN ('pg_catalog', 'information_schema')
             OR pg_catalog.pg_get_userbyid(h.owner) = pg_catalog.current_setting('pgtenant.tenant')::name)
        AND (single IS NULL OR a.grantee = single AND (a.is_grantable OR a.privilege_type <> ALL (pg_catalog.string_to_array(
          CASE h.kind WHEN 'r' THEN pg_catalog.current_setting('pgtenant.relations', true)
            WHEN 's' THEN pg_catalog.current_setting('pgtenant.sequences', true)
            WHEN 'n' THEN pg_catalog.current_setting('pgtenant.schemas', true) ELSE '' END, ', '))))
      ORDER BY h.classid, h.oid
      LIMIT CASE WHEN single IS NULL THEN 2000 END
    ), named AS (
      SELECT x.kind, x.grantee,
             x.privilege || CASE WHEN x.kind = 'c' THEN (
               SELECT pg_catalog.format(' (%I)', c.attname) FROM pg_catalog.pg_attribute c WHERE c.attrelid = x.oid AND c.attnum = x.subid)
               ELSE '' END AS privilege,
             CASE x.kind WHEN 'r' THEN 'TABLE' WHEN 'c' THEN 'TABLE' WHEN 's' THEN 'SEQUENCE' WHEN 'T' THEN 'TYPE' WHEN 'n' THEN 'SCHEMA'
               WHEN 'l' THEN 'LANGUAGE' WHEN 'F' THEN 'FOREIGN DATA WRAPPER' WHEN 'S' THEN 'FOREIGN SERVER' WHEN 'L' THEN 'LARGE OBJECT'
               ELSE CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END END AS class,
             CASE
               WHEN c.oid IS NOT NULL THEN pg_catalog.format('%s.%I', c.relnamespace::pg_catalog.regnamespace, c.relname)
               WHEN p.oid IS NOT NULL THEN pg_catalog.format('%s.%I(%s)', p.pronamespace::pg_catalog.regnamespace, p.proname,
                 CASE p.prokind WHEN 'p' THEN pg_catalog.pg_get_function_identity_arguments(p.oid)
                   ELSE (SELECT pg_catalog.string_agg(pg_catalog.format_type(t.oid, NULL), ', ' ORDER BY t.number)
                         FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY AS t (oid, number)) END)
               WHEN t.oid IS NOT NULL THEN pg_catalog.format('%s.%I', t.typnamespace::pg_catalog.regnamespace, t.typname)
               WHEN x.kind = 'L' THEN x.oid::text
               WHEN x.kind = 'n' THEN (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n WHERE n.oid = x.oid)
               WHEN x.kind = 'l' THEN (SELECT pg_catalog.quote_ident(l.lanname) FROM pg_catalog.pg_language l WHERE l.oid = x.oid)
               WHEN x.kind = 'F' THEN (SELECT pg_catalog.quote_ident(w.fdwname) FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid = x.oid)
               WHEN x.kind = 'S' THEN (SELECT pg_catalog.quote_ident(s.srvname) FROM pg_catalog.pg_foreign_server s WHERE s.oid = x.oid)
             END AS object
      FROM excess x
      LEFT JOIN pg_catalog.pg_class c ON c.oid = x.oid AND x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_proc p ON p.oid = x.oid AND x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_type t ON t.oid = x.oid AND x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    )
    SELECT n.class, n.privilege, CASE n.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.grantee)) END AS grantee,
           pg_catalog.array_agg(n.object) AS objects
    FROM named n
    WHERE n.object IS NOT NULL
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('REVOKE %s ON %s %s FROM %s CASCADE', this.privilege, this.class,
                                pg_catalog.array_to_string(this.objects, ', '), this.grantee);
    EXCEPTION WHEN OTHERS THEN
      -- One of them does not go: then each by itself.
      FOREACH object IN ARRAY this.objects LOOP
        BEGIN
          EXECUTE pg_catalog.format('REVOKE %s ON %s %s FROM %s CASCADE', this.privilege, this.class, object, this.grantee);
        EXCEPTION WHEN OTHERS THEN
          NULL;
        END;
      END LOOP;
    END;
  END LOOP;

  FOR this IN
    SELECT DISTINCT d.defaclrole, d.defaclnamespace, d.defaclobjtype, a.grantee
    FROM pg_catalog.pg_default_acl d
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
    WHERE a.grantee <> d.defaclrole AND pg_catalog.pg_has_role(d.defaclrole, 'USAGE') AND (single IS NULL OR a.grantee = single)
      AND (a.grantee = 0 AND (d.defaclobjtype NOT IN ('f', 'T') OR d.defaclnamespace <> 0 OR a.is_grantable)
           OR a.grantee <> 0 AND (a.grantee <> ALL (home)
             OR pg_catalog.pg_get_userbyid(a.grantee) = pg_catalog.current_setting('pgtenant.tenant')::name))
    LIMIT 500
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE ALL ON %s FROM %s CASCADE',
        pg_catalog.pg_get_userbyid(this.defaclrole),
        CASE WHEN this.defaclnamespace <> 0 THEN 'IN SCHEMA ' || this.defaclnamespace::pg_catalog.regnamespace::text ELSE '' END,
        CASE this.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
          WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END,
        CASE this.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(this.grantee)) END);
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
  END LOOP;
END
$tidy$

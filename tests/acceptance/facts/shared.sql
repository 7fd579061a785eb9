-- What the shared catalogs say of roles, databases and what is in them, a line each, in an order of its own: held
-- against what the provider says it has repaired.
SELECT format('role %s %s', rolname, to_jsonb(a) - ARRAY['oid', 'rolname', 'rolpassword', 'rolvaliduntil']
              || jsonb_build_object('until', nullif(rolvaliduntil, 'infinity')))
FROM pg_catalog.pg_authid AS a
UNION ALL
SELECT format('database %s %s %s %s %s', datname, datdba::regrole, datconnlimit, datallowconn, datistemplate)
FROM pg_catalog.pg_database
UNION ALL
SELECT format('on database %s %s %s %s', datname, grantee::regrole, privilege_type, is_grantable)
FROM pg_catalog.pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
UNION ALL
SELECT format('set %s %s %s', setrole::regrole, datname, setting)
FROM pg_catalog.pg_db_role_setting LEFT JOIN pg_catalog.pg_database AS d ON d.oid = setdatabase, unnest(setconfig) AS setting
UNION ALL
SELECT format('member %s %s %s', roleid::regrole, member::regrole, to_jsonb(m) - ARRAY['oid', 'roleid', 'member', 'grantor'])
FROM pg_catalog.pg_auth_members AS m
UNION ALL
SELECT format('comment %s', description) FROM pg_catalog.pg_shdescription
UNION ALL
SELECT format('tablespace %s %s %s', spcname, spcowner::regrole, spcacl) FROM pg_catalog.pg_tablespace
UNION ALL
SELECT format('depends %s %s %s %s %s', datname, classid::regclass, refobjid::regrole, deptype, count(*))
FROM pg_catalog.pg_shdepend LEFT JOIN pg_catalog.pg_database AS d ON d.oid = dbid
WHERE refclassid = 'pg_authid'::regclass
GROUP BY datname, classid, refobjid, deptype

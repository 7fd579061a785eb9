-- Sets a parameter, which fails if the server does not take the value from this admin; and says whether the admin may put it on
-- record for a role or a database. Of a name with a dot that nothing on the server knows, a session takes anything; only a
-- superuser, or from 15 on who holds SET on it, puts it on record. Local to a transaction of one statement: undone as soon as it
-- is answered.
-- $1: the name, $2: the value.
-- https://www.postgresql.org/docs/current/runtime-config-custom.html
SELECT pg_catalog.set_config($1, $2, true),
  pg_catalog.strpos($1, '.') = 0
  OR EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE pg_catalog.lower(s.name) = pg_catalog.lower($1))
  OR (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER)
  OR {may_set} AS may_record

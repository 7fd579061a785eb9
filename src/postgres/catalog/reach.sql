-- What some roles may do on databases other than their own, as one JSON value: their effective privileges,
-- whether by a grant, by a membership or by PUBLIC.
-- $1: names of roles; $2: for each the name of its own database, or NULL; $3: databases to leave out where RDS, whose
-- settings tell it, has them.
-- Databases that accept no connections are left out too. Of each role the first ten databases are named.
-- https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-ACCESS
WITH roles AS (
  SELECT r.oid, r.rolname, h.home
  FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS h (role, home)
  JOIN pg_catalog.pg_roles r ON r.rolname = h.role
), databases AS (
  SELECT d.oid, d.datname, (
    SELECT COALESCE(pg_catalog.jsonb_agg(a.privilege_type), '[]')
    FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
    WHERE a.grantee = 0) AS public
  FROM pg_catalog.pg_database d
  WHERE d.datallowconn
    AND NOT (d.datname = ANY ($3) AND EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE pg_catalog.starts_with(s.name, 'rds.')))
), allowed AS (
  SELECT r.rolname AS role, d.datname AS database, d.public,
         pg_catalog.row_number() OVER (PARTITION BY r.oid ORDER BY d.datname) AS number,
         pg_catalog.count(*) OVER (PARTITION BY r.oid) AS count, r.oid AS role_oid, d.oid AS database_oid
  FROM roles r
  JOIN databases d ON d.datname IS DISTINCT FROM r.home
  WHERE pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT, CREATE, TEMPORARY')
)
SELECT pg_catalog.jsonb_build_object(
  'pairs', (SELECT pg_catalog.count(*) FROM roles r JOIN databases d ON d.datname IS DISTINCT FROM r.home),
  'allowed', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'role', a.role,
      'database', a.database,
      'count', a.count,
      'privileges', (
        SELECT pg_catalog.jsonb_agg(p.privilege)
        FROM pg_catalog.unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS p (privilege)
        WHERE pg_catalog.has_database_privilege(a.role_oid, a.database_oid, p.privilege)),
      'public', a.public) ORDER BY a.role, a.database), '[]')
    FROM allowed a
    WHERE a.number <= 10)
)::text

-- The numbers, from 1 on, of those updates of extensions that no chain of scripts makes: $1 names, $2 the versions that are there,
-- $3 those that they are to become.
-- https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-UPDATES
SELECT COALESCE(pg_catalog.jsonb_agg(u.number), '[]')::text
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY AS u (name, source, target, number)
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_extension_update_paths(u.name::name) p
  WHERE p.source = u.source AND p.target = u.target AND p.path IS NOT NULL)

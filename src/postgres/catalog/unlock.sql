-- Lets go of the advisory locks for some texts: see lock.sql.
-- $1: the texts.
SELECT pg_catalog.pg_advisory_unlock({key})
FROM pg_catalog.unnest($1) AS w (name)

-- Lets go of the advisory locks for some texts: see lock.sql.
-- $1: the texts.
SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended(w.name, 8101110116))
FROM pg_catalog.unnest($1) AS w (name)

-- What the watchdog did, one row each. No query text: it may hold a tenant's data.
CREATE TABLE pgtenant_watchdog.actions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recorded timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  tenant text NOT NULL,
  role text NOT NULL,
  reason text NOT NULL,
  expected text,
  observed text,
  pid integer,
  database text,
  application_name text,
  client_addr inet,
  started timestamptz,
  signaled timestamptz,
  ended timestamptz,
  sqlstate text
);
CREATE INDEX ON pgtenant_watchdog.actions (role, reason) WHERE ended IS NULL;
CREATE INDEX ON pgtenant_watchdog.actions (tenant, id);
CREATE INDEX ON pgtenant_watchdog.actions (recorded)

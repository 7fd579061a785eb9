(
    -- The server, and who this provider is on it: a part of other statements.
    SELECT pg_catalog.jsonb_build_object(
      'version_num', pg_catalog.current_setting('server_version_num')::int,
      'version', pg_catalog.current_setting('server_version'),
      'admin', r.rolname,
      'superuser', r.rolsuper,
      'bootstrap', pg_catalog.pg_get_userbyid(10),
      'now', pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.MS"Z"'))
    FROM pg_catalog.pg_roles r
    WHERE r.rolname = CURRENT_USER)

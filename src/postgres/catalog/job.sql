-- A job of pg_cron by its name, with how it last ended, as one JSON value: that of the role that logged in, as which
-- the job runs. $1: the job's name.
-- https://github.com/citusdata/pg_cron
SELECT pg_catalog.jsonb_build_object(
  'job', (
    SELECT pg_catalog.jsonb_build_object(
      'schedule', j.schedule,
      'command', j.command,
      'database', j.database,
      'host', j.nodename,
      'port', j.nodeport,
      'active', j.active,
      'last_run', (
        SELECT pg_catalog.jsonb_build_object(
          'status', d.status,
          'message', pg_catalog.left(d.return_message, 200))
        FROM cron.job_run_details d
        -- One that could not start has no times.
        WHERE d.jobid = j.jobid AND d.status IN ('failed', 'succeeded')
        ORDER BY d.runid DESC
        LIMIT 1),
      'seconds_since_success', (
        SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.max(d.end_time))::bigint
        FROM cron.job_run_details d
        WHERE d.jobid = j.jobid AND d.status = 'succeeded'))
    FROM cron.job j
    WHERE j.jobname::text = $1 AND j.username = SESSION_USER)
)::text

//! Databases as they grow by hand, each with an oddity of its own, as data.

/// A database, what is in it, who uses it, and what is to be said of it when it becomes a tenant.
pub struct Grown {
    pub database: &'static str,
    /// Behind CREATE DATABASE.
    pub options: &'static str,
    /// Run by the admin before the database is there, in `postgres`. `{app}` is the application's role.
    pub around: &'static str,
    /// Run by the application, which owns the database.
    pub within: &'static str,
    /// What the application goes on asking.
    pub asks: &'static str,
    /// Who else asks what.
    pub others: &'static [Other],
    pub schema: &'static str,
    /// What else the configuration says, as attributes of an object.
    pub more: &'static str,
}

/// A role beside the application's.
pub struct Other {
    pub role: &'static str,
    pub access: &'static str,
    /// Made by somebody else, for more than this database.
    pub visits: bool,
    pub asks: &'static str,
}

const PLAIN: Grown = Grown {
    database: "",
    options: "",
    around: "",
    within: "CREATE TABLE t AS SELECT 42 AS id",
    asks: "SELECT id FROM t",
    others: &[],
    schema: "public",
    more: "",
};

const fn reader(role: &'static str, asks: &'static str) -> Other {
    Other { role, access: "read", visits: false, asks }
}

const fn visitor(access: &'static str, asks: &'static str) -> Other {
    Other { role: "grown_all", access, visits: true, asks }
}

pub const DATABASES: &[Grown] = &[
    Grown { database: "grown_public", ..PLAIN },
    Grown { database: "grown_empty", within: "", asks: "SELECT 1", ..PLAIN },
    Grown {
        database: "grown_schema",
        around: "ALTER ROLE {app} SET search_path = shop",
        within: "CREATE SCHEMA shop; CREATE TABLE shop.t AS SELECT 42 AS id",
        schema: "shop",
        ..PLAIN
    },
    Grown {
        database: "grown_path",
        within: "CREATE SCHEMA shop; CREATE TABLE shop.t AS SELECT 42 AS id; ALTER DATABASE grown_path SET search_path = shop",
        schema: "shop",
        ..PLAIN
    },
    Grown {
        database: "grown_schemas",
        within: "CREATE SCHEMA billing; CREATE SCHEMA audit; CREATE TABLE billing.t AS SELECT 42 AS id; CREATE TABLE audit.t AS SELECT 1 AS id",
        asks: "SELECT b.id FROM billing.t b CROSS JOIN audit.t",
        schema: "billing",
        more: "schemas = [\"audit\"]",
        ..PLAIN
    },
    Grown {
        database: "grown_trgm",
        within: "CREATE EXTENSION pg_trgm; CREATE TABLE t AS SELECT 42 AS id, 'fortytwo' AS name; CREATE INDEX ON t USING gin (name gin_trgm_ops)",
        asks: "SELECT id FROM t WHERE similarity(name, 'fortytwo') > 0.5",
        more: "keeps = [\"extensions\", \"objects\"]",
        ..PLAIN
    },
    Grown {
        database: "grown_hstore",
        within: "CREATE SCHEMA shop; CREATE EXTENSION hstore SCHEMA shop; CREATE TABLE shop.t (id shop.hstore); INSERT INTO shop.t VALUES ('a=>1')",
        asks: "SELECT id FROM shop.t",
        schema: "shop",
        more: "keeps = [\"extensions\", \"objects\"]",
        ..PLAIN
    },
    Grown {
        database: "grown_reader",
        around: "CREATE ROLE grown_reader_ro LOGIN",
        within: "GRANT USAGE ON SCHEMA public TO grown_reader_ro; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO grown_reader_ro;
                 CREATE TABLE t AS SELECT 42 AS id",
        others: &[reader("grown_reader_ro", "SELECT id FROM t"), visitor("connect", "SELECT 1")],
        ..PLAIN
    },
    Grown {
        database: "grown_defaults",
        around: "CREATE ROLE grown_defaults_ro LOGIN",
        within: "CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO grown_defaults_ro;
                 ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO grown_defaults_ro;
                 ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; CREATE TABLE shop.t AS SELECT 42 AS id",
        asks: "SELECT id FROM shop.t",
        others: &[reader("grown_defaults_ro", "SELECT id FROM shop.t")],
        schema: "shop",
        ..PLAIN
    },
    Grown {
        database: "grown_grants",
        around: "CREATE ROLE grown_grants_ro LOGIN",
        within: "CREATE TABLE t AS SELECT 42 AS id; GRANT SELECT ON t TO grown_grants_ro WITH GRANT OPTION;
                 GRANT SELECT ON t TO grown_all",
        others: &[reader("grown_grants_ro", "SELECT id FROM t"), visitor("read", "SELECT id FROM public.t")],
        ..PLAIN
    },
    Grown {
        database: "grown_everybody",
        within: "CREATE TABLE t AS SELECT 42 AS id; GRANT SELECT ON t TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC",
        others: &[visitor("read", "SELECT id FROM public.t")],
        ..PLAIN
    },
    Grown {
        database: "grown_worker",
        around: "CREATE ROLE grown_worker_rw LOGIN",
        within: "CREATE TABLE t (id serial, note text); GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON t TO grown_worker_rw;
                 GRANT USAGE ON SEQUENCE t_id_seq TO grown_worker_rw",
        asks: "INSERT INTO t (note) VALUES ('app'); DELETE FROM t WHERE note = 'app'",
        others: &[Other {
            role: "grown_worker_rw",
            access: "write",
            visits: false,
            asks: "INSERT INTO t (note) VALUES ('rw'); DELETE FROM t WHERE note = 'rw'",
        }],
        ..PLAIN
    },
    Grown {
        database: "grown_temporary",
        within: "",
        asks: "CREATE TEMPORARY TABLE x ON COMMIT DROP AS SELECT 42 AS id; SELECT id FROM x",
        more: "allow_temporary_tables = true",
        ..PLAIN
    },
    Grown {
        database: "grown_settings",
        around: "ALTER ROLE {app} SET work_mem = '8MB'; ALTER ROLE {app} SET statement_timeout = 0; ALTER ROLE {app} SET \"TimeZone\" = 'Asia/Tokyo'",
        more: "parameters = { work_mem = \"8MB\" }",
        ..PLAIN
    },
    Grown {
        database: "grown_limited",
        options: "CONNECTION LIMIT 60",
        around: "ALTER ROLE {app} CONNECTION LIMIT 50",
        more: "connection_limit = 50",
        ..PLAIN
    },
    Grown { database: "grown_powers", around: "ALTER ROLE {app} CREATEDB CREATEROLE", ..PLAIN },
    Grown {
        database: "grown_member",
        around: "CREATE ROLE grown_group; GRANT grown_group TO {app}",
        ..PLAIN
    },
    Grown { database: "Grown Blank", ..PLAIN },
    Grown { database: "grown'quote\"s", ..PLAIN },
    Grown { database: "GROWN", ..PLAIN },
    Grown { database: "grown_größe_木", ..PLAIN },
    Grown { database: "grown_as_long_as_a_name_may_be_0123456789_0123456789_01234", ..PLAIN },
    Grown { database: "grown_latin", options: "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", ..PLAIN },
    Grown { database: "grown_icu", options: "LOCALE_PROVIDER icu ICU_LOCALE 'de'", ..PLAIN },
    Grown {
        database: "grown_large",
        within: "SELECT lo_from_bytea(4711, 'x'); CREATE TABLE t AS SELECT 4711::oid AS id",
        asks: "SELECT lo_get(id) FROM t",
        ..PLAIN
    },
    Grown {
        database: "grown_published",
        within: "CREATE TABLE t AS SELECT 42 AS id; CREATE PUBLICATION p FOR TABLE t",
        more: "allow_create_schema = true",
        ..PLAIN
    },
    Grown {
        database: "grown_comments",
        within: "CREATE TABLE t AS SELECT 42 AS id; COMMENT ON TABLE t IS 'forty-two'; COMMENT ON COLUMN t.id IS 'the number'",
        asks: "SELECT id FROM t WHERE obj_description('t'::regclass) = 'forty-two'",
        ..PLAIN
    },
    Grown {
        database: "grown_numbers",
        within: "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (1 + 1) STORED, note text);
                 CREATE SEQUENCE s",
        asks: "SELECT nextval('s'); INSERT INTO t (note) VALUES ('x')",
        ..PLAIN
    },
    Grown {
        database: "grown_views",
        within: "CREATE TABLE t AS SELECT 42 AS id; CREATE VIEW v AS SELECT id FROM t; CREATE MATERIALIZED VIEW m AS SELECT id FROM v",
        asks: "REFRESH MATERIALIZED VIEW m; SELECT id FROM m",
        ..PLAIN
    },
    Grown {
        database: "grown_partitions",
        within: "CREATE TABLE t (id int, at date) PARTITION BY RANGE (at);
                 CREATE TABLE t_2026 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); CREATE INDEX ON t (id)",
        asks: "INSERT INTO t VALUES (42, '2026-02-03'); SELECT id FROM t LIMIT 1",
        ..PLAIN
    },
    Grown {
        database: "grown_rows",
        around: "CREATE ROLE grown_rows_ro LOGIN",
        within: "CREATE TABLE t (id int, of text); INSERT INTO t VALUES (42, 'grown_rows_ro'), (43, 'nobody');
                 ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t TO PUBLIC USING (of = current_user);
                 GRANT SELECT ON t TO grown_rows_ro",
        others: &[reader("grown_rows_ro", "SELECT 1 / (count(*) = 1)::int FROM t")],
        ..PLAIN
    },
    Grown {
        database: "grown_types",
        within: "CREATE TYPE state AS ENUM ('open', 'done'); CREATE DOMAIN year AS int CHECK (VALUE > 1900);
                 CREATE TYPE pair AS (a int, b int); CREATE TABLE t (id year, stands state, both_of pair);
                 INSERT INTO t VALUES (2026, 'open', ROW(1, 2)); CREATE COLLATION c (LOCALE = 'C'); CREATE STATISTICS st ON id, stands FROM t;
                 CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple); CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int)",
        asks: "SELECT total(id), to_tsvector('ts', 'x') FROM t WHERE stands = 'open' GROUP BY stands",
        ..PLAIN
    },
    Grown {
        database: "grown_definer",
        around: "CREATE ROLE grown_definer_ro LOGIN",
        within: "CREATE TABLE t AS SELECT 42 AS id;
                 CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT id FROM t';
                 CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER touched BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()",
        asks: "INSERT INTO t VALUES (1); DELETE FROM t WHERE id = 1",
        others: &[reader("grown_definer_ro", "SELECT f()")],
        ..PLAIN
    },
];

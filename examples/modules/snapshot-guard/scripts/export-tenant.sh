#!/usr/bin/env bash
# Exports one tenant's database with pg_dump, as the tenant's own role: PostgreSQL itself then sees to it that the
# export holds nothing that the tenant may not read. Never a snapshot, which holds all tenants.
set -euo pipefail
umask 077

usage() {
    cat <<'TEXT'
Usage: export-tenant.sh [--dir DIRECTORY] DATABASE

Writes into DIRECTORY (default: the current one), readable by nobody else:
  DATABASE-TIME.dump      pg_dump's custom format, for pg_restore
  DATABASE-TIME.list      its table of contents, to read before a restore
  DATABASE-TIME.sha256    checksums of both

The server and the role come from libpq's environment: PGHOST, PGPORT, PGUSER, PGPASSWORD or PGPASSFILE, PGSSLMODE,
PGSSLROOTCERT. PGUSER is the tenant's own role; a superuser, or a member of rds_superuser, is refused. pg_dump must be
as new as the server.
TEXT
}

fail() {
    printf 'export-tenant: %s\n' "$*" >&2
    exit 1
}

dir=.
while [ $# -gt 0 ]; do
    case $1 in
        --dir)
            [ $# -ge 2 ] || fail "--dir needs a directory"
            dir=$2
            shift 2
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*) fail "unknown option $1; see --help" ;;
        *) break ;;
    esac
done
[ $# -eq 1 ] || {
    usage >&2
    exit 2
}
database=$1
[[ $database =~ ^[A-Za-z0-9_.-]{1,63}$ ]] || fail "not a database's name: $database"
case $database in
    postgres | template0 | template1 | rdsadmin) fail "$database belongs to no tenant" ;;
esac
[ -n "${PGUSER:-}" ] || fail "PGUSER is not set: give the tenant's own role"
[ -d "$dir" ] || fail "no such directory: $dir"

export PGDATABASE=$database
export PGOPTIONS='-c search_path=pg_catalog'

# What an admin dumps is all that the admin may read, and what a tenant's own objects do then is done as the admin.
privileged=$(psql --no-psqlrc --no-password --tuples-only --no-align --set ON_ERROR_STOP=1 <<'SQL'
SELECT r.rolsuper OR EXISTS (
    SELECT FROM pg_catalog.pg_roles AS g
    WHERE g.rolname IN ('rds_superuser', 'pg_read_all_data') AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER'))
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
SQL
)
[ "$privileged" = f ] || fail "$PGUSER may read more than one tenant: export as the tenant's own role"

base=$dir/$database-$(date -u +%Y%m%dT%H%M%SZ)
partial=$(mktemp -d "$dir/.export-XXXXXX")
trap 'rm -rf "$partial"' EXIT

# Privileges are left out, and pg_restore --no-owner leaves out owners: the target's are made by Terraform.
pg_dump --no-password --format=custom --no-privileges --file="$partial/dump"
pg_restore --list "$partial/dump" >"$partial/list"

for kind in dump list; do
    [ ! -e "$base.$kind" ] || fail "$base.$kind is there already"
    mv "$partial/$kind" "$base.$kind"
done
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
(cd "$dir" && "${sum[@]}" "${base##*/}.dump" "${base##*/}.list") >"$base.sha256"
printf '%s\n' "$base.dump"

//! The refresh of tenants by the thousand, in this process and without gRPC: decode, locate, compare, encode.
//!
//! No disk here has room for ten thousand databases. One tenant is made, and its rows in the shared catalogs are copied: a refresh
//! without `deep_verify` reads nothing else.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pgtenant::provider::PgTenant;
use pgtenant::tf_provider::codec::{json, msgpack};
use pgtenant::tf_provider::server::Server as Plugin;
use pgtenant::tf_provider::wire::tfplugin5::provider_server::Provider as _;
use pgtenant::tf_provider::wire::tfplugin5::{self as wire, DynamicValue};
use pgtenant::tf_provider::{Provider as _, Type, Value};
use tonic::Request;

use crate::report::{Quantity, Report};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::terraform::{Installation, Workspace};
use crate::{PROVIDER, PROVIDER_TF};

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// As many as Terraform asks for at a time.
const AT_A_TIME: usize = 10;
const MEMORY_LIMIT: Quantity = Quantity::Bytes(200_000_000);
const CODINGS: u32 = 2_000;

/// A tenant more for each number, with all that the shared catalogs have of the first, but for its objects inside.
const COPY: &str = "
SET allow_system_table_mods = on;
CREATE TEMP TABLE old AS
  SELECT r.oid AS role, d.oid AS database FROM pg_authid r, pg_database d WHERE r.rolname = 'bench0' AND d.datname = 'bench0';
CREATE TEMP TABLE new AS
  SELECT 'bench' || n AS name, 1000000 + n AS role, 2000000 + n AS database FROM generate_series(FIRST, LAST) n;
INSERT INTO pg_authid
  SELECT (jsonb_populate_record(a, jsonb_build_object('oid', n.role, 'rolname', n.name))).*
  FROM old o JOIN pg_authid a ON a.oid = o.role, new n;
INSERT INTO pg_database
  SELECT (jsonb_populate_record(d, jsonb_build_object('oid', n.database, 'datname', n.name, 'datacl', (
    SELECT jsonb_agg(replace(e::text, 'bench0', n.name)) FROM unnest(d.datacl) e)))).*
  FROM old o JOIN pg_database d ON d.oid = o.database, new n;
INSERT INTO pg_auth_members
  SELECT (jsonb_populate_record(m, jsonb_build_object('oid', 3000000 + row_number() OVER () + FIRST * 4, 'roleid', n.role))).*
  FROM old o JOIN pg_auth_members m ON m.roleid = o.role, new n;
INSERT INTO pg_db_role_setting
  SELECT CASE s.setdatabase WHEN o.database THEN n.database ELSE s.setdatabase END,
         CASE s.setrole WHEN o.role THEN n.role ELSE s.setrole END, s.setconfig
  FROM old o JOIN pg_db_role_setting s ON s.setrole = o.role OR s.setdatabase = o.database, new n;
INSERT INTO pg_shdescription
  SELECT CASE c.objoid WHEN o.role THEN n.role ELSE n.database END, c.classoid, replace(c.description, 'bench0', n.name)
  FROM old o JOIN pg_shdescription c ON c.objoid IN (o.role, o.database), new n;
INSERT INTO pg_shdepend
  SELECT CASE s.dbid WHEN o.database THEN n.database ELSE s.dbid END, s.classid,
         CASE s.objid WHEN o.database THEN n.database ELSE s.objid END, s.objsubid, s.refclassid,
         CASE s.refobjid WHEN o.role THEN n.role ELSE s.refobjid END, s.deptype
  FROM old o JOIN pg_shdepend s ON s.refobjid = o.role OR s.dbid = o.database OR s.dbid = 0 AND s.objid = o.database, new n;
";

pub fn measure(report: &mut Report) -> Result<(), String> {
    let extra_conf = "autovacuum = off\nfsync = off\n";
    let server = Server::start(Options { extra_conf, ..Options::default() })?;
    let mut workspace = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    workspace
        .envs(server.env())
        .write("main.tf", PROVIDER_TF)
        .write("tenant.tf", "resource \"pgtenant_tenant\" \"bench\" {\n  name = \"bench0\"\n}\n");
    workspace.try_run(&["apply", "-auto-approve"])?.ok()?;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let state = runtime.block_on(state(&server))?;
    codec(report, &state);

    let mut known = 1;
    let mut each = Vec::new();
    for size in SIZES {
        let copy = COPY.replace("FIRST", &known.to_string()).replace("LAST", &(size - 1).to_string());
        server.sql("postgres", SUPERUSER, &copy).map_err(|error| format!("cannot copy the tenant: {error}"))?;
        known = size;
        forget_peak();
        let before = resident("VmRSS:");
        let time = runtime.block_on(refresh(&server, &state, size))?;
        let peak = resident("VmHWM:").zip(before).map(|(peak, before)| peak.saturating_sub(before));
        each.push(time / size as u32);
        report.point("refresh alone, in process", size, time);
        let (what, first) = (format!("refresh of {size} tenants, for each"), each[0]);
        let most = format!("{:.2} s in all, with the one read of the shared catalogs", time.as_secs_f64());
        report.against(&what, time / size as u32, first, &format!("the same of {}", SIZES[0]), &most);
        match peak {
            Some(peak) => report.limited(&format!("memory for {size} tenants"), Quantity::Bytes(peak), MEMORY_LIMIT),
            None => report.missing(&format!("memory for {size} tenants"), "read from /proc, which only Linux has"),
        }
    }
    Ok(())
}

/// The plugin, configured as a provider block with these attributes would.
async fn plugin(server: &Server) -> Result<Plugin, String> {
    let ty = PgTenant::default().schema().block.ty();
    let mut config = nothing(&ty);
    for (name, value) in
        [("host", server.host.to_owned()), ("username", ADMIN.to_owned()), ("sslmode", "disable".to_owned())]
    {
        config.set(name, value);
    }
    config.set("password", server.admin_password.clone());
    config.set("port", server.port.to_string());
    config.set("deep_verify", false);
    let plugin = Plugin::new(PgTenant::default());
    let request = wire::configure::Request { config: Some(encoded(&config, &ty)?), ..Default::default() };
    let answer = plugin.configure(Request::new(request)).await.map_err(|status| status.to_string())?;
    settled(&answer.into_inner().diagnostics)?;
    Ok(plugin)
}

/// The state of the first tenant, by importing it.
async fn state(server: &Server) -> Result<Value, String> {
    let plugin = plugin(server).await?;
    let request = wire::import_resource_state::Request {
        type_name: "pgtenant_tenant".to_owned(),
        id: "bench0".to_owned(),
        ..Default::default()
    };
    let answer = plugin.import_resource_state(Request::new(request)).await.map_err(|status| status.to_string())?;
    let answer = answer.into_inner();
    settled(&answer.diagnostics)?;
    let imported = answer.imported_resources.into_iter().next().ok_or("nothing was imported")?;
    read(&plugin, imported.state.ok_or("the import has no state")?).await
}

/// The tenant as a refresh finds it.
async fn read(plugin: &Plugin, state: DynamicValue) -> Result<Value, String> {
    let request = wire::read_resource::Request {
        type_name: "pgtenant_tenant".to_owned(),
        current_state: Some(state),
        ..Default::default()
    };
    let answer = plugin.read_resource(Request::new(request)).await.map_err(|status| status.to_string())?.into_inner();
    settled(&answer.diagnostics)?;
    let state = answer.new_state.ok_or("the refresh has no state")?;
    msgpack::decode(&state.msgpack, &tenant()).map_err(|error| error.to_string())
}

/// How long it takes to refresh so many tenants, some at a time. Each must be found as the first is.
async fn refresh(server: &Server, first: &Value, size: usize) -> Result<Duration, String> {
    let plugin = Arc::new(plugin(server).await?);
    let states: Result<Vec<DynamicValue>, String> =
        (0..size).map(|number| encoded(&named(first, number), &tenant())).collect();
    let (states, next) = (Arc::new(states?), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let workers: Vec<_> = (0..AT_A_TIME)
        .map(|_| {
            let (plugin, states, next) = (Arc::clone(&plugin), Arc::clone(&states), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(state) = states.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = read(&plugin, state.clone()).await?;
                    if found.is_null() {
                        return Err("a tenant was not found".to_owned());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.await.map_err(|error| error.to_string())??;
    }
    let time = started.elapsed();
    let last = read(&plugin, states[size - 1].clone()).await?;
    if last == named(first, size - 1) {
        Ok(time)
    } else {
        Err(format!("a copied tenant is not as the first: {last:?}"))
    }
}

/// The same tenant under another name.
fn named(first: &Value, number: usize) -> Value {
    fn rename(value: &mut Value, name: &str) {
        match value {
            Value::String(text) if text.contains("bench0") => *text = text.replace("bench0", name),
            Value::List(elements) => elements.iter_mut().for_each(|element| rename(element, name)),
            Value::Map(elements) => elements.values_mut().for_each(|element| rename(element, name)),
            _ => {}
        }
    }
    let mut value = first.clone();
    rename(&mut value, &format!("bench{number}"));
    value
}

/// Terraform's encoding of a state, there and back, beside JSON's.
fn codec(report: &mut Report, state: &Value) {
    let ty = tenant();
    let bytes = msgpack::encode(state, &ty).expect("it was decoded");
    let text = json::encode(state, &ty).expect("it was decoded");
    let each = |work: &dyn Fn()| {
        let started = Instant::now();
        (0..CODINGS).for_each(|_| work());
        started.elapsed() / CODINGS
    };
    let ours = each(&|| {
        let value = msgpack::decode(black_box(&bytes), &ty).expect("it was encoded");
        black_box(msgpack::encode(&value, &ty).expect("it was decoded"));
    });
    let floor = each(&|| {
        let value: serde_json::Value = serde_json::from_slice(black_box(&text)).expect("it was encoded");
        black_box(serde_json::to_vec(&value).expect("it was decoded"));
    });
    report.against("a tenant's state decoded and encoded", ours, floor, "the same as JSON, untyped", "");
}

fn tenant() -> Type {
    let resources = PgTenant::default().resources();
    let tenant = resources.iter().find(|resource| resource.type_name() == "pgtenant_tenant").expect("it has one");
    tenant.schema().block.ty()
}

/// An object without any value.
fn nothing(ty: &Type) -> Value {
    json::decode(b"{}", ty, json::Extra::Refuse).expect("what is left out is null")
}

fn encoded(value: &Value, ty: &Type) -> Result<DynamicValue, String> {
    let msgpack = msgpack::encode(value, ty).map_err(|error| error.to_string())?;
    Ok(DynamicValue { msgpack: msgpack.into(), ..Default::default() })
}

fn settled(diagnostics: &[wire::Diagnostic]) -> Result<(), String> {
    match diagnostics.first() {
        Some(diagnostic) => Err(format!("{}: {}", diagnostic.summary, diagnostic.detail)),
        None => Ok(()),
    }
}

/// Lets the kernel measure this process's peak from now on.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A line of this process's status, in bytes.
fn resident(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?;
    kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

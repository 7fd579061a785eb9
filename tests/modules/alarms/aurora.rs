//! Two Aurora clusters as `aurora-alarms` hears of them.

use super::{GIB, Grows, Happens, NoData, Nothing, Row, Scenario, Server, State, Value, growing, row, sparse};

/// What is asked of the writer, of all readers, of the volume.
const CLUSTER: &str = "tenants";

/// 395 connections for tenants on each instance, 16 GiB and two vCPUs.
pub const PROVISIONED: Server = Server {
    name: "Aurora, two of db.r7g.large",
    module: "aurora-alarms",
    variables: r#"
cluster_identifier      = "tenants"
instance_class          = "db.r7g.large"
connections_for_tenants = 395
instance_resource_ids   = { one = "db-A" }
"#,
    memory: 16.0 * GIB,
    storage: 0.0,
    rows: &[
        row("connections", &[("WRITER DatabaseConnections", 355.0, 356.0)], 5),
        // 79 in five minutes.
        growing("connections_growth", &[("WRITER DatabaseConnections", 15.78, 16.0)], 10),
        row("cpu", &[("WRITER CPUUtilization", 90.0, 90.5)], 5),
        row("freeable_memory", &[("WRITER FreeableMemory", 858_993_459.0, 855_000_000.0)], 15),
        row("local_storage", &[("WRITER FreeLocalStorage", 4.0 * GIB, 3.95 * GIB)], 5),
        row("commit_latency", &[("WRITER CommitLatency", 50.0, 50.5)], 5),
        row("read_latency", &[("WRITER ReadLatency", 0.02, 0.0202)], 5),
        row("buffer_cache", &[("WRITER BufferCacheHitRatio", 90.0, 89.5)], 30),
        // One in a minute is no rate above one in a minute.
        sparse("deadlocks", &[("WRITER Deadlocks", 0.016_666, 0.016_9)], 5),
        row("transaction_ids", &[("WRITER MaximumUsedTransactionIDs", 5e8, 5.02e8)], 1),
        sparse("db_load", &[("WRITER DBLoad", 2.0, 2.01)], 15),
        sparse("wal_usage", &[("WRITER TransactionLogsDiskUsage", 50.0 * GIB, 50.2 * GIB)], 15),
        row("volume", &[(" VolumeBytesUsed", 1024.0 * GIB, 1030.0 * GIB)], 60),
        Row {
            alarm: "replica_lag",
            metrics: &[("READER AuroraReplicaLag", 2000.0, 2020.0)],
            minutes: 10,
            down: State::Alarm,
            grows: false,
        },
        row("reader_connections", &[("READER DatabaseConnections", 355.0, 356.0)], 5),
        row("reader_cpu", &[("READER CPUUtilization", 90.0, 90.5)], 15),
        sparse("blocked_transactions/one", &[("db.Transactions.blocked_transactions.avg", 5.0, 5.02)], 5),
        sparse("idle_in_transaction/one", &[("db.state.idle_in_transaction_max_time.avg", 300.0, 302.0)], 5),
    ],
    scenarios: &[
        NOTHING,
        // One page, and not one for each metric that is gone.
        Scenario {
            name: "the writer is gone, and no reader takes over",
            change: |metric, _| if metric.starts_with("READER ") { Nothing } else { NoData },
            rings: &["availability"],
        },
        // A reader becomes the writer: its metrics go on under the other role, and the old writer restarts as a reader.
        Scenario {
            name: "a failover",
            change: |metric, minute| match (metric, minute) {
                (metric, 0) if metric.starts_with("WRITER ") => NoData,
                (metric, 0..3) if metric.starts_with("READER ") => NoData,
                ("WRITER DatabaseConnections", 1) => Value(0.0),
                ("WRITER BufferCacheHitRatio", 1..20) => Value(60.0),
                ("WRITER CPUUtilization", 1..4) => Value(100.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "the only reader is gone",
            change: |metric, _| if metric.starts_with("READER ") { NoData } else { Nothing },
            rings: &["replica_lag"],
        },
        Scenario {
            name: "tenants hold all connections of the writer",
            change: |metric, _| if metric == "WRITER DatabaseConnections" { Value(395.0) } else { Nothing },
            rings: &["connections"],
        },
        Scenario {
            name: "a pool of 150 connections opens",
            change: |metric, _| if metric == "WRITER DatabaseConnections" { Grows(150.0) } else { Nothing },
            rings: &[],
        },
        Scenario {
            name: "a pool leaks 20 connections a minute up to its 300",
            change: |metric, minute| match metric {
                "WRITER DatabaseConnections" => Grows((20.0 * minute as f64).min(300.0)),
                _ => Nothing,
            },
            rings: &["connections_growth"],
        },
        Scenario {
            name: "connections grow until there is none left",
            change: |metric, minute| match metric {
                "WRITER DatabaseConnections" => Value((10.0 + 20.0 * minute as f64).min(395.0)),
                _ => Nothing,
            },
            rings: &["connections", "connections_growth"],
        },
        Scenario {
            name: "the writer restarts for seven minutes, and 300 connections come back",
            change: |metric, minute| match (metric, minute) {
                ("WRITER DatabaseConnections", 30..37) => NoData,
                ("WRITER DatabaseConnections", _) => Value(300.0),
                _ => Nothing,
            },
            rings: &[],
        },
        // Aurora's buffers take some three quarters.
        Scenario {
            name: "a server that is used",
            change: |metric, _| match metric {
                "WRITER FreeableMemory" => Value(2.0 * GIB),
                "WRITER CPUUtilization" => Value(70.0),
                "WRITER MaximumUsedTransactionIDs" => Value(2.3e8),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "one sort fills the local disk, and ends by temp_file_limit",
            change: |metric, minute| match (metric, minute) {
                ("WRITER FreeLocalStorage", 0..4) => Value(2.0 * GIB),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "a deadlock, and another one ten minutes later",
            change: |metric, minute| match (metric, minute) {
                ("WRITER Deadlocks", 1 | 11) => Value(0.016_7),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "five deadlocks every minute",
            change: |metric, _| if metric == "WRITER Deadlocks" { Value(5.0 / 60.0) } else { Nothing },
            rings: &["deadlocks"],
        },
        SILENT_FOR_LESS,
        SILENT_FOR_LONGER,
    ],
};

/// From one to eight capacity units: 16 GiB and two vCPUs at most, to which CPU and memory are relative.
pub const SERVERLESS: Server = Server {
    name: "Aurora, one of db.serverless",
    module: "aurora-alarms",
    variables: r#"
cluster_identifier      = "tenants"
instance_class          = "db.serverless"
max_capacity            = 8
connections_for_tenants = 40
readers                 = false
volume_budget_gib       = 100
disabled                = ["buffer_cache"]
"#,
    memory: 16.0 * GIB,
    storage: 0.0,
    rows: &[
        row("connections", &[("WRITER DatabaseConnections", 36.0, 36.5)], 5),
        growing("connections_growth", &[("WRITER DatabaseConnections", 1.58, 1.64)], 10),
        row("cpu", &[("WRITER CPUUtilization", 90.0, 90.5)], 5),
        row("freeable_memory", &[("WRITER FreeableMemory", 858_993_459.0, 855_000_000.0)], 15),
        row("capacity", &[("WRITER ACUUtilization", 90.0, 90.5)], 15),
        row("commit_latency", &[("WRITER CommitLatency", 50.0, 50.5)], 5),
        row("read_latency", &[("WRITER ReadLatency", 0.02, 0.0202)], 5),
        sparse("deadlocks", &[("WRITER Deadlocks", 0.016_666, 0.016_9)], 5),
        row("transaction_ids", &[("WRITER MaximumUsedTransactionIDs", 5e8, 5.02e8)], 1),
        sparse("db_load", &[("WRITER DBLoad", 2.0, 2.01)], 15),
        sparse("wal_usage", &[("WRITER TransactionLogsDiskUsage", 50.0 * GIB, 50.2 * GIB)], 15),
        row("volume", &[(" VolumeBytesUsed", 100.0 * GIB, 100.5 * GIB)], 60),
    ],
    scenarios: &[
        NOTHING,
        SILENT_FOR_LESS,
        SILENT_FOR_LONGER,
        // Up to the ceiling and down again: what a serverless instance is for.
        Scenario {
            name: "a peak of ten minutes",
            change: |metric, minute| match (metric, minute) {
                ("WRITER ACUUtilization", 0..10) => Value(100.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "the ceiling is reached",
            change: |metric, _| if metric == "WRITER ACUUtilization" { Value(100.0) } else { Nothing },
            rings: &["capacity"],
        },
        Scenario {
            name: "the volume grows past what it was meant to be",
            change: |metric, _| if metric == " VolumeBytesUsed" { Value(110.0 * GIB) } else { Nothing },
            rings: &["volume"],
        },
    ],
};

const NOTHING: Scenario = Scenario { name: "nothing happens", change: |_, _| Nothing, rings: &[] };

/// CloudWatch looks back further than three minutes.
const SILENT_FOR_LESS: Scenario = Scenario {
    name: "no writer reports for four minutes",
    change: |metric, minute| silent(metric, minute, 4),
    rings: &[],
};

const SILENT_FOR_LONGER: Scenario = Scenario {
    name: "no writer reports for five minutes",
    change: |metric, minute| silent(metric, minute, 5),
    rings: &["availability"],
};

fn silent(metric: &str, minute: usize, minutes: usize) -> Happens {
    if metric.starts_with("WRITER ") && minute < minutes { NoData } else { Nothing }
}

/// The name of a metric, as rows and scenarios have it: the role before it, and nothing before that of the volume.
pub fn of_role(of: &str, metric: &str) -> String {
    match of.split_once('/') {
        Some((_, role)) => format!("{role} {metric}"),
        None if of == CLUSTER => format!(" {metric}"),
        None => metric.to_owned(),
    }
}

/// What the metrics of a cluster that is well show, and of one that is none of the clusters' nothing.
pub fn healthy(server: &Server, of: &str, metric: &str) -> Option<f64> {
    let known = match metric {
        "VolumeBytesUsed" => of == CLUSTER,
        counter if counter.contains('.') => of == "db-A",
        "AuroraReplicaLag" => of == "tenants/READER",
        "CPUUtilization" | "DatabaseConnections" => of == "tenants/WRITER" || of == "tenants/READER",
        _ => of == "tenants/WRITER",
    };
    known.then(|| match metric {
        "ACUUtilization" => 30.0,
        "AuroraReplicaLag" => 20.0,
        "BufferCacheHitRatio" => 99.5,
        "CPUUtilization" => 9.0,
        "CommitLatency" => 4.0,
        "DBLoad" => 0.5,
        "DatabaseConnections" => 10.0,
        "Deadlocks" => 0.0,
        "EngineUptime" => 86_400.0,
        "FreeLocalStorage" => 25.0 * GIB,
        "FreeableMemory" => 0.25 * server.memory,
        "MaximumUsedTransactionIDs" => 1.9e8,
        "ReadLatency" => 0.001,
        "TransactionLogsDiskUsage" => GIB,
        "VolumeBytesUsed" => 60.0 * GIB,
        "db.Transactions.blocked_transactions.avg" => 0.0,
        "db.state.idle_in_transaction_max_time.avg" => 2.0,
        other => panic!("no cluster reports {other}"),
    })
}

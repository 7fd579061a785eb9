//! The alarms of `rds-alarms` and `aurora-alarms`, as planned, over made-up series of their metrics: when each of them fires, and when not.
//!
//! A row of the table is an alarm: the last value at which it is quiet, the first at which it rings, for how long. A scenario
//! is what happens to all metrics of a server, and says which alarms ring. Both are written down here and not computed from
//! the plan, so that a change of a threshold, a period or of what missing data counts for fails: that it does, is tested too.

mod aurora;
mod cloudwatch;
mod events;
mod math;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use cloudwatch::{Alarm, Comparison, MissingData, State, World};

use crate::matrix::{Outcome, record};
use crate::planned;
use crate::stub::ROOT;

const GIB: f64 = 1_073_741_824.0;

/// Metrics that are reported every five minutes only.
const FIVE_MINUTELY: &[&str] = &["BurstBalance", "CPUCreditBalance"];

/// When something happens, and how long a series is, in minutes. Five divides both.
const EVENT: usize = 120;
const END: usize = 360;

/// A server, as its module hears of it, and the alarms that it has.
struct Server {
    name: &'static str,
    module: &'static str,
    variables: &'static str,
    memory: f64,
    storage: f64,
    rows: &'static [Row],
    scenarios: &'static [Scenario],
}

/// An alarm, and the metrics that it looks at with the last values at which it is quiet and the first at which it rings.
struct Row {
    alarm: &'static str,
    metrics: &'static [(&'static str, f64, f64)],
    /// How long it must last.
    minutes: usize,
    /// What the alarm says when the instance, or the replica, reports nothing.
    down: State,
    /// Whether the values are what a healthy metric grows by in each minute.
    grows: bool,
}

/// What happens to a metric, by minutes since the event.
type Change = fn(&str, usize) -> Happens;

enum Happens {
    Nothing,
    Value(f64),
    /// So much more than when all is well.
    Grows(f64),
    NoData,
}
use Happens::{Grows, NoData, Nothing, Value};

struct Scenario {
    name: &'static str,
    change: Change,
    rings: &'static [&'static str],
}

const fn row(alarm: &'static str, metrics: &'static [(&'static str, f64, f64)], minutes: usize) -> Row {
    Row { alarm, metrics, minutes, down: State::InsufficientData, grows: false }
}

/// A row of an alarm for which no data is good.
const fn sparse(alarm: &'static str, metrics: &'static [(&'static str, f64, f64)], minutes: usize) -> Row {
    Row { alarm, metrics, minutes, down: State::Ok, grows: false }
}

/// A row of an alarm on growth.
const fn growing(alarm: &'static str, metrics: &'static [(&'static str, f64, f64)], minutes: usize) -> Row {
    Row { alarm, metrics, minutes, down: State::InsufficientData, grows: true }
}

/// A restart: not yet five minutes and what CloudWatch looks back further.
const SILENT_FOR_SIX_MINUTES: Scenario = Scenario {
    name: "the instance reports nothing for six minutes",
    change: |metric, minute| if metric != "ReplicaLag" && minute < 6 { NoData } else { Nothing },
    rings: &[],
};

const SILENT_FOR_SEVEN_MINUTES: Scenario = Scenario {
    name: "the instance reports nothing for seven minutes",
    change: |metric, minute| if metric != "ReplicaLag" && minute < 7 { NoData } else { Nothing },
    rings: &["availability"],
};

/// 387 connections for tenants. The class sustains 3600 IOPS and 78.75 MB/s; the storage does 3000, and 125 MiB/s.
const STANDARD: Server = Server {
    name: "db.m7g.large, 100 GiB of gp3 that grow to 500, a replica",
    module: "rds-alarms",
    variables: r#"
db_instance_identifier  = "tenants"
resource_id             = "db-A"
instance_class          = "db.m7g.large"
allocated_storage       = 100
max_allocated_storage   = 500
iops                    = 3000
connections_for_tenants = 387
replica_identifiers     = ["tenants-replica"]
"#,
    memory: 8.0 * GIB,
    storage: 100.0 * GIB,
    rows: &[
        row("connections", &[("DatabaseConnections", 348.0, 349.0)], 5),
        // 77 in five minutes.
        growing("connections_growth", &[("DatabaseConnections", 15.38, 15.6)], 10),
        row("cpu", &[("CPUUtilization", 90.0, 90.5)], 5),
        sparse("db_load", &[("DBLoad", 2.0, 2.01)], 15),
        row("freeable_memory", &[("FreeableMemory", 2.0 * GIB, 1.99 * GIB)], 15),
        row("free_storage", &[("FreeStorageSpace", 10.0 * GIB, 9.9 * GIB)], 30),
        row("free_storage_critical", &[("FreeStorageSpace", 5.0 * GIB, 4.95 * GIB)], 5),
        sparse("storage_ceiling", &[("os.fileSys.total.avg", 471_859_200.0, 475_000_000.0)], 5),
        row("read_latency", &[("ReadLatency", 0.02, 0.0202)], 5),
        row("write_latency", &[("WriteLatency", 0.02, 0.0202)], 5),
        row("iops_saturation", &[("ReadIOPS", 1200.0, 1200.0), ("WriteIOPS", 1200.0, 1210.0)], 15),
        row("throughput_saturation", &[("ReadThroughput", 33e6, 33e6), ("WriteThroughput", 30e6, 30.5e6)], 15),
        row("disk_queue", &[("DiskQueueDepth", 60.0, 60.5)], 5),
        row("ebs_io_balance", &[("EBSIOBalance%", 10.0, 9.9)], 3),
        row("ebs_byte_balance", &[("EBSByteBalance%", 10.0, 9.9)], 3),
        row("transaction_ids", &[("MaximumUsedTransactionIDs", 5e8, 5.02e8)], 5),
        row("wal_usage", &[("TransactionLogsDiskUsage", 20.0 * GIB, 20.1 * GIB)], 15),
        sparse("replication_slot_lag", &[("OldestReplicationSlotLag", 20.0 * GIB, 20.1 * GIB)], 15),
        row("checkpoint_lag", &[("CheckpointLag", 900.0, 905.0)], 5),
        sparse("deadlocks", &[("db.Concurrency.deadlocks.avg", 0.99, 1.0)], 5),
        sparse("blocked_transactions", &[("db.Transactions.blocked_transactions.avg", 5.0, 5.02)], 5),
        sparse("idle_in_transaction", &[("db.state.idle_in_transaction_max_time.avg", 300.0, 302.0)], 5),
        Row {
            alarm: "replica_lag/tenants-replica",
            metrics: &[("ReplicaLag", 60.0, 60.5)],
            minutes: 10,
            down: State::Alarm,
            grows: false,
        },
    ],
    scenarios: &[
        Scenario { name: "nothing happens", change: |_, _| Nothing, rings: &[] },
        Scenario {
            name: "the instance is stopped",
            change: |metric, _| if metric == "ReplicaLag" { Nothing } else { NoData },
            rings: &["availability"],
        },
        SILENT_FOR_SIX_MINUTES,
        SILENT_FOR_SEVEN_MINUTES,
        Scenario {
            name: "the replica is gone",
            change: |metric, _| if metric == "ReplicaLag" { NoData } else { Nothing },
            rings: &["replica_lag/tenants-replica"],
        },
        // Two minutes without data, then everybody comes back.
        Scenario {
            name: "a failover",
            change: |metric, minute| match (metric, minute) {
                (_, 0..2) => NoData,
                ("DatabaseConnections", 2) => Value(0.0),
                ("CPUUtilization", 2..5) => Value(100.0),
                ("ReadLatency" | "WriteLatency", 2..5) => Value(0.1),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "single datapoints are missing",
            change: |_, minute| if minute % 7 == 0 { NoData } else { Nothing },
            rings: &[],
        },
        Scenario {
            name: "every third datapoint is missing, and the server is full",
            change: |metric, minute| match metric {
                _ if minute % 3 == 0 => NoData,
                "DatabaseConnections" => Value(387.0),
                _ => Nothing,
            },
            rings: &["connections"],
        },
        // From 12 GiB on a gigabyte a minute, until RDS has seen less than 10 for five minutes and grown the storage.
        Scenario {
            name: "autoscaling grows the storage",
            change: |metric, minute| match (metric, minute) {
                ("FreeStorageSpace", 0..20) => Value((12.0 - minute as f64 * 0.25) * GIB),
                ("FreeStorageSpace", 20..) => Value((17.0 - (minute - 20) as f64 * 0.01) * GIB),
                ("os.fileSys.total.avg", 20..) => Value(110.0 * 1_048_576.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "autoscaling may not grow the storage yet",
            change: |metric, _| if metric == "FreeStorageSpace" { Value(8.0 * GIB) } else { Nothing },
            rings: &["free_storage"],
        },
        Scenario {
            name: "the storage fills faster than RDS grows it",
            change: |metric, minute| match (metric, minute) {
                ("FreeStorageSpace", 0..20) => Value((10.0 - minute as f64 * 0.5) * GIB),
                ("FreeStorageSpace", 20..) => Value(50.0 * GIB),
                _ => Nothing,
            },
            rings: &["free_storage_critical"],
        },
        Scenario {
            name: "the storage has grown to its ceiling",
            change: |metric, _| match metric {
                "os.fileSys.total.avg" => Value(490.0 * 1_048_576.0),
                "FreeStorageSpace" => Value(60.0 * GIB),
                _ => Nothing,
            },
            rings: &["storage_ceiling"],
        },
        Scenario {
            name: "tenants hold all connections",
            change: |metric, _| if metric == "DatabaseConnections" { Value(387.0) } else { Nothing },
            rings: &["connections"],
        },
        Scenario {
            name: "a pool of 150 connections opens",
            change: |metric, _| if metric == "DatabaseConnections" { Grows(150.0) } else { Nothing },
            rings: &[],
        },
        Scenario {
            name: "a pool leaks 20 connections a minute up to its 300",
            change: |metric, minute| match metric {
                "DatabaseConnections" => Grows((20.0 * minute as f64).min(300.0)),
                _ => Nothing,
            },
            rings: &["connections_growth"],
        },
        Scenario {
            name: "a burst of ten minutes",
            change: |metric, minute| match (metric, minute) {
                ("ReadIOPS", 0..10) => Value(2900.0),
                ("ReadThroughput", 0..10) => Value(120e6),
                ("EBSByteBalance%", 0..10) => Value(70.0),
                _ => Nothing,
            },
            rings: &[],
        },
        // What the class sustains is less than what the storage does.
        Scenario {
            name: "the class cannot carry what the storage could",
            change: |metric, _| match metric {
                "ReadThroughput" => Value(78e6),
                "EBSByteBalance%" => Value(0.0),
                _ => Nothing,
            },
            rings: &["ebs_byte_balance", "throughput_saturation"],
        },
        // An idle primary writes WAL every five minutes, and so the lag of its replica rises for as long.
        Scenario {
            name: "nobody writes",
            change: |metric, minute| match metric {
                "ReplicaLag" => Value((minute % 5) as f64 * 60.0 + 30.0),
                "WriteLatency" | "DBLoad" => NoData,
                "WriteIOPS" | "WriteThroughput" => Value(0.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "a deadlock, and another one ten minutes later",
            change: |metric, minute| match (metric, minute) {
                ("db.Concurrency.deadlocks.avg", 1 | 11) => Value(1.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "a deadlock every minute",
            change: |metric, _| if metric == "db.Concurrency.deadlocks.avg" { Value(1.0) } else { Nothing },
            rings: &["deadlocks"],
        },
        Scenario {
            name: "tables reach the age at which autovacuum freezes them",
            change: |metric, _| if metric == "MaximumUsedTransactionIDs" { Value(2.3e8) } else { Nothing },
            rings: &[],
        },
    ],
};

/// 107 connections by RDS's default. The class sustains 500 IOPS and 10.875 MB/s.
const SMALL: Server = Server {
    name: "db.t4g.micro, 20 GiB of gp2 that do not grow, with rds-log-metrics",
    module: "rds-alarms",
    variables: r#"
db_instance_identifier = "tenants"
resource_id            = "db-A"
instance_class         = "db.t4g.micro"
storage_type           = "gp2"
allocated_storage      = 20
log_metrics_namespace  = "pgtenant/tenants"
"#,
    memory: GIB,
    storage: 20.0 * GIB,
    rows: &[
        row("connections", &[("DatabaseConnections", 96.0, 97.0)], 5),
        growing("connections_growth", &[("DatabaseConnections", 4.18, 4.3)], 10),
        row("cpu", &[("CPUUtilization", 90.0, 90.5)], 5),
        row("cpu_credits", &[("CPUUtilization", 11.0, 11.0), ("CPUCreditBalance", 28.8, 28.7)], 15),
        sparse("db_load", &[("DBLoad", 2.0, 2.01)], 15),
        row("freeable_memory", &[("FreeableMemory", 107_374_182.0, 107_000_000.0)], 15),
        row("free_storage", &[("FreeStorageSpace", 2.0 * GIB, 1.98 * GIB)], 5),
        row("free_storage_critical", &[("FreeStorageSpace", GIB, 0.99 * GIB)], 5),
        row("read_latency", &[("ReadLatency", 0.02, 0.0202)], 5),
        row("write_latency", &[("WriteLatency", 0.02, 0.0202)], 5),
        row("iops_saturation", &[("ReadIOPS", 200.0, 200.0), ("WriteIOPS", 200.0, 202.0)], 15),
        row("throughput_saturation", &[("ReadThroughput", 4.7e6, 4.7e6), ("WriteThroughput", 4e6, 4.05e6)], 15),
        row("disk_queue", &[("DiskQueueDepth", 10.0, 10.05)], 5),
        row("ebs_io_balance", &[("EBSIOBalance%", 10.0, 9.9)], 3),
        row("ebs_byte_balance", &[("EBSByteBalance%", 10.0, 9.9)], 3),
        row("burst_balance", &[("BurstBalance", 20.0, 19.9)], 15),
        row("transaction_ids", &[("MaximumUsedTransactionIDs", 5e8, 5.02e8)], 5),
        row("wal_usage", &[("TransactionLogsDiskUsage", 4.0 * GIB, 4.02 * GIB)], 15),
        sparse("replication_slot_lag", &[("OldestReplicationSlotLag", 4.0 * GIB, 4.02 * GIB)], 15),
        row("checkpoint_lag", &[("CheckpointLag", 900.0, 905.0)], 5),
        sparse("blocked_transactions", &[("db.Transactions.blocked_transactions.avg", 5.0, 5.02)], 5),
        sparse("idle_in_transaction", &[("db.state.idle_in_transaction_max_time.avg", 300.0, 302.0)], 5),
    ],
    scenarios: &[
        Scenario { name: "nothing happens", change: |_, _| Nothing, rings: &[] },
        Scenario { name: "the instance is stopped", change: |_, _| NoData, rings: &["availability"] },
        SILENT_FOR_SIX_MINUTES,
        SILENT_FOR_SEVEN_MINUTES,
        // A started instance has no credits, and earns 12 an hour.
        Scenario {
            name: "a start without credits",
            change: |metric, minute| match metric {
                "CPUCreditBalance" => Value(minute as f64 / 5.0),
                "CPUUtilization" => Value(9.0),
                _ => Nothing,
            },
            rings: &[],
        },
        Scenario {
            name: "the credits are spent",
            change: |metric, _| match metric {
                "CPUCreditBalance" => Value(0.0),
                "CPUUtilization" => Value(40.0),
                _ => Nothing,
            },
            rings: &["cpu_credits"],
        },
        Scenario {
            name: "the storage fills",
            change: |metric, _| if metric == "FreeStorageSpace" { Value(1.5 * GIB) } else { Nothing },
            rings: &["free_storage"],
        },
        Scenario {
            name: "a server at rest",
            change: |metric, _| if metric == "FreeableMemory" { Value(0.14 * GIB) } else { Nothing },
            rings: &[],
        },
    ],
};

/// A class without burst, and with a local disk: the storage is what is used up first, 12000 IOPS and 500 MiB/s.
const LARGE: Server = Server {
    name: "db.r6gd.8xlarge, 500 GiB of gp3",
    module: "rds-alarms",
    variables: r#"
db_instance_identifier  = "tenants"
resource_id             = "db-A"
instance_class          = "db.r6gd.8xlarge"
allocated_storage       = 500
connections_for_tenants = 24
performance_insights    = false
log_metrics_namespace   = "pgtenant/tenants"
disabled                = ["availability"]
"#,
    memory: 256.0 * GIB,
    storage: 500.0 * GIB,
    rows: &[
        row("connections", &[("DatabaseConnections", 21.0, 21.5)], 5),
        growing("connections_growth", &[("DatabaseConnections", 0.78, 0.82)], 10),
        row("cpu", &[("CPUUtilization", 90.0, 90.5)], 5),
        // Of 32 vCPUs, but no more than there are sessions.
        sparse("db_load", &[("DBLoad", 21.0, 21.1)], 15),
        row("freeable_memory", &[("FreeableMemory", 64.0 * GIB, 63.9 * GIB)], 15),
        row("free_storage", &[("FreeStorageSpace", 50.0 * GIB, 49.9 * GIB)], 5),
        row("free_storage_critical", &[("FreeStorageSpace", 25.0 * GIB, 24.9 * GIB)], 5),
        row("free_local_storage", &[("FreeLocalStoragePercent", 10.0, 9.9)], 5),
        row("read_latency", &[("ReadLatency", 0.02, 0.0202)], 5),
        row("write_latency", &[("WriteLatency", 0.02, 0.0202)], 5),
        row("iops_saturation", &[("ReadIOPS", 4800.0, 4800.0), ("WriteIOPS", 4800.0, 4850.0)], 15),
        row(
            "throughput_saturation",
            &[("ReadThroughput", 219_430_400.0, 219_430_400.0), ("WriteThroughput", 2e8, 2.02e8)],
            15,
        ),
        row("disk_queue", &[("DiskQueueDepth", 240.0, 241.0)], 5),
        row("transaction_ids", &[("MaximumUsedTransactionIDs", 5e8, 5.02e8)], 5),
        row("wal_usage", &[("TransactionLogsDiskUsage", 100.0 * GIB, 100.5 * GIB)], 15),
        sparse("replication_slot_lag", &[("OldestReplicationSlotLag", 100.0 * GIB, 100.5 * GIB)], 15),
        row("checkpoint_lag", &[("CheckpointLag", 900.0, 905.0)], 5),
    ],
    scenarios: &[
        Scenario { name: "nothing happens", change: |_, _| Nothing, rings: &[] },
        Scenario { name: "the instance is stopped, and that is meant", change: |_, _| NoData, rings: &[] },
    ],
};

const SERVERS: &[&Server] = &[&STANDARD, &SMALL, &LARGE, &aurora::PROVISIONED, &aurora::SERVERLESS];

impl Server {
    /// What the metrics of a server that is well show, and of one that is none of the servers' nothing.
    fn healthy(&self, of: &str, metric: &str) -> Option<f64> {
        if self.module == "aurora-alarms" {
            return aurora::healthy(self, of, metric);
        }
        let expected = match metric {
            "ReplicaLag" => "tenants-replica",
            counter if counter.contains('.') => "db-A",
            _ => "tenants",
        };
        (of == expected).then(|| match metric {
            "DatabaseConnections" => 10.0,
            "CPUUtilization" => 9.0,
            "CPUCreditBalance" => 280.0,
            "DBLoad" => 0.5,
            "FreeableMemory" => 0.6 * self.memory,
            "FreeStorageSpace" => 0.5 * self.storage,
            "FreeLocalStoragePercent" => 95.0,
            "os.fileSys.total.avg" => self.storage / 1024.0,
            "ReadLatency" | "WriteLatency" => 0.001,
            "ReadIOPS" | "WriteIOPS" => 50.0,
            "ReadThroughput" | "WriteThroughput" => 1e6,
            "DiskQueueDepth" => 0.5,
            "EBSIOBalance%" | "EBSByteBalance%" | "BurstBalance" => 99.0,
            "MaximumUsedTransactionIDs" => 1.9e8,
            "TransactionLogsDiskUsage" => 0.01 * self.storage,
            "OldestReplicationSlotLag" => 1e6,
            "CheckpointLag" => 120.0,
            "ReplicaLag" => 1.0,
            "db.Concurrency.deadlocks.avg" | "db.Transactions.blocked_transactions.avg" => 0.0,
            "db.state.idle_in_transaction_max_time.avg" => 2.0,
            other => panic!("no server reports {other}"),
        })
    }

    /// The metrics of this server, with what happens to them from [`EVENT`] on.
    fn world<'a>(
        &'a self,
        change: impl Fn(&str, usize) -> Happens + 'a,
    ) -> impl Fn(&str, &str, usize) -> Option<f64> + 'a {
        move |of, metric, minute| {
            if FIVE_MINUTELY.contains(&metric) && minute % 5 != 0 {
                return None;
            }
            let healthy = self.healthy(of, metric)?;
            let named = if self.module == "aurora-alarms" { aurora::of_role(of, metric) } else { metric.to_owned() };
            match minute.checked_sub(EVENT).map_or(Nothing, |since| change(&named, since)) {
                Nothing => Some(healthy),
                Value(value) => Some(value),
                Grows(by) => Some(healthy + by),
                NoData => None,
            }
        }
    }

    /// What is wrong with one alarm: by row, then by scenario. The number of cells that were looked at comes with it.
    fn complaints(&self, name: &str, alarm: &Alarm) -> (usize, Vec<String>) {
        let mut cells = Vec::new();
        if let Some(row) = self.rows.iter().find(|row| row.alarm == name) {
            cells.extend(self.row(row, alarm));
        }
        for scenario in self.scenarios {
            let world = self.world(scenario.change);
            cells.push((scenario.name.to_owned(), rings(alarm, &world), scenario.rings.contains(&name)));
        }
        let count = cells.len();
        let wrong = cells.into_iter().filter(|(_, found, expected)| found != expected).map(|(cell, found, _)| {
            format!("{}: {name} {} when {cell}", self.name, if found { "rings" } else { "is silent" })
        });
        (count, wrong.collect())
    }

    /// By cell: whether the alarm rings, and whether it should.
    fn row(&self, row: &Row, alarm: &Alarm) -> Vec<(String, bool, bool)> {
        let value = |metric: &str, since: usize, ringing: bool| {
            let of = row.metrics.iter().find(|(of, ..)| *of == metric);
            of.map_or(Nothing, |(_, quiet, loud)| {
                let value = if ringing { *loud } else { *quiet };
                if row.grows { Grows(value * (since + 1) as f64) } else { Value(value) }
            })
        };
        let lasts = |minutes: usize| {
            rings(
                alarm,
                &self.world(|metric, since| if since < minutes { value(metric, since, true) } else { Nothing }),
            )
        };
        let quiet = rings(alarm, &self.world(|metric, since| value(metric, since, false)));
        let gaps =
            rings(alarm, &self.world(|metric, since| if since % 4 == 3 { NoData } else { value(metric, since, true) }));
        let down = alarm.states(&self.world(|_, _| NoData), END).last() == Some(&row.down);
        let mut cells = vec![
            ("it is at its threshold".to_owned(), quiet, false),
            (format!("it is past its threshold for {} minutes", row.minutes), lasts(row.minutes), true),
            (format!("data is missing, and the state {:?}", row.down), down, true),
        ];
        if row.minutes > alarm.period {
            let short = row.minutes - alarm.period;
            cells.push((format!("it is past its threshold for {short} minutes"), lasts(short), false));
        }
        // Where no data is good, gaps are good.
        if row.down != State::Ok || row.minutes <= 5 {
            cells.push(("it is past its threshold, with gaps".to_owned(), gaps, true));
        }
        cells
    }
}

fn rings(alarm: &Alarm, world: &World) -> bool {
    alarm.states(world, END).contains(&State::Alarm)
}

/// Each server with its alarms, and where each of their descriptions leads to.
struct Watched {
    server: &'static Server,
    alarms: BTreeMap<String, Alarm>,
    descriptions: Vec<String>,
}

static WATCHED: LazyLock<Vec<Watched>> = LazyLock::new(|| {
    let watched = |server: &&'static Server| {
        let planned = planned::module(server.module, server.variables);
        let planned = planned.of_type("aws_cloudwatch_metric_alarm");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        Watched {
            server,
            alarms: planned.iter().map(|it| (text(&it["index"]), Alarm::planned(&it["values"]))).collect(),
            descriptions: planned.iter().map(|it| text(&it["values"]["alarm_description"])).collect(),
        }
    };
    SERVERS.iter().map(watched).collect()
});

#[test]
fn alarms_ring_when_they_should_and_no_more() {
    let (mut cells, mut wrong, mut table) = (BTreeMap::new(), Vec::new(), String::new());
    for Watched { server, alarms, .. } in &*WATCHED {
        let watched: BTreeSet<&str> = server.rows.iter().map(|row| row.alarm).collect();
        let planned: BTreeSet<&str> =
            alarms.keys().map(String::as_str).filter(|name| *name != "availability").collect();
        assert_eq!(planned, watched, "{}", server.name);
        let _ = writeln!(table, "\n## {}\n\n| when | what rings |\n|---|---|", server.name);
        for scenario in server.scenarios {
            let world = server.world(scenario.change);
            let rings: Vec<&str> =
                alarms.iter().filter(|(_, alarm)| rings(alarm, &world)).map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(table, "| {} | {} |", scenario.name, rings.join(", "));
        }
        for (name, alarm) in alarms {
            let (looked_at, complaints) = server.complaints(name, alarm);
            *cells.entry(server.module).or_insert(0) += looked_at;
            wrong.extend(complaints);
        }
    }
    let dir = Path::new(ROOT).join("target/modules");
    fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join("alarms.md"), table)).unwrap();
    for (module, cells) in cells {
        let outcome = if wrong.is_empty() { Outcome::Passed(format!("{cells} cells")) } else { Outcome::Failed };
        record(&format!("modules/{module}"), "series", outcome);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each alarm, changed a little: the table must notice.
#[test]
fn no_alarm_can_be_changed_unnoticed() {
    let mut unnoticed = Vec::new();
    let mut mutants = 0;
    for Watched { server, alarms, .. } in &*WATCHED {
        for (name, alarm) in alarms {
            for (what, mutant) in mutations(alarm) {
                mutants += 1;
                if server.complaints(name, &mutant).1.is_empty() {
                    unnoticed.push(format!("{}: {name} {what}", server.name));
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    assert!(mutants > 400, "{mutants} mutants");
}

fn mutations(alarm: &Alarm) -> Vec<(String, Alarm)> {
    let mut found = Vec::new();
    let mut with = |what: String, change: &dyn Fn(&mut Alarm)| {
        let mut mutant = alarm.clone();
        change(&mut mutant);
        found.push((what, mutant));
    };
    for factor in [0.5, 0.97, 1.03, 2.0] {
        // Of the alarm on data itself any threshold up to one sample says the same.
        if alarm.threshold != 1.0 || alarm.comparison != Comparison::Less || factor > 1.0 {
            with(format!("with a threshold of {factor} times as much"), &|mutant| mutant.threshold *= factor);
        }
    }
    let turned = match alarm.comparison {
        Comparison::Greater | Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        Comparison::Less | Comparison::LessOrEqual => Comparison::GreaterOrEqual,
    };
    with("the other way round".to_owned(), &|mutant| mutant.comparison = turned);
    with("with twice the periods".to_owned(), &|mutant| {
        mutant.evaluation_periods *= 2;
        mutant.datapoints *= 2;
    });
    if alarm.evaluation_periods > 1 {
        with("with a period less".to_owned(), &|mutant| {
            mutant.evaluation_periods -= 1;
            mutant.datapoints -= 1;
        });
        with("with a datapoint less".to_owned(), &|mutant| mutant.datapoints -= 1);
    }
    for missing in [MissingData::Breaching, MissingData::NotBreaching, MissingData::Missing] {
        if missing != alarm.missing {
            with(format!("with missing data as {missing:?}"), &|mutant| mutant.missing = missing);
        }
    }
    found
}

/// What a description leads to is in the guide.
#[test]
fn every_alarm_has_a_runbook() {
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/guides/operations.md")).unwrap();
    let headings = guide.lines().filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> = headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .map(|line| line.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect())
        .collect();
    for description in WATCHED.iter().flat_map(|watched| &watched.descriptions) {
        let (_, link) = description.split_once(" Runbook: ").unwrap_or_else(|| panic!("no runbook: {description}"));
        let (page, anchor) = link.split_once('#').unwrap_or_else(|| panic!("no section: {link}"));
        assert!(page.ends_with("/docs/guides/operations.md"), "{page}");
        assert!(anchors.contains(anchor), "the guide has no section {anchor}: {description}");
    }
}

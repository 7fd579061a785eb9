//! A throwaway PostgreSQL cluster whose admin is what a managed service gives out, and ways to look at
//! it that owe nothing to the provider.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage, Socket};

use super::binaries::Binaries;
use super::{eventually, is_root, random_hex, scratch, signal};

/// The role that the provider connects as.
pub const ADMIN: &str = "platform_admin";
/// The bootstrap superuser, named as on RDS. It has no password: the socket lets it in.
pub const SUPERUSER: &str = "rdsadmin";

/// How long a login may take: a bound for what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const LOCALE: &str = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admin {
    /// `CREATEDB CREATEROLE`, not a superuser, member of `rds_superuser`.
    #[default]
    RdsLike,
    Superuser,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub major: Option<u32>,
    pub admin: Admin,
    /// `postgres` and `template1` belong to the admin instead of the bootstrap superuser.
    pub admin_owns_maintenance: bool,
    /// What the server's certificate is for ("localhost", "127.0.0.1"); without any there is no TLS.
    pub tls_names: &'static [&'static str],
    /// More lines for postgresql.conf.
    pub extra_conf: &'static str,
}

/// A running cluster. Stopped and removed when dropped; one that is never dropped, by the watchdog.
pub struct Server {
    pub major: u32,
    /// The first name in the certificate, or 127.0.0.1: the only address listened on in either case.
    pub host: &'static str,
    pub port: u16,
    pub admin_password: String,
    /// Holds the unix socket, on which everybody may log in as anybody; closed to other accounts.
    pub dir: PathBuf,
    postmaster: Child,
}

/// What PostgreSQL said, or why it could not be asked (08001, as PostgreSQL's own clients have it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub sqlstate: String,
    pub message: String,
}

pub type Rows = Vec<Vec<Option<String>>>;

impl Server {
    /// The server that all the tests of this process share: with the default options. Roles are
    /// cluster-wide, so tests on it need names of their own.
    #[track_caller]
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        match SERVER.get_or_init(|| Server::start(Options::default())) {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn start(options: Options) -> Result<Server, String> {
        let binaries = Binaries::find(options.major)?;
        let dir = scratch::directory("postgres")?;
        let cluster = Cluster { account: server_account()?, binaries, dir };
        cluster.init(&options).map_err(|error| format!("cannot make a cluster: {error}"))?;

        // Between choosing a free port and listening on it somebody else may take it.
        let mut last = String::new();
        for _ in 0..3 {
            let port = free_port().map_err(|error| format!("no free port: {error}"))?;
            match cluster.boot(port) {
                Ok(postmaster) => {
                    let server = Server {
                        major: cluster.binaries.major,
                        host: options.tls_names.first().copied().unwrap_or("127.0.0.1"),
                        port,
                        admin_password: random_hex(16),
                        dir: cluster.dir,
                        postmaster,
                    };
                    server.hand_to_admin(&options).map_err(|error| format!("cannot make the admin: {error}"))?;
                    return Ok(server);
                }
                Err(error) => last = error,
            }
        }
        Err(format!("PostgreSQL {} does not start: {last}", cluster.binaries.major))
    }

    /// Comes back when no process and no file is left.
    pub fn stop(self) {
        drop(self);
    }

    /// Shuts it down as the signal says (SIGINT: fast, SIGQUIT: immediate), and starts it again on `port`.
    pub fn restart(&mut self, how: i32, port: u16) -> Result<(), String> {
        signal(self.postmaster.id() as i32, how);
        self.postmaster.wait().map_err(|error| error.to_string())?;
        let binaries = Binaries::find(Some(self.major))?;
        let cluster = Cluster { account: server_account()?, binaries, dir: self.dir.clone() };
        self.postmaster = cluster.boot(port)?;
        self.port = port;
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.postmaster.id()
    }

    /// The environment with which libpq's programs, and the provider, reach the server as the admin.
    pub fn env(&self) -> BTreeMap<&'static str, String> {
        let mut env = BTreeMap::from([
            ("PGHOST", self.host.to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGDATABASE", "postgres".to_owned()),
            ("PGUSER", ADMIN.to_owned()),
            ("PGPASSWORD", self.admin_password.clone()),
            ("PGSSLMODE", "disable".to_owned()),
        ]);
        if self.ca().exists() {
            env.insert("PGSSLMODE", "verify-full".to_owned());
            env.insert("PGSSLROOTCERT", self.ca().display().to_string());
        }
        env
    }

    /// The authority behind the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Another authority of the same name.
    pub fn wrong_ca(&self) -> PathBuf {
        self.dir.join("wrong-ca.pem")
    }

    /// Runs SQL over the socket, where no password is asked. Several statements are one transaction.
    pub fn sql(&self, database: &str, role: &str, text: &str) -> Result<Rows, SqlError> {
        self.session(database, role)?.sql(text)
    }

    /// As the bootstrap superuser in `postgres`; what it is told must work.
    #[track_caller]
    pub fn superuser(&self, text: &str) -> Rows {
        self.sql("postgres", SUPERUSER, text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// A connection that stays open for as long as the session lives.
    pub fn session(&self, database: &str, role: &str) -> Result<Session, SqlError> {
        Session::over_socket(&self.dir, self.port, database, role)
    }

    /// The same with `options` in its startup packet, as libpq's PGOPTIONS.
    pub fn session_with_options(&self, database: &str, role: &str, options: &str) -> Result<Session, SqlError> {
        let mut config = Config::new();
        config.host_path(&self.dir).port(self.port).dbname(database).user(role).options(options);
        Session::open(&config)
    }

    /// The same over TCP, where the password counts.
    pub fn session_with_password(&self, database: &str, role: &str, password: &str) -> Result<Session, SqlError> {
        Session::over_tcp(self.port, database, role, password)
    }

    /// Has the server read its files again.
    pub fn reload(&self) {
        let loaded = || self.superuser("SELECT pg_conf_load_time()");
        let before = loaded();
        self.superuser("SELECT pg_reload_conf()");
        eventually("the server has read its configuration", || loaded() != before);
    }

    fn hand_to_admin(&self, options: &Options) -> Result<(), SqlError> {
        let superuser = self.session("postgres", SUPERUSER)?;
        make_admin(&superuser, options.admin, &self.admin_password)?;
        if options.admin_owns_maintenance {
            for database in ["postgres", "template1"] {
                superuser.sql(&format!("ALTER DATABASE {database} OWNER TO {ADMIN}"))?;
            }
        }
        Ok(())
    }

    fn hba_file(&self) -> PathBuf {
        self.dir.join("data/pg_hba.conf")
    }

    /// These lines hold from now on; over the socket everybody may log in as anybody all the same.
    pub fn hba(&self, lines: &str) {
        fs::write(self.hba_file(), format!("local all all trust\n{lines}\n")).expect("the server's own file");
        self.reload();
    }

    /// The same before the lines that there are.
    pub fn hba_first(&self, lines: &str) {
        let rest = fs::read_to_string(self.hba_file()).expect("the server's own file");
        self.hba(&format!("{lines}\n{rest}"));
    }

    /// All that the server logged: every statement, connection and disconnection, each line beginning
    /// with `<time> [<pid>] <role>@<database>/<application>`.
    pub fn log(&self) -> String {
        self.log_since(0)
    }

    pub fn log_mark(&self) -> usize {
        fs::metadata(self.dir.join("log")).map_or(0, |meta| meta.len() as usize)
    }

    pub fn log_since(&self, mark: usize) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(log.get(mark..).unwrap_or_default()).into_owned()
    }

    /// Makes another admin of the same kind, and gives the environment that reaches the server as that
    /// one: what it does can be told from what others do on a shared server.
    #[track_caller]
    pub fn another_admin(&self, name: &str) -> BTreeMap<&'static str, String> {
        let verifier = postgres_protocol::password::scram_sha_256(self.admin_password.as_bytes());
        self.superuser(&format!(
            "CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}'; GRANT rds_superuser TO {name};"
        ));
        let mut env = self.env();
        env.insert("PGUSER", name.to_owned());
        env
    }
}

/// Makes [`ADMIN`] in a new cluster.
pub fn make_admin(superuser: &Session, kind: Admin, password: &str) -> Result<(), SqlError> {
    // A verifier, so that tests may search the log for clear text.
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let script = match kind {
        Admin::RdsLike => format!(
            "CREATE ROLE rds_superuser NOLOGIN;
             GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;
             CREATE ROLE {ADMIN} LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD '{verifier}';
             GRANT rds_superuser TO {ADMIN};"
        ),
        Admin::Superuser => format!("CREATE ROLE {ADMIN} LOGIN SUPERUSER PASSWORD '{verifier}';"),
    };
    superuser.sql(&script).map(drop)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Immediate shutdown: nothing of it is wanted any more.
        signal(self.postmaster.id() as i32, libc::SIGQUIT);
        let _ = self.postmaster.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A directory that is becoming a server.
struct Cluster {
    binaries: Binaries,
    dir: PathBuf,
    /// Whose processes and files they are, when not ours.
    account: Option<(u32, u32)>,
}

impl Cluster {
    fn init(&self, options: &Options) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        fs::set_permissions(&self.dir, Permissions::from_mode(0o700)).map_err(text)?;
        self.hand_over(&self.dir).map_err(text)?;
        let mut initdb = self.command("initdb");
        initdb.args(["--no-sync", "--encoding=UTF8", "--auth-local=trust", "--auth-host=scram-sha-256"]);
        initdb.arg(format!("--locale={LOCALE}")).arg(format!("--username={SUPERUSER}"));
        initdb.arg("--pgdata").arg(self.data());
        let mut child = self.spawn(initdb).map_err(text)?;
        if !child.wait().map_err(text)?.success() {
            return Err(self.log());
        }

        let mut conf = fs::read_to_string(self.data().join("postgresql.conf")).map_err(text)?;
        conf.push_str(CONF);
        conf.push_str(&format!("unix_socket_directories = '{}'\n", self.dir.display()));
        if !options.tls_names.is_empty() {
            self.certify(options.tls_names)?;
            conf.push_str(&format!(
                "ssl = on\nssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\n",
                self.dir.display()
            ));
        }
        // Where pg_cron's jobs log in; without pg_cron it means nothing.
        conf.push_str(&format!("cron.host = '{}'\n", self.dir.display()));
        conf.push_str(options.extra_conf);
        fs::write(self.data().join("postgresql.conf"), conf).map_err(text)?;
        // TCP from this machine needs the password; the socket, which others cannot reach, does not.
        let hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.data().join("pg_hba.conf"), hba).map_err(text)
    }

    fn boot(&self, port: u16) -> Result<Child, String> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(port.to_string());
        let mut postmaster = self.spawn(command).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if postmaster.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(self.log());
            }
            // The eighth line is the postmaster's word for whether it takes connections.
            let pid_file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if pid_file.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(postmaster);
            }
            if Instant::now() > deadline {
                let _ = postmaster.kill();
                let _ = postmaster.wait();
                return Err(format!("not ready after a minute: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default().trim().to_owned()
    }

    /// Its own process group, so that Ctrl-C leaves stopping to those who know the order. No inherited
    /// environment: PG* variables mean something to a server too.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", LOCALE).env("TZ", "UTC");
        command.current_dir(&self.dir).process_group(0);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn spawn(&self, mut command: Command) -> std::io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.dir.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        // For the watchdog.
        fs::write(self.dir.join("pid"), child.id().to_string())?;
        Ok(child)
    }

    fn hand_over(&self, path: &Path) -> std::io::Result<()> {
        match self.account {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    fn certify(&self, names: &[&str]) -> Result<(), String> {
        let write = |name: &str, label: &str, der: &[u8]| {
            let path = self.dir.join(name);
            fs::write(&path, pem(label, der))?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            self.hand_over(&path)
        };
        let make = || -> Result<_, rcgen::Error> {
            let authority = || -> Result<_, rcgen::Error> {
                let mut params = CertificateParams::new(Vec::new())?;
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params.distinguished_name.push(DnType::CommonName, "pgtenant test authority");
                let key = KeyPair::generate()?;
                Ok((params.self_signed(&key)?, Issuer::new(params, key)))
            };
            let ((ca, issuer), (wrong_ca, _)) = (authority()?, authority()?);
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let key = KeyPair::generate()?;
            let server = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
            Ok((ca, wrong_ca, server, key))
        };
        let (ca, wrong_ca, server, key) = make().map_err(|error| format!("cannot make certificates: {error}"))?;
        write("ca.pem", "CERTIFICATE", ca.der())
            .and_then(|()| write("wrong-ca.pem", "CERTIFICATE", wrong_ca.der()))
            .and_then(|()| write("server.pem", "CERTIFICATE", server.der()))
            .and_then(|()| write("server.key", "PRIVATE KEY", &key.serialize_der()))
            .map_err(|error| format!("cannot write certificates: {error}"))
    }
}

/// Small, quick and forgetful; and it writes down all that is done to it.
const CONF: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 16MB
max_prepared_transactions = 10
max_wal_senders = 0
fsync = off
synchronous_commit = off
full_page_writes = off
password_encryption = scram-sha-256
log_statement = all
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %q%u@%d/%a '
log_timezone = UTC
";

/// A connection and the runtime that drives it, behind calls that wait.
pub struct Session {
    runtime: Runtime,
    client: Option<Client>,
    connection: Option<JoinHandle<()>>,
    notifications: Arc<Mutex<Vec<String>>>,
}

impl Session {
    /// To the server whose socket is in `dir`.
    pub fn over_socket(dir: &Path, port: u16, database: &str, role: &str) -> Result<Session, SqlError> {
        let mut config = Config::new();
        config.host_path(dir).port(port).dbname(database).user(role);
        Session::open(&config)
    }

    /// To whatever listens on that port of this machine: a server, or a pooler before it.
    pub fn over_tcp(port: u16, database: &str, role: &str, password: &str) -> Result<Session, SqlError> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).dbname(database).user(role).password(password);
        Session::open(&config)
    }

    /// The same over TLS; `ca` is the authority that must be behind the certificate.
    pub fn over_tls(port: u16, database: &str, role: &str, password: &str, ca: &Path) -> Result<Session, SqlError> {
        let mut roots = rustls::RootCertStore::empty();
        let certificates = rustls::pki_types::CertificateDer::pem_file_iter(ca).expect("a file of certificates");
        roots.add_parsable_certificates(certificates.map(|certificate| certificate.expect("PEM")));
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).dbname(database).user(role).password(password);
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        Session::open_with(&config, tokio_postgres_rustls::MakeRustlsConnect::new(tls))
    }

    fn open(config: &Config) -> Result<Session, SqlError> {
        Session::open_with(config, NoTls)
    }

    fn open_with<T>(config: &Config, tls: T) -> Result<Session, SqlError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connected = async { tokio::time::timeout(PATIENCE, config.connect(tls)).await };
        let (client, mut connection) = runtime.block_on(connected).map_err(|_| SqlError {
            sqlstate: "08001".to_owned(),
            message: format!("no login within {} s", PATIENCE.as_secs()),
        })??;
        let notifications = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notifications);
        // How a connection ends shows in the next query.
        let connection = runtime.spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message {
                    heard.lock().expect("no panic while held").push(notification.payload().to_owned());
                }
            }
        });
        Ok(Session { runtime, client: Some(client), connection: Some(connection), notifications })
    }

    /// The payloads of all that came for a LISTEN until the last query was answered.
    pub fn notifications(&self) -> Vec<String> {
        self.notifications.lock().expect("no panic while held").clone()
    }

    pub fn sql(&self, text: &str) -> Result<Rows, SqlError> {
        let client = self.client.as_ref().expect("open until dropped");
        let messages = self.runtime.block_on(client.simple_query(text))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The connection's task says goodbye once the client is gone; without it the server would wait
        // for the socket to close.
        drop(self.client.take());
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), connection).await });
        }
    }
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => SqlError { sqlstate: db.code().code().to_owned(), message: db.message().to_owned() },
            None => SqlError { sqlstate: "08001".to_owned(), message: error.to_string() },
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.sqlstate)
    }
}

impl std::error::Error for SqlError {}

/// The account for the server's processes: none of its own unless we are root.
pub fn server_account() -> Result<Option<(u32, u32)>, String> {
    if !is_root() {
        return Ok(None);
    }
    let number = |flag: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((number("-u", name)?, number("-g", name)?)))
        .map(Some)
        .ok_or_else(|| {
            "PostgreSQL does not run as root, and there is neither an account postgres nor nobody".to_owned()
        })
}

pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

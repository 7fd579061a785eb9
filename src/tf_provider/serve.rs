//! The process: what it was started for, go-plugin's handshake, and when it ends. The one place
//! that reads the environment.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
#[cfg(target_os = "linux")]
use rustix::process::DumpableBehavior;
use rustix::process::{Resource, Rlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::mtls::Identity;
use super::server::Server;
use super::transport::{self, Ending, Socket};
use super::{Provider, logging, panics};

/// Says that Terraform started this process. No secret: it keeps people from starting it by hand.
const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

const PROTOCOL: &str = "5";

/// Terraform kills a provider that has not ended two seconds after `Shutdown`.
const GRACE: Duration = Duration::from_millis(1500);

/// The exit code of a subcommand that could not be run.
const UNABLE: u8 = 2;

/// How often to look whether Terraform is still there.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// What the process says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The binary's name: `terraform-provider-example`.
    pub name: &'static str,
    /// The provider's address: `registry.terraform.io/example/example`.
    pub address: &'static str,
    pub version: &'static str,
    /// A sentence or two for people who start the binary by hand.
    pub about: &'static str,
    /// What people may ask of the binary beside that.
    pub subcommands: &'static [Subcommand],
}

/// Something that the binary does for whoever starts it by hand: its first argument is the name.
#[derive(Clone, Copy, Debug)]
pub struct Subcommand {
    pub name: &'static str,
    /// A few words for the list of all.
    pub about: &'static str,
    /// Answers with the exit code, and writes to stdout and stderr what it has to say.
    pub run: fn(Invocation) -> Pin<Box<dyn Future<Output = u8> + Send>>,
}

/// One run of a [`Subcommand`].
pub struct Invocation {
    /// Those after the name.
    pub arguments: Vec<String>,
    /// Cancelled by Ctrl-C, SIGTERM and SIGHUP; the work then has a moment to end.
    pub cancel: CancellationToken,
}

/// What the framework takes from the environment.
#[derive(Clone, Debug, Default)]
struct Environment {
    magic_cookie: Option<String>,
    /// `4,5`
    protocol_versions: Option<String>,
    client_certificate: Option<String>,
    /// Where the socket may lie, the best first.
    socket_directories: Vec<PathBuf>,
    log_level: Option<String>,
}

impl Environment {
    fn read() -> Self {
        let text = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let directories = [text("PLUGIN_UNIX_SOCKET_DIR"), text("TMPDIR"), Some("/tmp".to_owned())];
        Environment {
            magic_cookie: text("TF_PLUGIN_MAGIC_COOKIE"),
            protocol_versions: text("PLUGIN_PROTOCOL_VERSIONS"),
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_directories: directories.into_iter().flatten().map(PathBuf::from).collect(),
            log_level: text("TF_LOG_PROVIDER").or_else(|| text("TF_LOG")),
        }
    }
}

/// What the process is to do.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    /// Serve the Terraform that started it, and end with it.
    Plugin,
    /// Serve until a person ends it, so that a debugger can be attached.
    Debug,
    /// The subcommand of that name, with these arguments.
    Subcommand(&'static str, Vec<String>),
    Print(String),
    Refuse(String),
}

fn task(options: &Options, arguments: &[OsString], environment: &Environment) -> Task {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let named = |name: &str| options.subcommands.iter().find(|subcommand| subcommand.name == name);
    if let Some(subcommand) = arguments.first().and_then(|first| named(first)) {
        let rest = arguments[1..].iter().map(|argument| argument.clone().into_owned());
        return Task::Subcommand(subcommand.name, rest.collect());
    }
    match arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>()[..] {
        [] => {}
        ["--debug" | "-debug"] => return Task::Debug,
        ["--version" | "-version"] => return Task::Print(format!("{} {}", options.name, options.version)),
        ["--help" | "-help" | "-h"] => return Task::Print(usage(options)),
        _ => return Task::Refuse(format!("unknown arguments: {}\n\n{}", arguments.join(" "), usage(options))),
    }
    if environment.magic_cookie.as_deref() != Some(MAGIC_COOKIE) {
        return Task::Refuse(usage(options));
    }
    let offered = environment.protocol_versions.as_deref().unwrap_or_default();
    if !offered.split(',').any(|version| version.trim() == PROTOCOL) {
        return Task::Refuse(format!(
            "{} speaks plugin protocol {PROTOCOL}, but was offered {offered:?} (PLUGIN_PROTOCOL_VERSIONS). \
             Use Terraform 1.0 or later.",
            options.name
        ));
    }
    Task::Plugin
}

fn usage(options: &Options) -> String {
    let command = |subcommand: &Subcommand| format!("\x20   {:<12} {}\n", subcommand.name, subcommand.about);
    let commands: String = options.subcommands.iter().map(command).collect();
    let commands = if commands.is_empty() { commands } else { format!("Commands, for people:\n{commands}\n") };
    format!(
        "{name} {version}\n\n{about}\n\n\
         This is a Terraform provider: Terraform starts it, people do not. Name it in a configuration\n\
         and run `terraform init`:\n\n\
         \x20   terraform {{\n\
         \x20     required_providers {{\n\
         \x20       {local} = {{ source = \"{source}\" }}\n\
         \x20     }}\n\
         \x20   }}\n\n\
         {commands}Options:\n\
         \x20   --debug      serve until Ctrl-C, and print how Terraform attaches to this process\n\
         \x20   --version    print the version\n\
         \x20   --help       print this text",
        name = options.name,
        version = options.version,
        about = options.about,
        local = options.address.rsplit('/').next().unwrap_or_default(),
        source = options.address.trim_start_matches("registry.terraform.io/"),
    )
}

/// The whole of `main`: does what the arguments and the environment ask for. The exit code is 1 if
/// it was not started by Terraform or cannot serve; stderr says why then. Of a subcommand it is the
/// subcommand's own, or 2 if that could not be run.
///
/// `provider` is made after the handshake, so that it does not keep Terraform waiting.
pub fn run<P: Provider>(options: Options, provider: impl FnOnce() -> P) -> ExitCode {
    let parent = parent_id();
    let environment = Environment::read();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let task = task(&options, &arguments, &environment);
    // A debugger looks at what nobody else is to see.
    if !matches!(task, Task::Debug) {
        forbid_core_dumps();
    }
    let served = match task {
        Task::Subcommand(name, arguments) => return by_hand(&options, &environment, name, arguments),
        Task::Print(text) => print(&text).map_err(Into::into),
        Task::Refuse(text) => Err(text.into()),
        Task::Plugin => process(&environment, async { plugin(parent, &environment, provider).await }),
        Task::Debug => process(&environment, async { debug(&options, &environment, provider).await }),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// A dump of this process would hold the secrets that Terraform gave it.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Whoever is not allowed to lower a limit has none that matters.
    let _ = rustix::process::setrlimit(Resource::Core, none);
    // A handler of dumps that the system starts does not ask for the limit.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

type Failure = Box<dyn Error + Send + Sync>;

fn by_hand(options: &Options, environment: &Environment, name: &str, arguments: Vec<String>) -> ExitCode {
    let run = options.subcommands.iter().find(|subcommand| subcommand.name == name).expect("it was found there").run;
    match process(environment, until_interrupted(run, arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}", chain(&*error));
            ExitCode::from(UNABLE)
        }
    }
}

async fn until_interrupted(
    run: fn(Invocation) -> Pin<Box<dyn Future<Output = u8> + Send>>,
    arguments: Vec<String>,
) -> Result<u8, Failure> {
    let interrupt = signal(SignalKind::interrupt())?;
    let ended = Ended::signals()?;
    let cancel = CancellationToken::new();
    let mut work = run(Invocation { arguments, cancel: cancel.clone() });
    tokio::select! {
        code = &mut work => return Ok(code),
        () = received(interrupt) => {}
        () = ended.received() => {}
    }
    cancel.cancel();
    tokio::time::timeout(GRACE, work).await.map_err(|_| "interrupted".into())
}

fn process<T>(environment: &Environment, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    panics::install_hook();
    logging::start(environment.log_level.as_deref());
    // As much as the main thread has: what is awaited within an apply is deep, and deeper without optimisation. It is taken only as
    // far as it is used.
    const STACK: usize = 8 << 20;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_stack_size(STACK).enable_all().build()?;
    let result = runtime.block_on(work);
    // What still runs has had its grace.
    runtime.shutdown_background();
    result
}

async fn plugin<P: Provider>(
    parent: u32,
    environment: &Environment,
    provider: impl FnOnce() -> P,
) -> Result<(), Failure> {
    // Ctrl-C goes to the whole process group. Terraform answers it with `Stop`; taking the signal
    // and leaving it be is what keeps it from ending this process.
    let _ignored = signal(SignalKind::interrupt())?;
    let ended = Ended::signals()?;
    let socket = Socket::bind(&environment.socket_directories)?;
    let identity = environment.client_certificate.as_deref().map(Identity::for_client).transpose()?;
    print(&handshake(&socket.path(), identity.as_ref()))?;

    let ending = Ending::default();
    let requested = ending.requested.clone();
    let in_order = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&in_order);
    let end = async move {
        tokio::select! {
            () = requested.cancelled() => asked.store(true, Ordering::SeqCst),
            () = ended.received() => {}
            () = gone(parent) => {}
        }
    };
    let tls = identity.map(|identity| identity.config);
    let server = Arc::new(Server::new(provider()));
    serve_until(end, socket, tls, Arc::clone(&server), ending).await?;
    if in_order.load(Ordering::SeqCst) && tokio::time::timeout(GRACE, server.close()).await.is_err() {
        tracing::warn!("ending with work undone");
    }
    Ok(())
}

async fn debug<P: Provider>(
    options: &Options,
    environment: &Environment,
    provider: impl FnOnce() -> P,
) -> Result<(), Failure> {
    let interrupt = signal(SignalKind::interrupt())?;
    let ended = Ended::signals()?;
    let socket = Socket::bind(&environment.socket_directories)?;
    print(&reattach(options, &socket.path(), std::process::id()))?;
    let end = async {
        tokio::select! {
            () = received(interrupt) => {}
            () = ended.received() => {}
        }
    };
    // A client's `Shutdown` goes unheeded: the next run of Terraform attaches to this process again.
    serve_until(end, socket, None, Arc::new(Server::new(provider())), Ending::default()).await
}

async fn serve_until(
    end: impl Future<Output = ()>,
    socket: Socket,
    tls: Option<Arc<rustls::ServerConfig>>,
    server: Arc<Server>,
    ending: Ending,
) -> Result<(), Failure> {
    let mut serving = std::pin::pin!(transport::serve(socket, tls, server.clone(), ending.clone()));
    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = end => {}
    }
    ending.begun.cancel();
    server.stop_operations();
    match tokio::time::timeout(GRACE, serving).await {
        Ok(served) => Ok(served?),
        Err(_) => {
            tracing::warn!("ending with requests unanswered");
            Ok(())
        }
    }
}

async fn received(mut signal: Signal) {
    signal.recv().await;
}

/// The signals that end a process in order: somebody asked for it, or the terminal was closed.
struct Ended {
    terminate: Signal,
    /// `None` for what is to outlive its terminal.
    hangup: Option<Signal>,
}

impl Ended {
    fn signals() -> std::io::Result<Self> {
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Ended { terminate: signal(SignalKind::terminate())?, hangup })
    }

    async fn received(self) {
        let hangup = async {
            match self.hangup {
                Some(hangup) => received(hangup).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = received(self.terminate) => {}
            () = hangup => {}
        }
    }
}

/// Whether `nohup` started this process, or its parent. To take the signal would undo that.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0)
}

/// Returns when the parent is another: Terraform ended without a word, and somebody adopted us. Its
/// requests were dropped with its connection; for what they leave to be ended elsewhere there is a moment.
async fn gone(parent: u32) {
    while parent_id() == parent {
        tokio::time::sleep(PARENT_CHECK).await;
    }
    tokio::time::sleep(PARENT_CHECK).await;
}

/// go-plugin's handshake: its own version, ours, where to connect, what to speak, whom to trust.
fn handshake(socket: &Path, identity: Option<&Identity>) -> String {
    let certificate = identity.map(|identity| STANDARD_NO_PAD.encode(&identity.certificate)).unwrap_or_default();
    format!("1|{PROTOCOL}|unix|{}|grpc|{certificate}", socket.display())
}

fn reattach(options: &Options, socket: &Path, pid: u32) -> String {
    let attach = serde_json::json!({
        options.address: {
            "Protocol": "grpc",
            "ProtocolVersion": 5,
            "Pid": pid,
            "Test": true,
            "Addr": { "Network": "unix", "String": socket.display().to_string() },
        }
    });
    format!(
        "{} is waiting for Terraform. Ctrl-C ends it. To attach, set in Terraform's environment:\n\n\
         \x20   TF_REATTACH_PROVIDERS='{attach}'\n",
        options.name
    )
}

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        name: "terraform-provider-toy",
        address: "registry.terraform.io/toys/toy",
        version: "1.2.3",
        about: "Makes toys.",
        subcommands: &[Subcommand { name: "count", about: "count the toys", run: |_| Box::pin(async { 0 }) }],
    };

    fn decide(arguments: &[&str], cookie: Option<&str>, versions: Option<&str>) -> Task {
        let environment = Environment {
            magic_cookie: cookie.map(str::to_owned),
            protocol_versions: versions.map(str::to_owned),
            ..Environment::default()
        };
        task(&OPTIONS, &arguments.iter().map(OsString::from).collect::<Vec<_>>(), &environment)
    }

    #[test]
    fn serves_whom_it_speaks_with() {
        assert_eq!(decide(&[], Some(MAGIC_COOKIE), Some("5")), Task::Plugin);
        assert_eq!(decide(&[], Some(MAGIC_COOKIE), Some("4,5,6")), Task::Plugin);
        assert_eq!(decide(&["--debug"], None, None), Task::Debug);
        assert_eq!(decide(&["--version"], None, None), Task::Print("terraform-provider-toy 1.2.3".into()));
    }

    #[test]
    fn says_why_it_does_not_serve() {
        let check = |task, text: &str| match task {
            Task::Refuse(why) => assert!(why.contains(text), "{why}"),
            task => panic!("{task:?}"),
        };
        check(decide(&[], None, Some("5")), "source = \"toys/toy\"");
        check(decide(&[], Some("cookie"), Some("5")), "Makes toys.");
        check(decide(&[], Some(MAGIC_COOKIE), Some("6,15")), "was offered \"6,15\"");
        check(decide(&[], Some(MAGIC_COOKIE), None), "speaks plugin protocol 5");
        check(decide(&["serve"], Some(MAGIC_COOKIE), Some("5")), "unknown arguments: serve");
    }

    #[test]
    fn people_may_ask_for_something_else() {
        let task = Task::Subcommand("count", vec!["--red".to_owned(), "--help".to_owned()]);
        assert_eq!(decide(&["count", "--red", "--help"], None, None), task);
        assert!(usage(&OPTIONS).contains("    count        count the toys\n"), "{}", usage(&OPTIONS));
    }

    #[test]
    fn the_handshake_is_one_line_of_six_parts() {
        assert_eq!(handshake(Path::new("/tmp/d/s"), None), "1|5|unix|/tmp/d/s|grpc|");
    }
}

//! A panic in one request is an answer to that request, not the end of the provider.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::task::Poll;

use super::{Diagnostic, logging};

thread_local! {
    /// What the hook saw last on this thread. Only the hook is told where a panic was.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic is one hclog line at error level, and the diagnostic that answers the request
/// says where it was. Replaces the hook that was installed before.
pub fn install_hook() {
    panic::set_hook(Box::new(|info| {
        let text = describe(info);
        logging::write_line("error", &format!("panic: {text}"), "panic", serde_json::Map::new());
        LAST.set(Some(text));
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = message(info.payload());
    match info.location() {
        Some(at) => format!("{message} ({}:{})", at.file(), at.line()),
        None => message.to_owned(),
    }
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// What `work` answers, or what is to be said about its panic.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Diagnostic> {
    let mut work = pin!(work);
    // Unwind safety: after a panic the future is dropped unpolled. What it shares with others are
    // locks, which a panic poisons.
    std::future::poll_fn(move |cx| match panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(payload) => {
            let text = LAST.take().unwrap_or_else(|| message(&*payload).to_owned());
            Poll::Ready(Err(Diagnostic::error(
                "The provider panicked",
                format!("{text}\n\nThis is a bug in the provider, please report it."),
            )))
        }
    })
    .await
}

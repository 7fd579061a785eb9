//! Whether the way to the server is open, and when it is tried again if it is not. Pure: the clock is given.

use std::time::Duration;

use tokio::time::Instant;

use super::error::ConnectError;

/// How long it takes until the second attempt, and at most until any other. Each pause is twice the one before.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// What is known of the way to the server.
pub(super) enum Way {
    Untried,
    /// The last attempt got through.
    Open,
    Blocked(Outage),
}

/// Attempts that failed, one after another.
pub(super) struct Outage {
    pub since: Instant,
    /// What the last one was told.
    pub error: ConnectError,
    /// Before that nobody tries.
    pub again: Instant,
    pause: Duration,
}

impl Way {
    pub fn is_blocked(&self, now: Instant) -> bool {
        matches!(self, Way::Blocked(outage) if now < outage.again)
    }

    /// Another attempt failed, which began then.
    pub fn block(&mut self, begun: Instant, error: ConnectError) {
        let mut outage = Outage::new(begun, error);
        if let Way::Blocked(before) = self {
            outage = outage.after(before);
        }
        *self = Way::Blocked(outage);
    }
}

impl Outage {
    pub fn new(begun: Instant, error: ConnectError) -> Self {
        // What will not pass by itself is not asked again soon either: a hundred resources are one failed login.
        let pause = if error.is_passing() { FIRST } else { LONGEST };
        Outage { since: begun, error, again: Instant::now() + jittered(pause), pause }
    }

    fn after(self, before: &Outage) -> Self {
        let pause = self.pause.max(before.pause * 2).min(LONGEST);
        Outage { since: before.since, again: Instant::now() + jittered(pause), pause, ..self }
    }
}

/// Half of it to all of it, so that those who were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [u8::MAX];
    // Without random numbers the pause is the longest.
    let _ = getrandom::fill(&mut random);
    pause.mul_f64(0.5 + f64::from(random[0]) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::error::SqlState;

    fn unreachable() -> ConnectError {
        ConnectError::Unreachable { address: "db:5432".into(), message: "refused".into() }
    }

    #[test]
    fn pauses_grow_and_the_outage_is_one() {
        let begun = Instant::now();
        let mut way = Way::Untried;
        let mut pauses = Vec::new();
        for attempt in 0..8 {
            way.block(begun + Duration::from_secs(attempt), unreachable());
            let Way::Blocked(outage) = &way else { panic!("blocked") };
            assert_eq!(outage.since, begun);
            pauses.push(outage.pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    }

    #[test]
    fn what_does_not_pass_is_remembered_for_a_moment_only() {
        let begun = Instant::now();
        let mut way = Way::Untried;
        assert!(!way.is_blocked(begun));
        let (address, message) = ("db:5432".to_owned(), "no".to_owned());
        way.block(begun, ConnectError::Refused { address, state: SqlState::INVALID_PASSWORD, message });
        assert!(way.is_blocked(Instant::now()));
        assert!(!way.is_blocked(Instant::now() + LONGEST));
    }

    #[test]
    fn a_pause_is_half_of_it_to_all_of_it() {
        for _ in 0..100 {
            let pause = jittered(LONGEST);
            assert!((LONGEST / 2..=LONGEST).contains(&pause), "{pause:?}");
        }
    }
}

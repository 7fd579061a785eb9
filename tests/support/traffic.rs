//! What the provider did on a server, as the server's log has it.

/// What one role did, as the server's log has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Traffic {
    pub connections: usize,
    pub statements: usize,
    /// The most connections at one time.
    pub most: usize,
}

pub fn traffic(log: &str, role: &str) -> Traffic {
    let mut traffic = Traffic { connections: 0, statements: 0, most: 0 };
    let mut open = 0;
    for line in log.lines() {
        // The application is not known yet where a connection begins.
        if line.contains("connection authorized: ") && line.contains(&format!("user={role} ")) {
            traffic.connections += 1;
            open += 1;
            traffic.most = traffic.most.max(open);
        }
        if line.contains(&format!(" {role}@")) && line.contains("/terraform-provider-pgtenant ") {
            traffic.statements += usize::from([" statement: ", " execute "].iter().any(|kind| line.contains(kind)));
            open -= usize::from(line.contains(" disconnection: "));
        }
    }
    traffic
}

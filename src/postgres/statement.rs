//! SQL as data: it exists, with a summary of what it does, before any connection does.

use super::DatabaseName;

/// One SQL statement and what it does in a few words. The summary is what is logged and shown: the
/// text may hold a verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    pub summary: String,
}

impl Statement {
    pub fn new(summary: impl Into<String>, text: impl Into<String>) -> Self {
        Statement { text: text.into(), summary: summary.into() }
    }
}

/// Statements that are sent as one query, and so are one transaction.
///
/// `CREATE DATABASE`, `DROP DATABASE` and the like may not stand in a transaction: they are a step
/// of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it runs; `None` is the maintenance database.
    pub database: Option<DatabaseName>,
    pub statements: Vec<Statement>,
    /// What it does to a whole database, if it does. Nobody may be connected to that: our own idle sessions are closed first.
    pub whole: Option<Whole>,
}

/// What can be done to a whole database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whole {
    Renames(DatabaseName),
    Drops(DatabaseName),
}

impl Step {
    pub fn text(&self) -> String {
        self.statements.iter().map(|statement| statement.text.as_str()).collect::<Vec<_>>().join(";\n")
    }

    pub fn summary(&self) -> String {
        self.statements.iter().map(|statement| statement.summary.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Steps in the order in which they run; the first that fails ends it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Script(pub Vec<Step>);

impl Script {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

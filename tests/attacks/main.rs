//! Attacks on the tenants that this provider makes: a table of what a tenant tries and what comes of
//! it, run by real logins against tenants made by a real `terraform apply`, on every major version.
//!
//! Each test prints its rows; the matrix attack x server is kept as `target/attacks/matrix.md`.

#[path = "../support/mod.rs"]
mod support;

mod attack;
mod databases;
mod files;
mod ground;
mod limits;
mod matrix;
mod objects;
mod reach;
mod rights;
mod roles;
mod shared;
mod team;
mod visits;

use std::collections::BTreeSet;
use std::time::Instant;

use attack::{Attack, By, Outcome, PlanPath, Tries};
use ground::Ground;
use matrix::{Cell, Column};
use support::binaries::{Binaries, MAJORS};
use support::postgres::Admin;

/// All of them, in the order in which they are run: the one that takes the server down comes last.
fn table() -> Vec<Attack> {
    [
        reach::attacks(),
        roles::attacks(),
        databases::attacks(),
        objects::attacks(),
        files::attacks(),
        limits::attacks(),
        visits::attacks(),
        shared::attacks(),
    ]
    .concat()
}

#[test]
fn postgres_13() {
    run(13, Admin::RdsLike);
}

#[test]
fn postgres_14() {
    run(14, Admin::RdsLike);
}

#[test]
fn postgres_15() {
    run(15, Admin::RdsLike);
}

#[test]
fn postgres_15_with_a_superuser_as_admin() {
    run(15, Admin::Superuser);
}

#[test]
fn postgres_16() {
    run(16, Admin::RdsLike);
}

#[test]
fn postgres_17() {
    run(17, Admin::RdsLike);
}

#[test]
fn postgres_18() {
    run(18, Admin::RdsLike);
}

#[test]
fn every_attack_has_one_name_and_an_outcome_on_every_major() {
    let mut names = BTreeSet::new();
    for attack in table().into_iter().chain(team::attacks()) {
        assert!(names.insert(attack.name), "{} is there twice", attack.name);
        assert!(
            attack.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            attack.name
        );
        for major in MAJORS {
            assert!(attack.expected(major).is_some(), "{} has no outcome on {major}", attack.name);
        }
    }
}

/// `names.txt` is what the threat model is held against.
#[test]
fn the_names_are_on_file() {
    let names: BTreeSet<&str> = table().iter().chain(&team::attacks()).map(|attack| attack.name).collect();
    let on_file: Vec<&str> = include_str!("names.txt").lines().collect();
    assert_eq!(on_file, names.into_iter().collect::<Vec<_>>());
}

/// The whole table on one server.
fn run(major: u32, admin: Admin) {
    let column = Column { major, superuser: admin == Admin::Superuser };
    if let Err(why) = Binaries::find(Some(major)) {
        matrix::skip(column, &why);
        return;
    }
    let started = Instant::now();
    let ground = Ground::prepare(major, admin);
    let attacks: Vec<_> = table()
        .into_iter()
        .map(|attack| {
            let expected = attack.expected(major).expect("every attack has an outcome on every major");
            (attack, expected)
        })
        .collect();
    let is_detected = |expected: &Outcome| matches!(expected, Outcome::Detected(_));
    let (last, others): (Vec<_>, Vec<_>) = attacks.into_iter().partition(|(attack, _)| attack.last);
    let (to_detect, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, expected)| is_detected(expected));
    let mut cells = Vec::new();
    let try_all = |attacks: &[(Attack, Outcome)], cells: &mut Vec<Cell>| {
        for (attack, expected) in attacks {
            let started = Instant::now();
            let seen = match &attack.tries {
                Tries::Each(statements) => ground.try_each(attack.by, statements),
                Tries::As(act) => act(&ground, By::tenant(attack.by)),
                Tries::Act(act) => act(&ground),
            };
            cells.push(Cell::new(attack, *expected, seen, started.elapsed()));
        }
    };
    try_all(&others, &mut cells);
    // What a plan is to tell is all done before one plan tells it, and one apply takes it back: nothing
    // else may come between.
    let mut detected = Vec::new();
    try_all(&to_detect, &mut detected);
    let paths: Vec<PlanPath> = to_detect
        .iter()
        .flat_map(|(_, expected)| match expected {
            Outcome::Detected(paths) => paths.to_vec(),
            _ => Vec::new(),
        })
        .collect();
    let told = ground.detect_and_repair(&paths);
    for (cell, (_, expected)) in detected.iter_mut().zip(&to_detect) {
        let Outcome::Detected(paths) = expected else { continue };
        cell.then(told.as_ref().map_err(Clone::clone).and_then(|found| ground::named(paths, found)));
    }
    cells.extend(detected);
    let by_further_roles = team::run(&ground, table());
    cells.extend(by_further_roles.unwrap_or_else(|why| panic!("further roles on PostgreSQL {column}: {why}")));
    try_all(&last, &mut cells);
    matrix::contribute(column, cells, &ground.notes(), started.elapsed());
}

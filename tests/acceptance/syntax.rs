//! What reads PostgreSQL's own syntax reads it as PostgreSQL does: thousands of generated texts, each given to
//! a server of the oldest and of the newest major. A reader may answer that it cannot read a text only where the
//! answer depends on the server's build or on the encoding of the database.

use std::collections::BTreeSet;

use pgtenant::postgres::Duration;
use pgtenant::postgres::name::parse_list;
use postgres_protocol::escape::escape_literal;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::majors;
use crate::support::postgres::{Admin, SUPERUSER, Server, Session};

const TEXTS: usize = 4_000;

#[test]
fn durations_are_read_as_postgresql_13_reads_them() {
    majors::run("syntax::durations_are_read_as_postgresql_13_reads_them", 13, Admin::RdsLike, durations);
}

#[test]
fn durations_are_read_as_postgresql_18_reads_them() {
    majors::run("syntax::durations_are_read_as_postgresql_18_reads_them", 18, Admin::RdsLike, durations);
}

#[test]
fn lists_of_names_are_read_as_postgresql_13_reads_them() {
    majors::run("syntax::lists_of_names_are_read_as_postgresql_13_reads_them", 13, Admin::RdsLike, lists);
}

#[test]
fn lists_of_names_are_read_as_postgresql_18_reads_them() {
    majors::run("syntax::lists_of_names_are_read_as_postgresql_18_reads_them", 18, Admin::RdsLike, lists);
}

/// Different texts of a kind. What a server cannot be sent is left out.
fn generated(kind: impl Strategy<Value = String>) -> Vec<String> {
    let mut runner = TestRunner::default();
    let texts = std::iter::repeat_with(|| kind.new_tree(&mut runner).expect("a text").current());
    texts.take(TEXTS).filter(|text| !text.contains('\0')).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the server makes of each text, by a function `pg_temp.read(text)`; null where it refuses.
fn read_by_server(session: &Session, texts: &[String]) -> Vec<Option<String>> {
    let literals: Vec<_> = texts.iter().map(|text| escape_literal(text)).collect();
    let query = format!(
        "SELECT pg_temp.read(text) FROM unnest(ARRAY[{}]::text[]) WITH ORDINALITY t (text, n) ORDER BY n",
        literals.join(", ")
    );
    let rows = session.sql(&query).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rows.len(), texts.len());
    rows.into_iter().map(|row| row[0].clone()).collect()
}

fn durations(server: &Server) {
    let written = "[ \t\n\r\u{b}\u{c}]{0,1}[-+]?(0[xX]|0|0b)?[0-9]{0,7}([.][0-9]{0,5})?([eE][-+]?[0-9]{0,2})?[ \t]?\
                   (us|ms|s|min|h|d|S|m|sec|)[ \n]?";
    let kind = prop_oneof![
        4 => written,
        2 => "[0-9]{1,4}[.][0-9]{1,6}(us|ms|s|min|h|d)",
        1 => "0[0-9]{1,6}(us|ms|s|min|h|d)?",
        1 => "[0-9]{9,25}(us|ms|s)?",
        1 => "0x[0-9a-fA-F.p]{1,8}(us|ms|s|min|h|d)?",
        2 => "[-+0-9xXeE.msuhdin \t\u{a0}_٣]{0,8}",
    ];
    let texts = generated(kind);
    let session = server.session("postgres", SUPERUSER).unwrap();
    session
        .sql(
            "CREATE FUNCTION pg_temp.read(value text) RETURNS text LANGUAGE plpgsql AS $$
             BEGIN
               PERFORM set_config('idle_in_transaction_session_timeout', value, true);
               RETURN (SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout');
             EXCEPTION WHEN invalid_parameter_value THEN
               RETURN NULL;
             END $$",
        )
        .unwrap();
    let (mut read, mut left) = (0, 0);
    for (text, server) in texts.iter().zip(read_by_server(&session, &texts)) {
        let server = server.map(|millis| millis.parse::<i32>().unwrap());
        let ours = Duration::from_catalog(text).map(Duration::as_millis);
        if ours.is_none() && server.is_some() {
            let lower = text.to_lowercase();
            let hexadecimal_fraction = lower.contains("0x") && lower.contains('.');
            assert!(hexadecimal_fraction || lower.contains("0b"), "{text:?} is {server:?} to the server");
            left += 1;
        } else {
            assert_eq!(ours, server, "{text:?}");
        }
        if let Ok(ours) = text.parse::<Duration>() {
            assert_eq!(Some(ours.as_millis()), server, "{text:?}, as a user may write it");
        }
        read += usize::from(server.is_some());
    }
    println!("{} durations on {}: {read} read, {left} of them not by us", texts.len(), server.major);
    assert!(read > texts.len() / 4 && left < read / 10);
}

/// A name of as many bytes is cut, between two characters of the encoding of the database.
const NAMEDATALEN: usize = 64;

/// The characters of names that are tried in every combination of up to three.
const ALPHABET: &str = "aBb\", üÜ";

/// All names whose reading can be told: a server names only schemas that exist.
fn names() -> BTreeSet<String> {
    let longer = |names: &[String]| -> Vec<String> {
        names.iter().flat_map(|name| ALPHABET.chars().map(move |c| format!("{name}{c}"))).collect()
    };
    let one = longer(&[String::new()]);
    let two = longer(&one);
    let three = longer(&two);
    let long = [62, 63].into_iter().flat_map(|bytes| ["x".repeat(bytes), "X".repeat(bytes)]);
    one.into_iter().chain(two).chain(three).chain(long).collect()
}

/// The server's reading shows in which schemas of a list it finds, and in what it refuses.
fn lists(server: &Server) {
    let name = prop_oneof![
        3 => "[aBbüÜ\"]{1,3}",
        3 => "[aBb]{1,3}",
        3 => "[aBb, üÜ]{0,3}".prop_map(|name| format!("\"{name}\"")),
        2 => "([aB]|\"\"){0,3}".prop_map(|name| format!("\"{name}\"")),
        1 => "x{62,66}|X{62,66}|\"x{62,66}\"|\"X{62,66}\"|ü{30,40}",
    ];
    let space = "[ \t\n\r\u{c}]{0,2}";
    let list = prop::collection::vec((space, name, space), 1..5).prop_map(|names| {
        let names: Vec<_> = names.into_iter().map(|(before, name, after)| format!("{before}{name}{after}")).collect();
        names.join(",")
    });
    let texts = generated(prop_oneof![4 => list, 1 => "[aBb\",, üÜ\t\u{b}\u{a0}]{0,8}"]);

    let names = names();
    let database = "syntax_lists";
    server.superuser(&format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'"));
    let session = server.session(database, SUPERUSER).unwrap();
    let literals: Vec<_> = names.iter().map(|name| escape_literal(name)).collect();
    session
        .sql(&format!(
            "DO $$
             DECLARE name text;
             BEGIN
               FOREACH name IN ARRAY ARRAY[{}] LOOP EXECUTE format('CREATE SCHEMA %I', name); END LOOP;
             END $$",
            literals.join(", ")
        ))
        .unwrap();
    session
        .sql(
            "CREATE FUNCTION pg_temp.read(value text) RETURNS text LANGUAGE plpgsql AS $$
             BEGIN
               PERFORM pg_catalog.set_config('search_path', value, true);
               RETURN pg_catalog.array_to_json(pg_catalog.current_schemas(false));
             EXCEPTION WHEN invalid_parameter_value THEN
               RETURN NULL;
             END $$",
        )
        .unwrap();
    let (mut read, mut left) = (0, 0);
    for (text, server) in texts.iter().zip(read_by_server(&session, &texts)) {
        let server: Option<Vec<String>> = server.map(|names| serde_json::from_str(&names).unwrap());
        read += usize::from(server.is_some());
        let Some(ours) = parse_list(text) else {
            let by_encoding = text.contains(['Ü', '\u{b}']) || (text.contains('ü') && text.len() >= NAMEDATALEN);
            assert!(server.is_none() || by_encoding, "{text:?} is {server:?} to the server");
            left += usize::from(server.is_some());
            continue;
        };
        let mut seen = BTreeSet::new();
        let ours: Vec<_> = ours.into_iter().filter(|name| names.contains(name) && seen.insert(name.clone())).collect();
        assert_eq!(Some(ours), server, "{text:?}");
    }
    println!("{} lists on {}: {read} read, {left} of them not by us", texts.len(), server.major);
    assert!(read > texts.len() / 4 && left < read / 2);
    drop(session);
    server.superuser(&format!("DROP DATABASE {database}"));
}

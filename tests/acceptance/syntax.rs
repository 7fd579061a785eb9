//! What reads PostgreSQL's own syntax reads it as PostgreSQL does: thousands of generated texts, each given to
//! a server of the oldest and of the newest major. A reader may answer that it cannot read a text only where the
//! answer depends on the server's build or on the encoding of the database.

use std::collections::BTreeSet;

use pgtenant::postgres::name::parse_list;
use pgtenant::postgres::{Duration, Encoding};
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

#[test]
fn encodings_are_known_as_postgresql_13_knows_them() {
    majors::run("syntax::encodings_are_known_as_postgresql_13_knows_them", 13, Admin::RdsLike, encodings);
}

#[test]
fn encodings_are_known_as_postgresql_18_knows_them() {
    majors::run("syntax::encodings_are_known_as_postgresql_18_knows_them", 18, Admin::RdsLike, encodings);
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

fn encodings(server: &Server) {
    let session = server.session("postgres", SUPERUSER).unwrap();
    session
        .sql(
            "CREATE FUNCTION pg_temp.read(value text) RETURNS text LANGUAGE sql AS
             $$ SELECT NULLIF(pg_encoding_to_char(pg_char_to_encoding(value)), '') $$",
        )
        .unwrap();
    let mut texts = generated(
        "(utf|UTF|latin|Latin|win|windows|cp|iso|ISO|iso_8859|koi8|sjis|euc|Shift|mule|sql|tcvn|vscii|alt|abc|big|gbk)[-_ ]{0,1}(8859|8|jp|JP|cn|kr|tw|jis|internal|ascii|2004|5712|r|u|)[-_ ]{0,1}[0-9]{0,4}",
    );
    let names = "abc alt big5 euccn eucjis2004 eucjp euckr euctw gb18030 gbk iso88591 iso885910 iso885913 iso885914 iso885915 \
                 iso885916 iso88592 iso88593 iso88594 iso88595 iso88596 iso88597 iso88598 iso88599 johab koi8 koi8r koi8u \
                 latin1 latin10 latin2 latin3 latin4 latin5 latin6 latin7 latin8 latin9 mskanji muleinternal shiftjis \
                 shiftjis2004 sjis sqlascii tcvn tcvn5712 uhc unicode utf8 vscii win win1250 win1251 win1252 win1253 win1254 \
                 win1255 win1256 win1257 win1258 win866 win874 win932 win936 win949 win950 windows1250 windows1251 windows1252 \
                 windows1253 windows1254 windows1255 windows1256 windows1257 windows1258 windows866 windows874 windows932 \
                 windows936 windows949 windows950";
    texts.extend(names.split_whitespace().map(str::to_owned));
    for (text, server) in texts.iter().zip(read_by_server(&session, &texts)) {
        assert_eq!(Encoding::parse(text).map(Encoding::name), server.as_deref(), "{text:?}");
    }
    for (number, encoding) in Encoding::OF_DATABASES.into_iter().enumerate() {
        let name = session.sql(&format!("SELECT pg_encoding_to_char({number})")).unwrap()[0][0].clone();
        assert_eq!(name.as_deref(), Some(encoding.name()));
        if server.major >= 15 {
            let locale = "LOCALE_PROVIDER icu ICU_LOCALE 'de' LC_COLLATE 'C' LC_CTYPE 'C'";
            let made =
                session.sql(&format!("CREATE DATABASE encoded TEMPLATE template0 ENCODING '{encoding}' {locale}"));
            assert_eq!(made.is_ok(), encoding.is_known_to_icu(), "{encoding}");
            let _ = session.sql("DROP DATABASE encoded");
        }
    }
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

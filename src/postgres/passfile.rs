//! libpq's password file: which password is for which server, database and role. The text is read elsewhere.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use super::Secret;
use super::connect::Host;

/// The lines of a password file.
#[derive(Clone, Debug, Default)]
pub struct Passfile(Vec<Line>);

#[derive(Clone, Debug)]
struct Line {
    /// Host, port, database and role; `None` for all of them.
    matches: [Option<String>; 4],
    password: Secret,
}

impl Passfile {
    /// `host:port:database:role:password` in each line. A backslash takes its meaning from a colon or a backslash after it, `*`
    /// stands for anything, and what begins with `#` is a comment. A line with fewer parts says nothing.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Passfile(lines.filter_map(Line::parse).collect())
    }

    /// The password of the first line that fits.
    pub fn password(&self, host: &Host, database: &str, role: &str) -> Option<&Secret> {
        let port = host.port.to_string();
        let wanted = [host.name.as_str(), &port, database, role];
        let fits = |line: &&Line| {
            line.matches.iter().zip(wanted).all(|(pattern, wanted)| pattern.as_ref().is_none_or(|text| text == wanted))
        };
        self.0.iter().find(fits).map(|line| &line.password)
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = vec![String::new()];
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                // Of the password the rest of the line is a part.
                ':' if parts.len() < 5 => parts.push(String::new()),
                '\\' => parts.last_mut()?.extend(chars.next()),
                c => parts.last_mut()?.push(c),
            }
        }
        let [host, port, database, role, password] = <[String; 5]>::try_from(parts).ok()?;
        let matches = [host, port, database, role].map(|text| Some(text).filter(|text| text != "*"));
        Some(Line { matches, password: Secret::new(password) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = Passfile::parse(
            "# host:port:database:role:password\n\
             db:5432:postgres:admin:first\n\
             db:*:*:admin:any\\:database:of\\\\it\n\
             too:few:parts\n\
             fe80\\:\\:1:5432:*:*:six\n\
             *:*:*:other:\n",
        );
        let find = |name: &str, port, database: &str, role: &str| {
            let host = Host { name: name.to_owned(), address: None, port };
            file.password(&host, database, role).map(|password| password.expose().to_owned())
        };
        assert_eq!(find("db", 5432, "postgres", "admin").as_deref(), Some("first"));
        assert_eq!(find("db", 5432, "acme", "admin").as_deref(), Some("any:database:of\\it"));
        assert_eq!(find("fe80::1", 5432, "acme", "x").as_deref(), Some("six"));
        assert_eq!(find("db", 1, "x", "other").as_deref(), Some(""));
        assert_eq!(find("elsewhere", 5432, "postgres", "admin"), None);
    }
}

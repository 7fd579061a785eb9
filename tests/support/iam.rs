//! A stand-in for what RDS does with a token of IAM: PostgreSQL asks it by LDAP whether what a login showed is good. It computes the
//! signature for itself, and remembers what it was shown.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};

pub const KEY_ID: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub const REGION: &str = "eu-central-1";

pub struct TokenJudge {
    pub port: u16,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Default)]
struct Shown {
    good: BTreeSet<String>,
    /// Why others were refused.
    refused: Vec<String>,
}

/// What a token must be for.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `host:port`
    pub server: String,
    pub role: &'static str,
    /// Signed with these temporary credentials: key, secret and session.
    pub session: Option<[&'static str; 3]>,
    pub lifetime: Duration,
    pub thinks: Duration,
}

impl TokenJudge {
    pub fn start(expected: Expected) -> io::Result<TokenJudge> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shown = Arc::<Mutex<Shown>>::default();
        let record = Arc::clone(&shown);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (expected, record) = (expected.clone(), Arc::clone(&record));
                // A client that breaks off has shown nothing.
                std::thread::spawn(move || judge(client, &expected, &record));
            }
        });
        Ok(TokenJudge { port, shown })
    }

    /// How many different tokens were good: those of one second are the same.
    pub fn good(&self) -> usize {
        self.shown.lock().expect("no panic while held").good.len()
    }

    pub fn refused(&self) -> Vec<String> {
        self.shown.lock().expect("no panic while held").refused.clone()
    }
}

/// Answers the bind of one client ([RFC 4511](https://www.rfc-editor.org/rfc/rfc4511#section-4.2)).
fn judge(mut client: TcpStream, expected: &Expected, shown: &Mutex<Shown>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let message = element(&mut client)?;
    let mut rest = message.as_slice();
    let id = element(&mut rest)?;
    let mut bind = &element(&mut rest)?[..];
    let (_version, _name) = (element(&mut bind)?, element(&mut bind)?);
    std::thread::sleep(expected.thinks);
    let token = String::from_utf8_lossy(&element(&mut bind)?).into_owned();
    let good = {
        let mut shown = shown.lock().expect("no panic while held");
        match expected.check(&token) {
            Ok(()) => {
                shown.good.insert(token);
                true
            }
            Err(why) => {
                shown.refused.push(why);
                false
            }
        }
    };
    const INVALID_CREDENTIALS: u8 = 49;
    let result = [0x0a, 1, if good { 0 } else { INVALID_CREDENTIALS }, 0x04, 0, 0x04, 0];
    let bound = [&[0x61, result.len() as u8][..], &result].concat();
    let answer = [&[0x02, id.len() as u8][..], &id, &bound].concat();
    client.write_all(&[&[0x30, answer.len() as u8][..], &answer].concat())?;
    // Until the client has read it and goes.
    client.read_to_end(&mut Vec::new()).map(drop)
}

/// The content of the next element, whatever its tag.
fn element(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut byte = || -> io::Result<u8> {
        let mut one = [0];
        from.read_exact(&mut one)?;
        Ok(one[0])
    };
    let _tag = byte()?;
    let first = byte()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        length = 0;
        for _ in 0..first & 0x7f {
            length = length << 8 | usize::from(byte()?);
        }
    }
    let mut content = vec![0; length.min(65_536)];
    from.read_exact(&mut content)?;
    Ok(content)
}

impl Expected {
    /// By AWS Signature Version 4, computed once more.
    fn check(&self, token: &str) -> Result<(), String> {
        let (server, query) = token.split_once("/?").ok_or_else(|| format!("it is no token: {token:?}"))?;
        let mut signature = None;
        let mut parameters = Vec::new();
        for parameter in query.split('&') {
            match parameter.strip_prefix("X-Amz-Signature=") {
                Some(text) => signature = Some(text),
                None => parameters.push(parameter),
            }
        }
        parameters.sort_unstable();
        let value = |name: &str| {
            let found = parameters.iter().find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| format!("it has no {name}"))
        };
        let [key_id, secret, session] = self.session.unwrap_or([KEY_ID, SECRET, ""]);
        let at = value("X-Amz-Date")?;
        let (day, scope) = (&at[..8], format!("{}/{REGION}/rds-db/aws4_request", &at[..8]));
        for (name, expected) in [
            ("Action", "connect"),
            ("DBUser", self.role),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &format!("{key_id}/{scope}").replace('/', "%2F")),
            ("X-Amz-Expires", "900"),
            ("X-Amz-SignedHeaders", "host"),
        ] {
            if value(name)? != expected {
                return Err(format!("its {name} is {}", value(name)?));
            }
        }
        if self.session.is_some() && value("X-Amz-Security-Token")? != session {
            return Err("its session is another".to_owned());
        }
        if server != self.server {
            return Err(format!("it is for {server}"));
        }
        let hash = |text: &str| hexadecimal(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let request = format!("GET\n/\n{}\nhost:{server}\n\nhost\n{}", parameters.join("&"), hash(""));
        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hash(&request));
        let sign = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [day, REGION, "rds-db", "aws4_request", &text] {
            key = sign(&key, part);
        }
        if signature != Some(hexadecimal(&key).as_str()) {
            return Err("its signature is another".to_owned());
        }
        let age = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs_f64()
            - seconds(at)?;
        if !(-5.0..self.lifetime.as_secs_f64() + 1.0).contains(&age) {
            return Err(format!("it is {age:.1} s old"));
        }
        Ok(())
    }
}

/// Since 1970, of `20260131T120000Z`.
fn seconds(text: &str) -> Result<f64, String> {
    let number =
        |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<i64>().ok()).ok_or("no date");
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    // Days from civil: the year begins in March, so that a leap day is its last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Ok((days * 86_400 + number(9..11)? * 3600 + number(11..13)? * 60 + number(13..15)?) as f64)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

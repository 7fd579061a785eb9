//! libpq's service file: connection parameters by the name of a service. The text is read elsewhere.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>

use std::collections::BTreeMap;

/// The parameters of one service, by libpq's keywords.
pub type Service = BTreeMap<String, String>;

/// The service of that name; `None` if there is none. An error says in which line what is wrong, without its value: that may be a
/// password.
pub fn find(text: &str, name: &str) -> Result<Option<Service>, String> {
    let mut found: Option<Service> = None;
    let mut is_within = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            if found.is_some() {
                // The first of that name counts.
                break;
            }
            is_within = rest.strip_suffix(']') == Some(name);
            found = is_within.then(Service::new);
            continue;
        }
        let Some(service) = found.as_mut().filter(|_| is_within) else { continue };
        let (keyword, value) = line.split_once('=').ok_or_else(|| format!("line {number} is no `keyword=value`"))?;
        if keyword == "service" {
            return Err(format!("line {number} names another service, which libpq does not follow either"));
        }
        service.entry(keyword.to_owned()).or_insert_with(|| value.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[lab]\nhost=db\n port=5433\npassword=a=b c\n\n[other]\nhost=elsewhere\n[broken]\nhost\n[lab]\nhost=no\n";

    #[test]
    fn a_service_is_what_stands_below_its_name() {
        let lab: Service = [("host", "db"), ("port", "5433"), ("password", "a=b c")]
            .map(|(keyword, value)| (keyword.to_owned(), value.to_owned()))
            .into();
        assert_eq!(find(FILE, "lab"), Ok(Some(lab)));
        assert_eq!(find(FILE, "other").unwrap().unwrap()["host"], "elsewhere");
        assert_eq!(find(FILE, "none"), Ok(None));
        assert_eq!(find("[empty]", "empty"), Ok(Some(Service::new())));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        assert_eq!(find(FILE, "broken"), Err("line 10 is no `keyword=value`".to_owned()));
        assert!(find("[a]\nservice=b", "a").is_err_and(|said| said.contains("line 2")));
    }
}

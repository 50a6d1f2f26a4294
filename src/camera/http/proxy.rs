//! Proxies that the environment names.

use url::Url;

use crate::camera::http::address::is_loopback;

/// Kinds of proxies that are known.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A variable of the environment that names a proxy, and the kind that it names, which is none that
/// is known: requests go without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredProxy {
    /// The variable.
    pub variable: &'static str,
    /// What stands before `://`; empty where the whole value cannot be read.
    pub scheme: String,
}

/// Those that the environment names for requests to `base`.
pub fn ignored_proxies(base: &Url) -> Vec<IgnoredProxy> {
    if is_loopback(base) {
        return Vec::new();
    }
    of_variables(base, |name| std::env::var(name).ok())
}

fn of_variables(base: &Url, get: impl Fn(&str) -> Option<String>) -> Vec<IgnoredProxy> {
    let own = match base.scheme() {
        "https" => ["https_proxy", "HTTPS_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY"],
    };
    let variables = own.into_iter().chain(["all_proxy", "ALL_PROXY"]);
    let ignored = variables.filter_map(|variable| {
        let value = get(variable).filter(|value| !value.is_empty())?;
        let scheme = value.split_once("://").map_or("http", |(scheme, _)| scheme);
        let scheme = scheme.to_ascii_lowercase();
        let uri = value.parse::<http::Uri>().ok();
        let is_read = uri.is_some_and(|uri| uri.authority().is_some());
        let known = SCHEMES.contains(&scheme.as_str());
        match (known, is_read) {
            (true, true) => None,
            (true, false) => Some(IgnoredProxy { variable, scheme: String::new() }),
            (false, _) => Some(IgnoredProxy { variable, scheme }),
        }
    });
    ignored.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_of_no_known_kind_are_named() {
        let base: Url = "http://camera.example/".parse().unwrap();
        let ignored = |variable: &str, value: &str| {
            let found = of_variables(&base, |name| (name == variable).then(|| value.to_owned()));
            found.into_iter().map(|one| one.scheme).collect::<Vec<_>>()
        };
        for known in ["", "proxy:3128", "http://u:p@proxy:3128/", "SOCKS5h://proxy", "10.0.0.1"] {
            assert_eq!(ignored("http_proxy", known), Vec::<String>::new(), "{known}");
        }
        assert_eq!(ignored("http_proxy", "ftp://u:secret@proxy:21"), ["ftp"]);
        assert_eq!(ignored("ALL_PROXY", "socks://proxy:1080"), ["socks"]);
        assert_eq!(ignored("all_proxy", "http://a b/"), [""]);
        // It is not for this address.
        assert_eq!(ignored("https_proxy", "ftp://proxy"), Vec::<String>::new());
    }
}

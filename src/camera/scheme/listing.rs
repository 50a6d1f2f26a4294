//! Lists of files as web servers show them: Apache, nginx, lighttpd, Caddy, Python's, and the JSON
//! of nginx and Caddy.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;

/// A file or folder of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedEntry {
    /// Its name, without a `/`.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// When it was last written to, where that is said: by some clock, the same in all lists.
    pub written: Option<NaiveDateTime>,
}

/// How lists write a time: nginx and its JSON, Apache, lighttpd, Caddy.
const TIME_FORMS: [&str; 5] = [
    "%d-%b-%Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%b-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
];
/// How long the text beside a link may be in which its time is looked for, in bytes.
const LONGEST_LINE: usize = 400;

#[derive(Deserialize)]
struct JsonEntry {
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    is_dir: bool,
    #[serde(default, alias = "mod_time")]
    mtime: serde_json::Value,
}

/// What the list at `url` holds; none when the answer is no list.
pub fn entries(url: &Url, body: &[u8]) -> Option<Vec<ListedEntry>> {
    if let Ok(entries) = serde_json::from_slice::<Vec<JsonEntry>>(body) {
        let is_empty = entries.is_empty();
        let entries = entries.into_iter().filter_map(|JsonEntry { name, kind, is_dir, mtime }| {
            let is_folder = is_dir || kind == "directory" || name.ends_with('/');
            let name = name.trim_end_matches('/').to_owned();
            let written = mtime.as_str().and_then(time);
            is_plain(&name).then_some(ListedEntry { name, is_folder, written })
        });
        let entries: Vec<_> = entries.collect();
        return (is_empty || !entries.is_empty()).then_some(entries);
    }
    let page = String::from_utf8_lossy(body);
    let lower = page.to_ascii_lowercase();
    if !lower.contains("<html") {
        return None;
    }
    let links: Vec<_> = links(&page, &lower).collect();
    let mut found = BTreeMap::new();
    for (link, beside) in &links {
        if let Some(entry) = entry(url, link) {
            // A picture of its kind may be a link too.
            let written = found.entry(entry).or_insert(None);
            *written = written.or_else(|| time(beside));
        }
    }
    // A server's own page of a folder without anything in it says whose list it is, or leads up or
    // to another order of it; that of a program, or one to log in, does not.
    let is_list = || {
        ["index of", "directory listing"].iter().any(|title| lower.contains(title))
            || links.iter().any(|(link, _)| is_of_a_list(link))
    };
    let entries = found.into_iter().map(|((name, is_folder), written)| ListedEntry {
        name,
        is_folder,
        written,
    });
    let entries: Vec<_> = entries.collect();
    (!entries.is_empty() || is_list()).then_some(entries)
}

/// The first time that is written in a text.
fn time(text: &str) -> Option<NaiveDateTime> {
    let read = |at: usize, form| NaiveDateTime::parse_and_remainder(&text[at..], form).ok();
    let starts = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
    starts
        .take_while(|at| *at < LONGEST_LINE)
        .find_map(|at| TIME_FORMS.iter().find_map(|form| read(at, form)))
        .map(|(time, _)| time)
}

/// Whether a link is one that lists have: to the folder above, or to the list in another order.
fn is_of_a_list(link: &str) -> bool {
    let order = |query: &str| query.starts_with("c=") || query.contains("sort=");
    let link = link.to_ascii_lowercase();
    ["..", "../"].contains(&link.as_str())
        || link.split_once('?').is_some_and(|(_, query)| order(query))
}

/// The targets of the links of a page (`<a href=…>`), each with what follows the link up to the
/// next one; `lower` is the page in lower case.
fn links<'a>(page: &'a str, lower: &'a str) -> impl Iterator<Item = (String, &'a str)> + 'a {
    let mut places = lower.match_indices("href").map(|(at, _)| at).peekable();
    std::iter::from_fn(move || {
        let at = places.next()?;
        Some((at, places.peek().copied().unwrap_or(lower.len())))
    })
    .filter_map(|(at, next)| {
        let tag = lower.get(..at)?.rsplit('<').next()?;
        tag.strip_prefix('a').filter(|rest| rest.starts_with(|c: char| c.is_ascii_whitespace()))?;
        let rest = page.get(at + "href".len()..)?.trim_start().strip_prefix('=')?.trim_start();
        let target = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
            _ => rest.split([' ', '>', '\t', '\n', '\r']).next()?,
        };
        let target = target.replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\"");
        let end = lower.get(at..next)?.find("</a").map_or(next, |end| at + end);
        Some((target, page.get(end..next)?))
    })
}

/// The name that a link of the list at `url` leads to, and whether it is a folder's; none when it
/// leads elsewhere.
fn entry(url: &Url, link: &str) -> Option<(String, bool)> {
    let target = url.join(link).ok()?;
    if target.host_str() != url.host_str() || target.query().is_some() {
        return None;
    }
    let below = target.path().strip_prefix(url.path())?;
    let is_folder = below.ends_with('/');
    let name = percent_decode_str(below.trim_end_matches('/')).decode_utf8().ok()?.into_owned();
    is_plain(&name).then_some((name, is_folder))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(body: &str) -> Option<Vec<String>> {
        let url: Url = "http://cam/images/20240101/".parse().unwrap();
        let entries = entries(&url, body.as_bytes())?;
        let shown = |entry: ListedEntry| {
            format!("{}{}", entry.name, if entry.is_folder { "/" } else { "" })
        };
        Some(entries.into_iter().map(shown).collect())
    }

    #[test]
    fn the_lists_of_known_servers_are_read() {
        let wanted = ["image-20240102031510.jpg", "night/", "with blank.jpg"];
        let apache = "<!DOCTYPE HTML><html><head><title>Index of /images/20240101</title></head>\
            <body><table><tr><th><a href=\"?C=N;O=D\">Name</a></th></tr><tr><td>\
            <a href=\"/images/\">Parent Directory</a></td></tr><tr><td>\
            <a href=\"image-20240102031510.jpg\">image-2024..&gt;</a></td></tr><tr><td>\
            <a href=\"night/\">night/</a></td></tr><tr><td>\
            <a href=\"with%20blank.jpg\">with blank.jpg</a></td></tr></table></body></html>";
        let nginx = "<html>\r\n<head><title>Index of /images/20240101/</title></head>\r\n<body>\r\n\
            <pre><a href=\"../\">../</a>\r\n<a href='night/'>night/</a>  01-Jan-2024\r\n\
            <A HREF=\"/images/20240101/image-20240102031510.jpg\">image</A>\r\n\
            <a href=./with%20blank.jpg>x</a></pre></body></html>";
        for page in [apache, nginx] {
            assert_eq!(names(page).unwrap(), wanted, "{page}");
        }
        let json = r#"[{"name":"image-20240102031510.jpg","type":"file","size":7},
            {"name":"night","type":"directory"},{"name":"../up","type":"file"}]"#;
        assert_eq!(names(json).unwrap(), ["image-20240102031510.jpg", "night/"]);
        let caddy = r#"[{"name":"night/","is_dir":true,"size":1}]"#;
        assert_eq!(names(caddy).unwrap(), ["night/"]);
        assert_eq!(names("[]").unwrap(), [""; 0]);
        for empty in [
            "<html><h1>Index of /images/</h1></html>",
            "<html><title>Directory listing for /</title></html>",
            "<html><a href=\"../\">../</a></html>",
            "<html><a href=\"./?sort=name&order=desc\">Name</a></html>",
        ] {
            assert_eq!(names(empty).unwrap(), [""; 0], "{empty}");
        }
    }

    #[test]
    fn lists_say_when_their_files_were_written() {
        let line =
            |after: &str| format!("<html><a href=\"a.jpg\">2020-01-01 00:00</a>{after}</html>");
        for (page, wanted) in [
            (line("   02-Jan-2024 03:15     1234\r\n"), Some("2024-01-02 03:15:00")),
            (line("</td><td align=\"right\">2024-01-02 03:15  </td>"), Some("2024-01-02 03:15:00")),
            (line("</td><td class=\"m\">2024-Jan-02 03:15:10</td>"), Some("2024-01-02 03:15:10")),
            (line(" <time datetime=\"2024-01-02T03:15:10Z\">"), Some("2024-01-02 03:15:10")),
            (line(" 17 files <a href=\"../\">up</a> 02-Jan-2024 03:15"), None),
            (line(""), None),
            (
                r#"[{"name":"a.jpg","type":"file","mtime":"Tue, 02 Jan 2024 03:15:10 GMT"}]"#
                    .to_owned(),
                Some("2024-01-02 03:15:10"),
            ),
            (
                r#"[{"name":"a.jpg","is_dir":false,"mod_time":"2024-01-02T03:15:10.7Z"}]"#
                    .to_owned(),
                Some("2024-01-02 03:15:10"),
            ),
            (r#"[{"name":"a.jpg","mtime":1704165310}]"#.to_owned(), None),
            (r#"[{"name":"a.jpg"}]"#.to_owned(), None),
        ] {
            let url: Url = "http://cam/images/".parse().unwrap();
            let entries = entries(&url, page.as_bytes()).unwrap();
            let written = entries[0].written.map(|time| time.to_string());
            assert_eq!((entries.len(), written.as_deref()), (1, wanted), "{page}");
        }
        // A picture of its kind leads to it too.
        let icon = "<html><a href=\"a.jpg\"><img></a> <a href=\"a.jpg\">a</a> 2024-01-02 03:15";
        let url: Url = "http://cam/images/".parse().unwrap();
        let entries = entries(&url, icon.as_bytes()).unwrap();
        assert_eq!((entries.len(), entries[0].written.is_some()), (1, true));
    }

    #[test]
    fn what_leads_elsewhere_is_no_entry_and_a_page_without_links_no_list() {
        let page = "<html><a href=\"../\">up</a>\
            <a href=\"http://other/images/20240101/a.jpg\">a</a>\
            <a href=\"deeper/than/one.jpg\">b</a><a href=\"../20240102/c.jpg\">c</a>\
            <a href=\"..%2f..%2fetc\">d</a><a href=\"\">e</a></html>";
        assert_eq!(names(page).unwrap(), [""; 0]);
        let of_a_program = "<html><link href=\"style.css\"><a href=\"/\">Home</a>\
            <script src=app.js></script><div id=files></div></html>";
        for other in [
            "",
            "404",
            "{\"error\":1}",
            "{\"files\":[{\"name\":\"a.jpg\"}]}",
            "[\"a.jpg\"]",
            "[{\"name\":\"/images/20240101/a.jpg\"}]",
            "\u{fffd}\u{fffd}",
            "<html>no list</html>",
            of_a_program,
        ] {
            assert_eq!(names(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0usize..300,
        ) {
            let url: Url = "http://cam/images/".parse().unwrap();
            let _ = entries(&url, &body);
            let page = "<html><a href=\"é.jpg\">é</a> href = 'x' HREF= href";
            let _ = entries(&url, &page.as_bytes()[..cut.min(page.len())]);
        }
    }
}

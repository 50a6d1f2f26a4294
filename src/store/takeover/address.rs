//! The name of a picture in the address under which the replaced system kept it.

use celaje_sky::slot::Slot;

/// Extensions of the pictures that it read, in lower case.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The file name of the picture at `address`, a URL or a path.
///
/// It is `<YYYY>-<MMDDHHmm>.jpg` where the last part of the path, or a part of the query, names a
/// moment, whatever the picture's extension. Otherwise it is the last part of the path as it is;
/// none where there is none. Spaces around the address and what follows a `#` are no part of it.
pub(super) fn picture_name(address: &str) -> Option<String> {
    let address = address.trim().replace('\\', "/");
    let address = address.split('#').next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let last = last_part(path);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let in_query = pairs.flat_map(|(name, value)| [value, name]);
    slot_name(last)
        .or_else(|| in_query.filter_map(|text| slot_name(last_part(&text))).next())
        .or_else(|| (!last.is_empty()).then(|| last.to_owned()))
}

fn last_part(path: &str) -> &str {
    path.trim().rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The name of a slot's picture, with the extension that the record gives it.
fn slot_name(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let name = EXTENSIONS.contains(&extension.as_str()).then(|| format!("{stem}.jpg"))?;
    Slot::parse_file_name(&name).map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_wherever_the_address_has_it() {
        for address in [
            "http://h/allsky/2025-10271342.jpg",
            "http://h/2025-10271342.jpg?ts=17",
            "http://h/2025-10271342.jpg#t",
            "http://h/2025-10271342.jpg#t=5/x.jpg",
            "http://h/2025-10271342.jpg?ts=17#t",
            "http://h/2025-10271342.jpg ",
            "\t http://h/2025-10271342.JPEG\n",
            "http://h/get.php?file=2025-10271342.jpg",
            "http://h/get.php?t=1&file=%2Ffotos%2F2025-10271342.png&x=",
            "http://h/get?2025-10271342.jpg",
            "http://h/latest.jpg?of=2025-10271342.jpg#top",
            "file:///fotos/a b/2025-10271342.JPG",
            "C:\\fotos\\2025-10271342.png",
            "2025-10271342.jpg",
        ] {
            assert_eq!(picture_name(address).as_deref(), Some("2025-10271342.jpg"), "{address}");
        }
        for (address, name) in [
            ("http://h/latest.jpg?ts=1", Some("latest.jpg")),
            ("http://h/2025-13991442.jpg", Some("2025-13991442.jpg")),
            ("http://h/2025-10271342.gif", Some("2025-10271342.gif")),
            ("http://h/fotos/", None),
            ("  ", None),
            ("", None),
        ] {
            assert_eq!(picture_name(address).as_deref(), name, "{address}");
        }
    }
}

//! User and password for a camera: HTTP's Basic scheme, and Digest once the camera asks for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http_auth::basic::encode_credentials;
use http_auth::digest::Algorithm;
use http_auth::{DigestClient, PasswordClient, PasswordParams};
use md5::{Digest as _, Md5};
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use sha2::{Digest as _, Sha256, Sha512_256};
use url::Url;

/// The user of an address, with the state of its digests.
pub(super) struct Login {
    user: String,
    password: String,
    /// Whether the password is given in no other way than as a digest.
    only_digest: bool,
    /// What the camera asked for last; it counts the requests made with its nonce.
    digest: Mutex<Option<Challenge>>,
}

/// What a camera asks for.
struct Challenge {
    client: DigestClient,
    /// Its realm, where that is not ASCII: the crate knows none of those.
    realm: Option<Vec<u8>>,
}

impl Login {
    /// That of `url`, if it names a user.
    pub(super) fn of(url: &Url, only_digest: bool) -> Option<Self> {
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let named = !user.is_empty() || !password.is_empty();
        named.then(|| Self {
            user: plain(user),
            password: plain(password),
            only_digest,
            digest: Mutex::default(),
        })
    }

    /// The value of `Authorization` for a GET of `url`.
    pub(super) fn authorization(&self, url: &Url) -> Option<HeaderValue> {
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match digest.as_mut() {
            Some(challenge) => {
                let uri = &url[url::Position::BeforePath..url::Position::AfterQuery];
                challenge.respond(&self.user, &self.password, uri)?
            }
            // The camera asks, and then it is one.
            None if self.only_digest => return None,
            None => encode_credentials(&self.user, &self.password).into_bytes(),
        };
        let mut value = HeaderValue::from_bytes(&value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Takes up the digest that an answer of 401 asks for; false when it asks for none.
    pub(super) fn takes_up(&self, headers: &HeaderMap) -> bool {
        let asked = headers.get_all(WWW_AUTHENTICATE).into_iter().map(HeaderValue::as_bytes);
        let Some(challenge) = asked.flat_map(digests).find_map(Challenge::of) else { return false };
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge);
        true
    }
}

/// The parameters of a digest challenge: the name in lower case, and the value as it would stand
/// between quotes.
type DigestParameters = BTreeMap<String, Vec<u8>>;

/// The digest challenges of a header, as browsers and curl read them: blanks around `=`, values
/// without quotes, with blanks in them or without a comma behind their quotes.
fn digests(header: &[u8]) -> Vec<DigestParameters> {
    let mut found = Vec::new();
    let mut is_digest = false;
    let mut rest = header;
    loop {
        let is_between = |b: &u8| b.is_ascii_whitespace() || b",=\"".contains(b);
        rest = &rest[rest.iter().take_while(|b| is_between(b)).count()..];
        let name = rest.iter().take_while(|b| !is_between(b)).count();
        if name == 0 {
            return found;
        }
        let (name, after) = rest.split_at(name);
        let name = String::from_utf8_lossy(name).to_lowercase();
        let Some(value) = after.trim_ascii_start().strip_prefix(b"=") else {
            is_digest = name == "digest";
            if is_digest {
                found.push(DigestParameters::new());
            }
            rest = after;
            continue;
        };
        let (value, after) = parameter_value(value.trim_ascii_start());
        if is_digest && let Some(digest) = found.last_mut() {
            digest.entry(name).or_insert(value);
        }
        rest = after;
    }
}

/// A parameter's value, as it would stand between quotes, and what follows it.
fn parameter_value(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|&b| b == b',').unwrap_or(bytes.len());
        let value = bytes[..end].trim_ascii().iter();
        let escaped =
            value.flat_map(|&b| [b'\\', b].into_iter().skip(usize::from(b != b'\\' && b != b'"')));
        return (escaped.collect(), &bytes[end..]);
    };
    let mut end = 0;
    while end < quoted.len() && quoted[end] != b'"' {
        end += if quoted[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(quoted.len());
    (quoted[..end].to_vec(), quoted.get(end + 1..).unwrap_or_default())
}

impl Challenge {
    /// That of a digest; none of a kind that is not known.
    fn of(asked: DigestParameters) -> Option<Self> {
        let mut strict = "Digest ".to_owned();
        for (name, value) in &asked {
            // The crate takes no bytes but those of ASCII.
            let plain = |&byte: &u8| if byte.is_ascii() { char::from(byte) } else { '?' };
            let value: String = value.iter().map(plain).collect();
            match name.as_str() {
                // An empty one protects nothing, as where there is none.
                "qop" if value.trim().is_empty() => {}
                "algorithm" => strict += &format!("{name}={}, ", algorithm(&value)),
                _ => strict += &format!("{name}=\"{value}\", "),
            }
        }
        match PasswordClient::builder().challenges(strict.trim_end_matches(", ")).build() {
            Ok(PasswordClient::Digest(client)) => {
                let realm = asked.get("realm").filter(|realm| !realm.is_ascii()).cloned();
                Some(Self { client, realm })
            }
            _ => None,
        }
    }

    /// The value of `Authorization` that answers it.
    fn respond(&mut self, user: &str, password: &str, uri: &str) -> Option<Vec<u8>> {
        // Of two kinds of protection the crate takes plain `auth` where it is given no body. One
        // that it is given it forgets to hash (RFC 7616, 3.4.3); a GET's is empty.
        let hash = hash_of(self.client.algorithm())?(b"");
        let mut answer = [None, Some(hash.as_bytes())].into_iter().filter_map(|body| {
            let params = PasswordParams { username: user, password, uri, method: "GET", body };
            self.client.respond(&params).ok()
        });
        let answer = answer.next()?;
        match &self.realm {
            None => Some(answer.into_bytes()),
            Some(realm) => with_realm(&self.client, &answer, realm, (user, password), uri),
        }
    }
}

/// An algorithm's name as the crate knows it: `MD5-sess` for `md5-Sess`.
fn algorithm(name: &str) -> String {
    name.trim().to_ascii_uppercase().replace("-SESS", "-sess")
}

/// What hashes bytes to hexadecimal digits.
fn hash_of(algorithm: Algorithm) -> Option<fn(&[u8]) -> String> {
    match algorithm {
        Algorithm::Md5 => Some(|bytes| hex(&Md5::digest(bytes))),
        Algorithm::Sha256 => Some(|bytes| hex(&Sha256::digest(bytes))),
        Algorithm::Sha512Trunc256 => Some(|bytes| hex(&Sha512_256::digest(bytes))),
        _ => None,
    }
}

/// The crate's `answer` with this realm in it, and the digest that follows (RFC 7616, 3.4).
fn with_realm(
    client: &DigestClient,
    answer: &str,
    realm: &[u8],
    (user, password): (&str, &str),
    uri: &str,
) -> Option<Vec<u8>> {
    let hash = hash_of(client.algorithm())?;
    let all = |parts: &[&[u8]]| hash(&parts.join(&b':'));
    let of = |name: &str| {
        let value = answer.split_once(&format!(" {name}="))?.1;
        Some(value.split(',').next()?.trim_matches('"'))
    };
    // A backslash stands for the byte behind it.
    let mut plain = Vec::with_capacity(realm.len());
    let mut bytes = realm.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next()? } else { byte });
    }
    let nonce = client.nonce().as_bytes();
    let mut secret = all(&[user.as_bytes(), &plain, password.as_bytes()]);
    if client.session() {
        secret = all(&[secret.as_bytes(), nonce, of("cnonce")?.as_bytes()]);
    }
    let qop = of("qop").unwrap_or_default();
    let body = hash(b"");
    let asked = match qop {
        "auth-int" => all(&[b"GET", uri.as_bytes(), body.as_bytes()]),
        _ => all(&[b"GET", uri.as_bytes()]),
    };
    let response = if client.rfc2069_compat() {
        all(&[secret.as_bytes(), nonce, asked.as_bytes()])
    } else {
        let (nc, cnonce) = (of("nc")?.as_bytes(), of("cnonce")?.as_bytes());
        all(&[secret.as_bytes(), nonce, nc, cnonce, qop.as_bytes(), asked.as_bytes()])
    };
    let answer = answer.replace(of("response")?, &response);
    let (before, after) = answer.split_once(" realm=\"")?;
    let after = after.split_once('"')?.1;
    Some([before.as_bytes(), b" realm=\"", realm, b"\"", after.as_bytes()].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an answer of 401 asks for a scheme that is known here; one that names none may.
pub(super) fn is_known(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(WWW_AUTHENTICATE).into_iter().map(HeaderValue::as_bytes);
    let is_known = |value: &[u8]| {
        String::from_utf8_lossy(value).to_lowercase().contains("basic")
            || digests(value).into_iter().any(|asked| Challenge::of(asked).is_some())
    };
    !headers.contains_key(WWW_AUTHENTICATE) || asked.any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `Authorization` that answers `asked`.
    fn answer(asked: &[u8]) -> Vec<u8> {
        let login = Login::of(&"http://viewer:secret@cam/x.jpg".parse().unwrap(), false).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_bytes(asked).unwrap());
        let shown = String::from_utf8_lossy(asked);
        assert!(is_known(&headers) && login.takes_up(&headers), "{shown}");
        let url = "http://cam/x.jpg?a=1".parse().unwrap();
        login.authorization(&url).unwrap().as_bytes().to_vec()
    }

    fn field(answer: &[u8], name: &str) -> String {
        let answer = String::from_utf8_lossy(answer);
        let value = answer.split_once(&format!(" {name}=")).unwrap().1.to_owned();
        value.split(',').next().unwrap().trim_matches('"').to_owned()
    }

    fn md5(parts: &[&[u8]]) -> String {
        hex(&Md5::digest(parts.join(&b':')))
    }

    /// The hashes of the login in `realm` and of what is asked for.
    fn hashes(realm: &[u8]) -> (String, String) {
        (md5(&[b"viewer", realm, b"secret"]), md5(&[b"GET", b"/x.jpg?a=1"]))
    }

    /// The response that belongs to the login `told`, with the protection `auth`.
    fn protected(realm: &[u8], told: &[u8]) -> String {
        let (secret, asked) = hashes(realm);
        let cnonce = field(told, "cnonce");
        let (secret, cnonce, asked) = (secret.as_bytes(), cnonce.as_bytes(), asked.as_bytes());
        md5(&[secret, b"n", b"00000001", cnonce, b"auth", asked])
    }

    #[test]
    fn a_realm_may_have_any_bytes() {
        for (realm, plain) in [
            (&b"C\xe1mara"[..], &b"C\xe1mara"[..]),
            ("Cámara".as_bytes(), "Cámara".as_bytes()),
            (b"C\xe1m \\\"1\\\"", b"C\xe1m \"1\""),
        ] {
            let rest = b"\", nonce=\"n\", qop=\"auth\", opaque=\"o\"";
            let told = answer(&[b"Digest realm=\"", realm, rest].concat());
            let shown = String::from_utf8_lossy(&told);
            assert!(told.windows(realm.len()).any(|part| part == realm), "{shown}");
            assert_eq!(field(&told, "response"), protected(plain, &told));
            assert_eq!(field(&told, "opaque"), "o");
            // As some cameras still ask, without a kind of protection.
            let told = answer(&[b"Digest realm=\"", realm, b"\", nonce=\"n\""].concat());
            let (secret, asked) = hashes(plain);
            let response = md5(&[secret.as_bytes(), b"n", asked.as_bytes()]);
            assert_eq!(field(&told, "response"), response);
        }
    }

    /// Heads as browsers and curl read them.
    #[test]
    fn a_challenge_may_be_written_oddly() {
        for asked in [
            "Digest realm = \"IP Camera\" , nonce =\"n\", qop= \"auth\", algorithm = MD5",
            "digest realm=IP Camera, nonce=n, qop=auth, algorithm=\"md5\"",
            "Digest realm=\"IP Camera\" nonce=\"n\" qop=\"auth\", stale=FALSE,",
            "Basic realm = \"x\", Digest\trealm=\"IP Camera\",nonce=\"n\",qop=\"auth,auth-int\",",
            "NTLM TlRM==, Digest realm=\"IP Camera\", nonce=\"n\", realm=\"b\", qop=\"auth",
            "Digest realm=\"b\", nonce=\"n\", algorithm=TOKEN, \
             Digest realm=\"IP Camera\", nonce=\"n\", qop=\"auth\"",
        ] {
            let told = answer(asked.as_bytes());
            assert_eq!(field(&told, "response"), protected(b"IP Camera", &told), "{asked}");
            assert_eq!(field(&told, "realm"), "IP Camera");
        }
        let told = answer(b"Digest realm=\"a \\\"b\\\"\", nonce=\"n\", qop=\"\"");
        let secret = md5(&[b"viewer", b"a \"b\"", b"secret"]);
        let target = md5(&[b"GET", b"/x.jpg?a=1"]);
        assert_eq!(field(&told, "response"), md5(&[secret.as_bytes(), b"n", target.as_bytes()]));
    }

    #[test]
    fn what_asks_for_no_digest_is_not_taken_for_one() {
        let login = Login::of(&"http://viewer:secret@cam/x.jpg".parse().unwrap(), false).unwrap();
        for asked in
            ["Basic realm=\"Digest\"", "Digest", "Digest realm=\"a\"", "=\"", "", "Basic a="]
        {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(asked).unwrap());
            assert!(!login.takes_up(&headers), "{asked}");
        }
    }

    #[test]
    fn a_digest_of_an_unknown_kind_is_no_known_login() {
        for (asked, known) in [
            ("Digest realm=\"a\", nonce=\"n\", algorithm=WHIRL", false),
            ("Negotiate", false),
            ("Digest realm=\"a\", nonce=\"n\", algorithm=md5", true),
            ("Negotiate, Basic realm=\"a\"", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(asked).unwrap());
            assert_eq!(is_known(&headers), known, "{asked}");
        }
        assert!(is_known(&HeaderMap::new()));
    }

    #[test]
    fn protection_of_the_body_alone_is_taken() {
        let told = answer(b"Digest realm=\"cam\", nonce=\"n\", qop=\"auth-int\"");
        assert_eq!(field(&told, "qop"), "auth-int");
        let secret = md5(&[b"viewer", b"cam", b"secret"]);
        let asked = md5(&[b"GET", b"/x.jpg?a=1", hex(&Md5::digest(b"")).as_bytes()]);
        let cnonce = field(&told, "cnonce");
        let parts: [&[u8]; 6] = [
            secret.as_bytes(),
            b"n",
            b"00000001",
            cnonce.as_bytes(),
            b"auth-int",
            asked.as_bytes(),
        ];
        assert_eq!(field(&told, "response"), md5(&parts));
    }
}

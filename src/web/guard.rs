//! Checks every request (its host, the length of its address) and sets the security headers of
//! every response.

use std::net::{IpAddr, SocketAddr};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Version};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use crate::web::base::{self, BasePath};
use crate::web::origins::Origins;
use crate::web::problem::{self, Problem, ProblemCode, shortened};
use crate::web::{badge, legacy};
use celaje_sky::say;

/// Most bytes of an address (path and query).
pub const LONGEST_ADDRESS: usize = 8 * 1024;

/// A page may load from this server only, and contains no script or style itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The host names of this server. A request for another name may come from a page whose name was
/// pointed at this machine's address (DNS rebinding).
#[derive(Clone, Debug)]
pub struct Hosts {
    listen: IpAddr,
    named: Vec<String>,
}

impl Hosts {
    /// Loopback, the address that the server listens on (any address if it listens on all), and the
    /// names in `named`.
    pub fn new(listen: SocketAddr, named: &[String]) -> Self {
        Self { listen: listen.ip(), named: named.iter().map(|name| plain(name)).collect() }
    }

    /// Whether `host`, the value of a `Host` header, is one of them.
    pub fn allow(&self, host: &str) -> bool {
        let name = plain(without_port(host));
        if name == "localhost" || name.ends_with(".localhost") || self.named.contains(&name) {
            return true;
        }
        // An address cannot be rebound.
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == self.listen || self.listen.is_unspecified())
    }
}

fn plain(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// What an address of the server answers to.
pub struct AccessRules {
    /// Names that it is asked by; any where there are none.
    pub hosts: Option<Hosts>,
    /// Origins that may read the paths of the replaced system.
    pub origins: Origins,
    /// The path under which a proxy shows it.
    pub base: BasePath,
}

/// The middleware: refuses requests for other hosts, and hardens every response.
pub async fn guard(
    access: web::Data<AccessRules>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(mut led) = access.base.enter(&mut request) {
        harden(&mut led);
        return Ok(request.into_response(led));
    }
    let path = request.path().to_owned();
    let mut response = answer(&access, request, next).await?;
    base::make_relative(&path, response.headers_mut());
    Ok(response)
}

/// The outermost middleware: a client of HTTP/1.0 knows no chunks (RFC 9112, 6.1), the end of the
/// connection is the end of its answer.
pub async fn without_chunks<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let knows_chunks = request.version() >= Version::HTTP_11;
    let mut response = next.call(request).await?;
    if !knows_chunks {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

async fn answer(
    access: &AccessRules,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let lang = problem::language(request.headers());
    let is_open = legacy::is_at(request.path());
    // On an address that any host name leads to there is nothing but their paths.
    let is_legacy = is_open || access.hosts.is_none();
    let render = |problem: &Problem| match is_legacy {
        true => problem.render_detail(),
        false => problem.render(lang),
    };
    if let Err(problem) = check(access.hosts.as_ref(), &request) {
        let mut response = render(&problem);
        harden(&mut response);
        return Ok(request.into_response(response));
    }
    let asked = request.headers().get(header::ORIGIN).cloned();
    let origins = &access.origins;
    if is_open && origins.answers(request.method(), request.headers()) {
        let mut permitted = HttpResponse::NoContent().finish();
        harden(&mut permitted);
        origins.open(asked.as_ref(), permitted.headers_mut());
        origins.permit(request.headers(), permitted.headers_mut());
        return Ok(request.into_response(permitted));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    if let Some(problem) = problem_of(&response) {
        response = response.into_response(render(&problem));
    }
    let is_embedded = badge::is_at(response.request().path()) && response.status().is_success();
    harden(response.response_mut());
    if is_embedded {
        embed(response.response_mut());
    }
    if is_open {
        let headers = response.response_mut().headers_mut();
        origins.open(asked.as_ref(), headers);
    }
    Ok(response)
}

fn check(hosts: Option<&Hosts>, request: &ServiceRequest) -> Result<(), Problem> {
    let length = request.uri().path_and_query().map_or(0, |at| at.as_str().len());
    if length > LONGEST_ADDRESS {
        return Err(Problem::new(
            ProblemCode::AddressTooLong,
            say!(
                "the address has {length} bytes; no more than {LONGEST_ADDRESS} are read",
                "la dirección tiene {length} bytes; no se leen más de {LONGEST_ADDRESS}"
            ),
        ));
    }
    let Some(hosts) = hosts else {
        return Ok(());
    };
    let mut named = request.headers().get_all(header::HOST);
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok(),
        // A browser always names one; clients of HTTP/1.0 need not.
        (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
        (None, _) => request.uri().authority().map(|authority| authority.as_str()),
        (Some(_), Some(_)) => None,
    };
    match host {
        Some(host) if hosts.allow(host) => Ok(()),
        host => {
            let host = shortened(host.unwrap_or_default());
            Err(Problem::new(
                ProblemCode::WrongHost,
                say!(
                    "this server does not answer to the name '{host}'; start it with --host NAME \
                     to add it",
                    "este servidor no responde al nombre '{host}'; inícielo con --host NOMBRE para \
                     agregarlo"
                ),
            )
            .of("Host"))
        }
    }
}

/// The problem behind an answer; none when there is no problem, or it is told already.
fn problem_of(response: &ServiceResponse<BoxBody>) -> Option<Problem> {
    let status = response.status();
    if let Some(error) = response.response().error() {
        let problem = error.as_error::<Problem>().cloned();
        return Some(problem.unwrap_or_else(|| Problem::of_framework(status, &error.to_string())));
    }
    (status.is_client_error() && response.headers().get(header::CONTENT_TYPE).is_none())
        .then(|| Problem::of_framework(status, ""))
}

/// Lets pages of other servers show an answer.
fn embed<B>(response: &mut HttpResponse<B>) {
    let headers = response.headers_mut();
    headers.remove(header::X_FRAME_OPTIONS);
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors *");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let shared = HeaderValue::from_static("cross-origin");
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), shared);
}

fn harden<B>(response: &mut HttpResponse<B>) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_answered() {
        let hosts = Hosts::new("127.0.0.1:8080".parse().unwrap(), &["Cielo.example.".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "cielo.example:443",
            "a.localhost:1",
        ] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.9",
            "10.0.0.1:8080",
            "localhost:80:80",
            "localhost@evil.example",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
        let everywhere = Hosts::new("0.0.0.0:80".parse().unwrap(), &[]);
        assert!(everywhere.allow("192.168.1.9:80") && !everywhere.allow("evil.example"));
    }
}

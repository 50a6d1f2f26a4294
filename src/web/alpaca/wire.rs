//! Requests and answers of Alpaca as they are written.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::Value;

/// Numbers of errors that every device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorNumber {
    NotImplemented = 0x400,
    InvalidValue = 0x401,
    NotConnected = 0x407,
    InvalidOperation = 0x40B,
}

/// Why a device does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceError {
    number: ErrorNumber,
    message: String,
}

impl DeviceError {
    pub(super) fn new(number: ErrorNumber, message: &str) -> Self {
        Self { number, message: message.to_owned() }
    }
}

/// What the server doesn't understand about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misunderstood {
    Path,
    Method,
    Request,
}

/// A request that no device answers; it is answered in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotUnderstood(pub(super) Misunderstood, pub(super) String);

impl NotUnderstood {
    pub(super) fn request(why: &str) -> Self {
        Self(Misunderstood::Request, format!("Not understood: {why}.\n"))
    }

    pub(super) fn method(why: &str) -> Self {
        Self(Misunderstood::Method, format!("Not understood: {why}.\n"))
    }

    pub(super) fn path() -> Self {
        Self(Misunderstood::Path, "There is nothing at this address.\n".to_owned())
    }
}

/// What a device answers: a value, nothing, or an error.
pub(super) type DeviceAnswer = Result<Option<Value>, DeviceError>;

/// The parameters of a request.
pub(super) struct AlpacaRequest {
    fields: Vec<(String, String)>,
    /// Names count as they are written: in a body, not in a query.
    is_exact: bool,
}

impl AlpacaRequest {
    pub(super) fn of_query(query: &str) -> Self {
        Self { fields: read(query.as_bytes()), is_exact: false }
    }

    pub(super) fn of_body(body: &[u8]) -> Self {
        Self { fields: read(body), is_exact: true }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let is_it = |known: &str| match self.is_exact {
            true => known == name,
            false => known.eq_ignore_ascii_case(name),
        };
        self.fields.iter().find(|(known, _)| is_it(known)).map(|(_, value)| value.as_str())
    }

    /// A parameter that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, NotUnderstood> {
        self.get(name)
            .ok_or_else(|| NotUnderstood::request(&format!("the parameter {name} is missing")))
    }

    /// `true` or `false`, in any case.
    pub(super) fn boolean(&self, name: &str) -> Result<bool, NotUnderstood> {
        match self.needed(name)?.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(NotUnderstood::request(&format!("{name} is true or false"))),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<f64, NotUnderstood> {
        let value = self.needed(name)?.trim().parse::<f64>();
        value.map_err(|_| NotUnderstood::request(&format!("{name} is a number")))
    }

    /// 0 where it is missing or no number of 32 bits.
    pub(super) fn id(&self, name: &str) -> u32 {
        self.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

fn read(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).map(|(name, value)| (name.into(), value.into())).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(rename = "ClientTransactionID")]
    client_transaction: u32,
    #[serde(rename = "ServerTransactionID")]
    server_transaction: u32,
    error_number: u32,
    error_message: String,
}

/// The answer to `asked`, as the request number `transaction` of the server.
pub(super) fn reply(answer: DeviceAnswer, asked: &AlpacaRequest, transaction: u32) -> HttpResponse {
    let (value, error_number, error_message) = match answer {
        Ok(value) => (value, 0, String::new()),
        Err(error) => (None, error.number as u32, error.message),
    };
    HttpResponse::Ok().json(Envelope {
        value,
        client_transaction: asked.id("ClientTransactionID"),
        server_transaction: transaction,
        error_number,
        error_message,
    })
}

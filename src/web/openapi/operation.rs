//! What the description says of a method of a path.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::web::problem::ProblemCode;
use crate::web::query::{NONE, Parameter};

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The parts of the description, in their order on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Record,
    Pictures,
    Labels,
    Charts,
    Program,
    ReplacedSystem,
    Monitoring,
    Page,
}

impl Tag {
    pub(crate) const ALL: [Self; 8] = [
        Self::Record,
        Self::Pictures,
        Self::Labels,
        Self::Charts,
        Self::Program,
        Self::ReplacedSystem,
        Self::Monitoring,
        Self::Page,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Pictures => "pictures",
            Self::Labels => "labels",
            Self::Charts => "charts",
            Self::Program => "program",
            Self::ReplacedSystem => "replaced system",
            Self::Monitoring => "monitoring",
            Self::Page => "dashboard",
        }
    }

    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Record => "The record",
            Self::Pictures => "Pictures of the camera",
            Self::Labels => "Labels, and how right the readings are",
            Self::Charts => "Charts",
            Self::Program => "The program and its backfills",
            Self::ReplacedSystem => "Paths of the replaced system",
            Self::Monitoring => "Monitoring",
            Self::Page => "The dashboard and this description",
        }
    }
}

/// An answer that is no problem.
#[derive(Clone, Debug)]
pub(crate) struct DescribedAnswer {
    pub(crate) status: u16,
    pub(crate) meaning: &'static str,
    /// Media types, with the schema of those that are JSON.
    pub(crate) contents: Vec<(&'static str, Option<SchemaOf>)>,
}

/// A method of a path: what it takes and what it answers.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) tag: Tag,
    pub(crate) summary: &'static str,
    pub(crate) details: Option<&'static str>,
    pub(crate) query: &'static [Parameter],
    /// Parts of the path that only this operation has.
    pub(crate) parts: Vec<Parameter>,
    pub(crate) headers: Vec<Parameter>,
    /// The schema and an example of a JSON body.
    pub(crate) body: Option<(SchemaOf, &'static str)>,
    pub(crate) needs_token: bool,
    pub(crate) answers: Vec<DescribedAnswer>,
    pub(crate) problems: Vec<ProblemCode>,
}

impl Operation {
    /// With the problems that every address has.
    pub(crate) fn new(tag: Tag, summary: &'static str) -> Self {
        use ProblemCode::{AddressTooLong, Internal, WrongHost};
        Self {
            tag,
            summary,
            details: None,
            query: NONE,
            parts: Vec::new(),
            headers: Vec::new(),
            body: None,
            needs_token: false,
            answers: Vec::new(),
            problems: vec![AddressTooLong, WrongHost, Internal],
        }
    }

    pub(crate) fn details(self, details: &'static str) -> Self {
        Self { details: Some(details), ..self }
    }

    /// Takes these parameters and refuses others.
    pub(crate) fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }.fails(&[ProblemCode::BadParameter])
    }

    /// Takes these parameters and ignores others.
    pub(crate) fn lenient_query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    pub(crate) fn part(mut self, part: Parameter) -> Self {
        self.parts.push(part);
        self
    }

    pub(crate) fn header(mut self, header: Parameter) -> Self {
        self.headers.push(header);
        self
    }

    /// Takes a body of JSON.
    pub(crate) fn body<T: JsonSchema>(self, example: &'static str) -> Self {
        use ProblemCode::{BadParameter, BodyTooLong, RequestTimeout, UnsupportedMediaType};
        let body: SchemaOf = SchemaGenerator::subschema_for::<T>;
        Self { body: Some((body, example)), ..self }.fails(&[
            BadParameter,
            BodyTooLong,
            RequestTimeout,
            UnsupportedMediaType,
        ])
    }

    /// Needs the token.
    pub(crate) fn token(self) -> Self {
        Self { needs_token: true, ..self }
            .fails(&[ProblemCode::Unauthorized, ProblemCode::Forbidden])
    }

    /// Asks the record, which may be busy or gone.
    pub(crate) fn record(self) -> Self {
        self.fails(&[ProblemCode::Busy, ProblemCode::Unavailable])
    }

    /// Asks for something by its name, which may be unknown.
    pub(crate) fn named(self) -> Self {
        self.fails(&[ProblemCode::NotFound])
    }

    /// Has an ETag and answers `If-None-Match`.
    pub(crate) fn tagged(self) -> Self {
        self.empty(304, "Unchanged since the ETag in If-None-Match")
    }

    pub(crate) fn fails(mut self, problems: &[ProblemCode]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Answers without a body.
    pub(crate) fn empty(self, status: u16, meaning: &'static str) -> Self {
        self.answers(status, meaning, vec![])
    }

    /// Answers 200 with JSON.
    pub(crate) fn json<T: JsonSchema>(self, meaning: &'static str) -> Self {
        self.json_at::<T>(200, meaning)
    }

    pub(crate) fn json_at<T: JsonSchema>(self, status: u16, meaning: &'static str) -> Self {
        let schema: SchemaOf = SchemaGenerator::subschema_for::<T>;
        self.answers(status, meaning, vec![("application/json", Some(schema))])
    }

    /// Answers 200 with a list in all its forms; `T` is the one in JSON.
    pub(crate) fn list<T: JsonSchema>(self, meaning: &'static str) -> Self {
        let schema: SchemaOf = SchemaGenerator::subschema_for::<T>;
        let forms = vec![
            ("application/json", Some(schema)),
            ("text/csv", None),
            ("application/jsonl", None),
        ];
        self.answers(200, meaning, forms)
    }

    /// Answers 200 with one of these media types.
    pub(crate) fn media(self, media: &[&'static str], meaning: &'static str) -> Self {
        self.media_at(200, media, meaning)
    }

    pub(crate) fn media_at(
        self,
        status: u16,
        media: &[&'static str],
        meaning: &'static str,
    ) -> Self {
        self.answers(status, meaning, media.iter().map(|media| (*media, None)).collect())
    }

    fn answers(
        mut self,
        status: u16,
        meaning: &'static str,
        contents: Vec<(&'static str, Option<SchemaOf>)>,
    ) -> Self {
        self.answers.push(DescribedAnswer { status, meaning, contents });
        self
    }
}

//! The routes of the server, each with what the description of the API says of it. There is no
//! other way to add a route.

use actix_web::{FromRequest, Handler, Resource, Responder, web};

use crate::web::openapi::operation::Operation;
use crate::web::problem::Problem;

/// The routes, as they are added.
#[derive(Default)]
pub(crate) struct Routes<'a> {
    /// The server's own table; none while only the description is made.
    config: Option<&'a mut web::ServiceConfig>,
    /// In the order in which they are added.
    pub(crate) described: Vec<DescribedRoute>,
}

/// A method of a path.
pub(crate) struct DescribedRoute {
    pub(crate) path: String,
    /// In lower case, as OpenAPI has it. HEAD is part of GET.
    pub(crate) method: &'static str,
    /// The path that gives the same, of which this one is a short or a special form.
    pub(crate) form_of: Option<String>,
    pub(crate) operation: Operation,
}

/// The methods of a path.
pub(crate) struct Methods {
    resource: Resource,
    operations: Vec<(&'static str, Operation)>,
}

impl<'a> Routes<'a> {
    pub(crate) fn of_server(config: &'a mut web::ServiceConfig) -> Self {
        Self { config: Some(config), described: Vec::new() }
    }

    /// Adds `paths`, which all lead to the same; the first one is the usual one. Methods that
    /// `build` does not add get 405.
    pub(crate) fn at<P: AsRef<str>>(
        &mut self,
        paths: &[P],
        build: impl FnOnce(Methods) -> Methods,
    ) {
        let paths: Vec<&str> = paths.iter().map(AsRef::as_ref).collect();
        let resource = web::resource(paths.clone());
        let Methods { resource, operations } = build(Methods { resource, operations: Vec::new() });
        if let Some(config) = &mut self.config {
            let allow = allowed(&operations);
            let others = web::to(move || {
                let problem = Problem::not_allowed(&allow);
                async move { Err::<&'static str, _>(problem) }
            });
            config.service(resource.default_service(others));
            return;
        }
        for path in &paths {
            let form_of = paths.first().filter(|usual| *usual != path);
            for (method, operation) in &operations {
                self.described.push(DescribedRoute {
                    path: (*path).to_owned(),
                    method,
                    form_of: form_of.map(|usual| (*usual).to_owned()),
                    operation: operation.clone(),
                });
            }
        }
    }

    /// Adds `paths` that are only read, by GET and HEAD.
    pub(crate) fn read<P, F, Args>(&mut self, paths: &[P], operation: Operation, handler: F)
    where
        P: AsRef<str>,
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.at(paths, |methods| methods.get(operation, handler));
    }
}

impl Methods {
    /// GET and HEAD.
    pub(crate) fn get<F, Args>(mut self, operation: Operation, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::head().to(handler.clone()));
        self.with("get", web::get().to(handler), operation)
    }

    pub(crate) fn post<F, Args>(self, operation: Operation, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with("post", web::post().to(handler), operation)
    }

    pub(crate) fn delete<F, Args>(self, operation: Operation, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with("delete", web::delete().to(handler), operation)
    }

    fn with(mut self, method: &'static str, route: actix_web::Route, operation: Operation) -> Self {
        self.resource = self.resource.route(route);
        self.operations.push((method, operation));
        self
    }
}

/// The value of `Allow`.
fn allowed(operations: &[(&'static str, Operation)]) -> String {
    let names = operations.iter().map(|(method, _)| match *method {
        "get" => "GET, HEAD".to_owned(),
        method => method.to_uppercase(),
    });
    names.collect::<Vec<_>>().join(", ")
}

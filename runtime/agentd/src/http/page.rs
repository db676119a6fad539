//! The page at `/`: files inside the program, nothing from elsewhere.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::app::App;

/// A file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [File; 8] = [
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        text: include_str!("../../page/index.html"),
    },
    File {
        path: "/page/style.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("../../page/style.css"),
    },
    File {
        path: "/page/icon.svg",
        kind: "image/svg+xml",
        text: include_str!("../../page/icon.svg"),
    },
    File {
        path: "/page/main.js",
        kind: SCRIPT,
        text: include_str!("../../page/main.js"),
    },
    File {
        path: "/page/api.js",
        kind: SCRIPT,
        text: include_str!("../../page/api.js"),
    },
    File {
        path: "/page/dom.js",
        kind: SCRIPT,
        text: include_str!("../../page/dom.js"),
    },
    File {
        path: "/page/curves.js",
        kind: SCRIPT,
        text: include_str!("../../page/curves.js"),
    },
    File {
        path: "/page/tree.js",
        kind: SCRIPT,
        text: include_str!("../../page/tree.js"),
    },
];

/// Only what this daemon serves is loaded, run and asked; no text becomes script or markup; no other page may frame this one.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    // The program may be another one after an upgrade.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// Whether a path is one of the page's: they say nothing about agents, so they need no token.
#[must_use]
pub fn is_page(path: &str) -> bool {
    FILES.iter().any(|file| file.path == path)
}

/// The routes of the page. It is no part of the API and of its document.
pub fn routes() -> Router<App> {
    FILES.iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move || async move { answer(file) }))
    })
}

fn answer(file: &File) -> Response {
    let mut response = file.text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.extend(HEADERS);
    response
}

//! What every page of ours is made of: no script, no font, nothing from elsewhere; light and dark.
//!
//! | module | holds |
//! |---|---|
//! | `escape` | text of others inside a page |
//! | `table`, `chart` | accessible tables and drawings |

pub(crate) mod chart;
pub(crate) mod escape;
pub(crate) mod table;

use std::fmt;

use escape::Text;

const STYLE: &str = include_str!("style.css");

/// Opens a page up to the inside of its `<header>`, with the title as the heading.
pub(crate) fn open(f: &mut fmt::Formatter<'_>, title: &str, heading: &str) -> fmt::Result {
    // The policy of the page forbids scripts and loads, should an escape ever fail.
    write!(
        f,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{}</h1>\n",
        Text(title),
        Text(heading)
    )
}

/// From the end of the `<header>` to the beginning of `<main>`.
pub(crate) fn begin_main(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("</header>\n<main>\n")
}

/// One of the few figures that a reader came for, in a list of the class `figures`.
pub(crate) fn figure(f: &mut fmt::Formatter<'_>, value: String, what: String) -> fmt::Result {
    writeln!(
        f,
        "<li><strong>{}</strong><span>{}</span></li>",
        Text(value),
        Text(what)
    )
}

/// Closes a page.
pub(crate) fn close(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("</main>\n</body>\n</html>\n")
}

/// Every element that opens also closes, in order.
#[cfg(test)]
pub(crate) fn assert_balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty());
        let name = name.unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(
                open.pop(),
                Some(name),
                "</{name}> closes nothing of its own"
            );
        } else if !tag.ends_with('/') && !tag.starts_with('!') && name != "meta" {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

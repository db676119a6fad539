//! A page of sections, with its style inside.

use std::fmt::{self, Write as _};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#555}\
svg .grid{stroke:#ddd}table{border-collapse:collapse}td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}pre{background:#f5f5f5;padding:1em;overflow:auto}\
.key{display:inline-block;margin-right:1.2em}.key i{display:inline-block;width:1.6em;height:0;border-top:3px solid;vertical-align:middle;margin-right:.4em}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#222}svg text{fill:#aaa}svg .grid{stroke:#444}}";

/// Text inside HTML.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A page that grows section by section.
#[derive(Debug)]
pub struct Page {
    html: String,
}

impl Page {
    /// A page with a heading.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let title = Escaped(title);
        Self {
            html: format!(
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
                 <title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n"
            ),
        }
    }

    /// A section with what it shows.
    pub fn section(&mut self, heading: &str, content: &dyn fmt::Display) {
        let heading = Escaped(heading);
        // Writing to a String cannot fail.
        let _ = writeln!(self.html, "<h2>{heading}</h2>\n{content}");
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.html + "</html>\n"
    }
}

/// A table; cells that are numbers stand on the right.
#[derive(Debug, Default)]
pub struct Table {
    /// The first row.
    pub head: Vec<String>,
    /// The others.
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<table>")?;
        let number = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            column > 0 && cells.clone().count() > 0 && cells.clone().all(|cell| is_number(cell))
        };
        for (tag, row) in
            std::iter::once(("th", &self.head)).chain(self.rows.iter().map(|row| ("td", row)))
        {
            if row.is_empty() {
                continue;
            }
            f.write_str("<tr>")?;
            for (column, cell) in row.iter().enumerate() {
                let class = if number(column) { " class=\"n\"" } else { "" };
                write!(f, "<{tag}{class}>{}</{tag}>", Escaped(cell))?;
            }
            f.write_str("</tr>\n")?;
        }
        f.write_str("</table>")
    }
}

fn is_number(cell: &str) -> bool {
    cell == "-" || cell.trim_end_matches([' ', '%']).parse::<f64>().is_ok()
}

/// Text as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Verbatim<'a>(pub &'a str);

impl fmt::Display for Verbatim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<pre>{}</pre>", Escaped(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let mut page = Page::new("a <b> & \"c\"");
        page.section("<script>", &Verbatim("x < y"));
        let html = page.finish();
        assert!(html.contains("<h1>a &lt;b&gt; &amp; &quot;c&quot;</h1>"));
        assert!(html.contains("<pre>x &lt; y</pre>") && !html.contains("<script>"));
        assert!(!html.contains("http"), "nothing comes from outside");
    }

    #[test]
    fn columns_of_numbers_stand_on_the_right() {
        let table = Table {
            head: vec!["level".into(), "loss".into()],
            rows: vec![
                vec!["high".into(), "0.5".into()],
                vec!["low".into(), "-".into()],
            ],
        };
        let html = table.to_string();
        assert!(html.contains("<td>high</td><td class=\"n\">0.5</td>"));
    }
}

//! Tables that a screen reader can walk.

use std::fmt;

use super::escape::Text;

/// One cell.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Text of any origin; it is escaped.
    Text(String),
    /// A figure, flush right; it is escaped too.
    Number(String),
    /// A drawing of ours.
    Drawing(String),
}

/// A figure with some decimals.
pub fn number(value: f64, decimals: usize) -> Cell {
    Cell::Number(format!("{value:.decimals$}"))
}

/// A count.
pub fn count(value: impl fmt::Display) -> Cell {
    Cell::Number(value.to_string())
}

/// A table whose first column names its rows.
pub struct Table<'a> {
    caption: &'a str,
    titles: &'a [&'a str],
    rows: Vec<Vec<Cell>>,
    total: bool,
}

impl<'a> Table<'a> {
    /// A table without rows. Titles of number columns stand flush right, as the first row decides.
    pub fn new(caption: &'a str, titles: &'a [&'a str]) -> Self {
        Self {
            caption,
            titles,
            rows: Vec::new(),
            total: false,
        }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Makes the last row stand out.
    pub fn with_total(mut self) -> Self {
        self.total = true;
        self
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caption = Text(self.caption);
        write!(
            f,
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\"><table><caption>{caption}</caption>\n<thead><tr>"
        )?;
        for (column, title) in self.titles.iter().enumerate() {
            let cell = self.rows.first().and_then(|row| row.get(column));
            let class = match cell {
                Some(Cell::Number(_)) => " class=\"n\"",
                _ => "",
            };
            write!(f, "<th scope=\"col\"{class}>{}</th>", Text(title))?;
        }
        f.write_str("</tr></thead>\n<tbody>\n")?;
        for (at, row) in self.rows.iter().enumerate() {
            let last = self.total && at + 1 == self.rows.len();
            f.write_str(if last { "<tr class=\"total\">" } else { "<tr>" })?;
            for (column, cell) in row.iter().enumerate() {
                match (column, cell) {
                    (0, Cell::Text(text)) => write!(f, "<th scope=\"row\">{}</th>", Text(text))?,
                    (0, Cell::Number(text)) => {
                        write!(f, "<th scope=\"row\" class=\"n\">{}</th>", Text(text))?;
                    }
                    (_, Cell::Text(text)) => write!(f, "<td>{}</td>", Text(text))?,
                    (_, Cell::Number(text)) => write!(f, "<td class=\"n\">{}</td>", Text(text))?,
                    (_, Cell::Drawing(svg)) => write!(f, "<td>{svg}</td>")?,
                }
            }
            f.write_str("</tr>\n")?;
        }
        f.write_str("</tbody></table></div>\n")
    }
}

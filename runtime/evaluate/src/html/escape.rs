//! Text of others inside a page.

use std::fmt;

/// Text as the content of an element or of a quoted attribute. What would be read as markup is escaped; control characters
/// and those that reorder text on the screen are written as `\u{…}`, so that the page shows what was really said.
#[derive(Debug, Clone, Copy)]
pub struct Text<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.as_ref().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => fmt::Write::write_char(f, c)?,
                c if hidden(c) => write!(f, "{}", c.escape_unicode())?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// Controls, and the format characters that change the direction or join of what stands beside them (Unicode TR 36).
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_any_more() {
        let hostile = "</td><script>alert(\"1\")</script>' onload='x' &lt;";
        let text = Text(hostile).to_string();
        assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
        assert!(
            text.contains("&amp;lt;") && text.starts_with("&lt;/td&gt;"),
            "{text}"
        );
    }

    #[test]
    fn nothing_hides() {
        assert_eq!(Text("a\u{0}\u{1b}b\n").to_string(), "a\\u{0}\\u{1b}b\n");
        assert_eq!(Text("\u{202e}cod.exe").to_string(), "\\u{202e}cod.exe");
        assert_eq!(Text("grüße – 水").to_string(), "grüße – 水");
    }
}

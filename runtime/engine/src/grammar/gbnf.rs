//! GBNF, read and written as a grammar of llguidance in its Lark syntax.
//!
//! A terminal of llguidance takes the longest match, so `("a" | "ab") "bc"` with two texts as terminals would not match `abc`.
//! Every terminal written here is a single character, for which longest and only are the same.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Rules at most.
const RULES: usize = 1000;

/// Parts of all rules at most: texts, classes, groups, names of rules.
const PARTS: usize = 2000;

/// Groups within groups at most.
const NESTING: usize = 32;

/// The largest number in `{m,n}`, as in llama.cpp.
const REPETITIONS: u32 = 2000;

/// Writes a grammar in GBNF as one in Lark.
///
/// # Errors
/// In words: what is wrong, and where.
pub(super) fn to_lark(source: &str) -> Result<String, String> {
    let mut reader = Reader {
        source,
        at: 0,
        lark: String::with_capacity(source.len() * 4),
        rules: HashMap::new(),
        parts: 0,
    };
    match reader.grammar() {
        Ok(()) => Ok(reader.lark),
        Err(Wrong { at, what }) => {
            let front = &source[..at];
            let line = front.matches('\n').count() + 1;
            let column = front.chars().rev().take_while(|c| *c != '\n').count() + 1;
            Err(format!("line {line}, column {column}: {what}"))
        }
    }
}

struct Wrong {
    at: usize,
    what: String,
}

type Read<T = ()> = Result<T, Wrong>;

/// What is known of a rule.
struct Rule {
    number: usize,
    first_seen: usize,
    defined: bool,
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    lark: String,
    rules: HashMap<&'a str, Rule>,
    parts: usize,
}

impl<'a> Reader<'a> {
    fn grammar(&mut self) -> Read {
        self.space(true);
        while !self.rest().is_empty() {
            self.rule()?;
            self.space(true);
        }
        let undefined = self.rules.iter().filter(|(_, rule)| !rule.defined);
        if let Some((name, rule)) = undefined.min_by_key(|(_, rule)| rule.first_seen) {
            let what = format!("no rule is named `{name}`");
            return wrong(rule.first_seen, what);
        }
        let Some(root) = self.rules.get("root") else {
            let what = "no rule is named `root`, where a text begins";
            return wrong(self.at, what);
        };
        let root = root.number;
        self.emit(format_args!("start: r{root}\n"));
        Ok(())
    }

    fn rule(&mut self) -> Read {
        let start = self.at;
        let name = self.name()?;
        let number = self.number_of(name, start)?;
        if let Some(rule) = self.rules.get_mut(name)
            && std::mem::replace(&mut rule.defined, true)
        {
            return wrong(start, format!("`{name}` is defined twice"));
        }
        self.space(false);
        if !self.eat("::=") {
            return wrong(self.at, format!("`::=` should follow `{name}`"));
        }
        self.space(true);
        self.emit(format_args!("r{number}: "));
        self.alternatives(0)?;
        if !self.rest().is_empty() && !self.rest().starts_with(['\n', '\r']) {
            return wrong(self.at, format!("unexpected {}", self.next_in_words()));
        }
        self.lark.push('\n');
        Ok(())
    }

    fn alternatives(&mut self, depth: usize) -> Read {
        self.sequence(depth)?;
        while self.eat("|") {
            self.lark.push_str(" | ");
            self.space(true);
            self.sequence(depth)?;
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Read {
        let empty = self.lark.len();
        loop {
            let item = self.lark.len();
            if !self.item(depth)? {
                break;
            }
            self.space(depth > 0);
            self.repetition(item, depth)?;
            self.lark.push(' ');
        }
        if self.lark.len() == empty {
            self.lark.push_str("\"\"");
        }
        Ok(())
    }

    /// Reads one item; `false` when there is none.
    fn item(&mut self, depth: usize) -> Read<bool> {
        let start = self.at;
        match self.peek() {
            Some('"') => self.text()?,
            Some('[') => self.class()?,
            Some('.') => {
                self.at += 1;
                self.lark.push_str("/[\\x{0}-\\x{10ffff}]/");
            }
            Some('(') if depth == NESTING => {
                return wrong(start, format!("more than {NESTING} groups within groups"));
            }
            Some('(') => {
                self.at += 1;
                self.lark.push('(');
                self.space(true);
                self.alternatives(depth + 1)?;
                if !self.eat(")") {
                    let what = format!("`)` expected, not {}", self.next_in_words());
                    return wrong(self.at, what);
                }
                self.lark.push(')');
            }
            Some('<' | '!') => return wrong(start, "tokens cannot be named here, only characters"),
            Some(c) if is_name(c) => {
                let name = self.name()?;
                let number = self.number_of(name, start)?;
                self.emit(format_args!("r{number}"));
            }
            Some('*' | '+' | '?' | '{') => {
                return wrong(
                    start,
                    "there is nothing in front of it that could be repeated",
                );
            }
            _ => return Ok(false),
        }
        self.parts += 1;
        if self.parts > PARTS {
            return wrong(start, format!("more than {PARTS} parts in all rules"));
        }
        Ok(true)
    }

    /// Reads what says how often the item written from `item` on is repeated.
    fn repetition(&mut self, item: usize, depth: usize) -> Read {
        let start = self.at;
        let operator = match self.peek() {
            Some(operator @ ('*' | '+' | '?')) => {
                self.at += 1;
                operator.to_string()
            }
            Some('{') => {
                self.at += 1;
                let (least, most) = self.bounds(depth)?;
                if most.is_some_and(|most| most < least) {
                    return wrong(start, "more repetitions at least than at most");
                }
                let most = most.map(|most| most.to_string()).unwrap_or_default();
                format!("{{{least},{most}}}")
            }
            _ => return Ok(()),
        };
        self.lark.insert(item, '(');
        self.emit(format_args!("){operator}"));
        self.space(depth > 0);
        if let Some('*' | '+' | '?' | '{') = self.peek() {
            let what = "a repetition of a repetition; put the item into parentheses";
            return wrong(self.at, what);
        }
        Ok(())
    }

    /// Reads `m}`, `m,}` or `m,n}`.
    fn bounds(&mut self, depth: usize) -> Read<(u32, Option<u32>)> {
        self.space(depth > 0);
        let least = self.count()?;
        self.space(depth > 0);
        let mut most = Some(least);
        if self.eat(",") {
            self.space(depth > 0);
            most = match self.peek() {
                Some('}') => None,
                _ => Some(self.count()?),
            };
            self.space(depth > 0);
        }
        if !self.eat("}") {
            let what = format!("`}}` expected, not {}", self.next_in_words());
            return wrong(self.at, what);
        }
        Ok((least, most))
    }

    fn count(&mut self) -> Read<u32> {
        let start = self.at;
        let digits = self.while_(|c| c.is_ascii_digit());
        if digits.is_empty() {
            let what = format!("a number expected, not {}", self.next_in_words());
            return wrong(start, what);
        }
        match digits.parse() {
            Ok(count) if count <= REPETITIONS => Ok(count),
            _ => wrong(start, format!("more than {REPETITIONS} repetitions")),
        }
    }

    fn text(&mut self) -> Read {
        let start = self.at;
        self.at += 1;
        self.lark.push('(');
        let mut empty = true;
        while !self.eat("\"") {
            let c = self.character(start, "text")?;
            self.emit(format_args!("/\\x{{{:x}}}/ ", u32::from(c)));
            empty = false;
        }
        self.lark.push_str(if empty { "\"\")" } else { ")" });
        Ok(())
    }

    fn class(&mut self) -> Read {
        let start = self.at;
        self.at += 1;
        let negated = self.eat("^");
        self.lark.push_str(if negated { "/[^" } else { "/[" });
        let mut empty = true;
        while !self.eat("]") {
            let from = self.at;
            let low = self.character(start, "class")?;
            let mut high = low;
            if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                high = self.character(start, "class")?;
            }
            if high < low {
                return wrong(from, format!("the range {low:?} to {high:?} is empty"));
            }
            let (low, high) = (u32::from(low), u32::from(high));
            self.emit(format_args!("\\x{{{low:x}}}-\\x{{{high:x}}}"));
            empty = false;
        }
        if empty {
            return wrong(start, "a class without characters");
        }
        self.lark.push_str("]/");
        Ok(())
    }

    /// A character of the text or class that began at `start`.
    fn character(&mut self, start: usize, kind: &str) -> Read<char> {
        let at = self.at;
        let Some(c) = self.bump() else {
            return wrong(start, format!("this {kind} does not end"));
        };
        if c != '\\' {
            return Ok(c);
        }
        let digits = match self.bump() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some(c @ ('\\' | '"' | '[' | ']' | '-')) => return Ok(c),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => {
                return wrong(
                    at,
                    r#"unknown escape; \n, \r, \t, \\, \", \[, \], \-, \x, \u and \U are known"#,
                );
            }
        };
        let hex = self.rest().get(..digits).unwrap_or_default();
        let hex = Some(hex).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        self.at += digits;
        match code.and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => wrong(
                at,
                format!("{digits} hexadecimal digits of a character should follow"),
            ),
        }
    }

    fn name(&mut self) -> Read<&'a str> {
        let name = self.while_(is_name);
        if name.is_empty() {
            let what = format!("the name of a rule expected, not {}", self.next_in_words());
            return wrong(self.at, what);
        }
        Ok(name)
    }

    /// The number of a rule, which is new when nobody named it before.
    fn number_of(&mut self, name: &'a str, at: usize) -> Read<usize> {
        let number = self.rules.len();
        let rule = self.rules.entry(name).or_insert(Rule {
            number,
            first_seen: at,
            defined: false,
        });
        if rule.number >= RULES {
            return wrong(at, format!("more than {RULES} rules"));
        }
        Ok(rule.number)
    }

    /// Skips spaces and comments, and line breaks if they are `allowed`.
    fn space(&mut self, breaks: bool) {
        loop {
            self.while_(|c| matches!(c, ' ' | '\t') || breaks && matches!(c, '\r' | '\n'));
            if !self.rest().starts_with('#') {
                return;
            }
            self.while_(|c| !matches!(c, '\r' | '\n'));
        }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let there = self.rest().starts_with(expected);
        if there {
            self.at += expected.len();
        }
        there
    }

    fn while_(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn next_in_words(&self) -> String {
        match self.peek() {
            None => "the end".into(),
            Some('\n' | '\r') => "the end of the line".into(),
            Some(c) => format!("{c:?}"),
        }
    }

    fn emit(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.lark.write_fmt(what);
    }
}

fn wrong<T>(at: usize, what: impl Into<String>) -> Read<T> {
    let what = what.into();
    Err(Wrong { at, what })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (source, expected) in [
            ("", "line 1, column 1: no rule is named `root`"),
            ("a ::= \"b\"", "line 1, column 10: no rule is named `root`"),
            (
                "root ::= \"a\" b",
                "line 1, column 14: no rule is named `b`",
            ),
            (
                "root ::= \"a\"\nroot ::= \"b\"",
                "line 2, column 1: `root` is defined twice",
            ),
            (
                "root : \"a\"",
                "line 1, column 6: `::=` should follow `root`",
            ),
            (
                "root ::= \"a\n\"b",
                "line 2, column 2: no rule is named `b`",
            ),
            ("root ::= \"a", "line 1, column 10: this text does not end"),
            ("root ::= [a", "line 1, column 10: this class does not end"),
            (
                "root ::= []",
                "line 1, column 10: a class without characters",
            ),
            (
                "root ::= [\u{e4}b-a]",
                "line 1, column 12: the range 'b' to 'a' is empty",
            ),
            (
                "root ::= (\"a\"",
                "line 1, column 14: `)` expected, not the end",
            ),
            ("root ::= \"a\")", "line 1, column 13: unexpected ')'"),
            ("root ::= *", "line 1, column 10: there is nothing in front"),
            (
                "root ::= \"a\"**",
                "line 1, column 14: a repetition of a repetition",
            ),
            (
                "root ::= \"a\"{1000000}",
                "line 1, column 14: more than 2000 repetitions",
            ),
            (
                "root ::= \"a\"{99999999999999999999}",
                "line 1, column 14: more than 2000",
            ),
            (
                "root ::= \"a\"{3,2}",
                "line 1, column 13: more repetitions at least",
            ),
            (
                "root ::= \"a\"{x}",
                "line 1, column 14: a number expected, not 'x'",
            ),
            (
                "root ::= \"a\"{1",
                "line 1, column 15: `}` expected, not the end",
            ),
            ("root ::= \"\\q\"", "line 1, column 11: unknown escape"),
            (
                "root ::= \"\\ud800\"",
                "line 1, column 11: 4 hexadecimal digits",
            ),
            ("root ::= \"\\x1", "line 1, column 11: 2 hexadecimal digits"),
            (
                "root ::= \"\\x\u{e4}\u{e4}\"",
                "line 1, column 11: 2 hexadecimal digits",
            ),
            (
                "root ::= <think>",
                "line 1, column 10: tokens cannot be named",
            ),
            (
                "root ::= \"a\"\n  | \"b\"",
                "line 2, column 3: the name of a rule expected",
            ),
        ] {
            let error = to_lark(source).expect_err(source);
            assert!(error.starts_with(expected), "{source:?}: {error}");
        }
        let nested = format!("root ::= {}\"a\"{}", "(".repeat(33), ")".repeat(33));
        let error = to_lark(&nested).unwrap_err();
        assert!(error.contains("more than 32 groups"), "{error}");
        let many: String = (0..1500).map(|n| format!("r{n} ::= \"a\"\n")).collect();
        let error = to_lark(&many).unwrap_err();
        assert_eq!(error, "line 1001, column 1: more than 1000 rules");
        let error = to_lark(&format!("root ::= {}", "[a]?".repeat(2001))).unwrap_err();
        assert_eq!(
            error,
            "line 1, column 8010: more than 2000 parts in all rules"
        );
    }

    #[test]
    fn every_terminal_is_one_character() {
        let lark = to_lark(
            "# yes\nroot ::= (\"ab\" | [^x-z-]+\n # no\n) end? {0,} # c\nend ::= \"\" | .{2,3}",
        );
        assert!(lark.unwrap_err().contains("repetition of a repetition"));
        let lark =
            to_lark("root ::= (\"ab\" | [^x-z-]+\n # no\n) end? # c\nend ::= \"\" | .{2,3}\n");
        assert_eq!(
            lark.unwrap(),
            "r0: ((/\\x{61}/ /\\x{62}/ )  | (/[^\\x{78}-\\x{7a}\\x{2d}-\\x{2d}]/)+ ) (r1)? \n\
             r1: (\"\")  | (/[\\x{0}-\\x{10ffff}]/){2,3} \n\
             start: r0\n"
        );
    }
}

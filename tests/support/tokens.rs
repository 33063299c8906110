//! The tokens of Rust code, as far as imports need them.

/// A name, `::`, or one other character of the code.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Token {
    pub(super) fn is_name(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of a text, without comments, strings and characters.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let literal = literal(rest);
        let length = literal.unwrap_or_else(|| length_of_token(rest, first));
        let (token, after) = rest.split_at(length);
        if literal.is_none() && !first.is_whitespace() {
            tokens.push(Token {
                text: token.to_owned(),
                line,
            });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn length_of_token(text: &str, first: char) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    if is_part(first) {
        text.find(|c| !is_part(c)).unwrap_or(text.len())
    } else if text.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

/// The length in bytes of the comment, string, character or lifetime at the beginning of a text.
fn literal(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let mark = text.trim_start_matches(['b', 'r']);
    let prefix = &text[..text.len() - mark.len()];
    match (prefix, mark.chars().next()?) {
        ("r" | "br", '"' | '#') => raw_string(text),
        ("" | "b", '"') => quoted(text, '"'),
        ("" | "b", '\'') => match mark.chars().take(3).collect::<Vec<_>>().as_slice() {
            ['\'', '\\', _] | ['\'', _, '\''] => quoted(text, '\''),
            _ => Some(1),
        },
        _ => None,
    }
}

/// The number of bytes up to the closing quotation mark, which has no backslash before it.
fn quoted(text: &str, mark: char) -> Option<usize> {
    let start = text.find(mark)? + 1;
    let mut is_escaped = false;
    for (at, character) in text[start..].char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == mark {
            return Some(start + at + 1);
        }
    }
    Some(text.len())
}

/// The length in bytes of `r"…"` or `r#"…"#`; `None` for a raw name, such as `r#type`.
fn raw_string(text: &str) -> Option<usize> {
    let start = text.find('r')? + 1;
    let hashes = text[start..].chars().take_while(|c| *c == '#').count();
    let inner = text[start + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(start + hashes + 1 + length)
}

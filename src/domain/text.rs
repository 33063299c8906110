//! Makes text of others fit to be shown.

/// The longest text of others that is shown, in characters.
pub const LONGEST: usize = 256;

/// Text of others (keys, names, senders, reasons of Amazon ECS, service events), as it may be shown
/// in a log or on a terminal: at most [`LONGEST`] characters, the last of them `…` if the text was
/// longer, and U+FFFD for each character that would move the cursor, end the line or change the
/// direction of the text after it.
///
/// This is the only place that does this. The caller still escapes the result for its destination:
/// JSON, Markdown, a shell.
#[must_use]
pub fn bounded(text: &str) -> String {
    if text.len() <= LONGEST && is_plain(text) {
        return text.to_owned();
    }
    let shown = |character: char| {
        if is_shown(character) {
            character
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    let is_longer = text.chars().nth(LONGEST).is_some();
    let kept = if is_longer { LONGEST - 1 } else { LONGEST };
    text.chars()
        .take(kept)
        .map(shown)
        .chain(is_longer.then_some('…'))
        .collect()
}

/// Text of others as code in Markdown, as chats show it: `bounded`, between backticks. Backticks
/// inside it would end the code, `<` would begin a link or the name of everybody in the channel, and
/// a quotation mark would end the text of an e-mail, so that other characters stand for them.
#[must_use]
pub fn as_code(text: &str) -> String {
    let shown = |character: char| match character {
        '`' | '"' => '\'',
        '<' => '‹',
        '>' => '›',
        other => other,
    };
    let text: String = bounded(text).chars().map(shown).collect();
    format!("`{text}`")
}

/// True if all of a text is printable ASCII, which is shown as it is. Most text is, and this is the
/// quick way to know it.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// True if a character may be shown as it is. Not shown are control characters, and those of
/// Unicode that end a line or turn the direction of the text ("Unicode Bidirectional Algorithm",
/// UAX #9).
#[must_use]
pub fn is_shown(character: char) -> bool {
    let breaks_line = matches!(character, '\u{2028}' | '\u{2029}');
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !breaks_line && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_plain_text_stays_as_it_is() {
        let longest = "é".repeat(LONGEST);

        assert_eq!(
            bounded("(service web) déployé: 100 %"),
            "(service web) déployé: 100 %"
        );
        assert_eq!(bounded(&longest), longest);
    }

    #[test]
    fn plain_text_is_shown_as_it_is_and_bounded_like_any_other() {
        let printable: String = (' '..='~').collect();

        assert!(is_plain(&printable) && printable.chars().all(is_shown));
        assert_eq!(bounded(&printable), printable);
        for other in ["a\nb", "\u{7f}", "\0", "é", "\u{202e}"] {
            assert!(!is_plain(other), "{other:?}");
        }
        let longest = "a".repeat(LONGEST);
        assert_eq!(bounded(&longest), longest);
        assert_eq!(bounded(&format!("{longest}a")).chars().count(), LONGEST);
    }

    #[test]
    fn longer_text_ends_in_an_ellipsis() {
        let shown = bounded(&"é".repeat(LONGEST + 1));

        assert_eq!(shown.chars().count(), LONGEST);
        assert_eq!(shown, format!("{}…", "é".repeat(LONGEST - 1)));
    }

    #[test]
    fn code_in_a_chat_ends_where_it_should_and_names_nobody() {
        assert_eq!(as_code("/app/db_url*"), "`/app/db_url*`");
        assert_eq!(
            as_code("a`b <!channel> \"c\"\n"),
            "`a'b ‹!channel› 'c'\u{fffd}`"
        );
    }

    #[test]
    fn nothing_moves_the_cursor_ends_the_line_or_turns_it_round() {
        assert_eq!(
            bounded("a\u{1b}[2Jb\nc\u{9b}d\u{2028}e\u{202e}f\u{7f}"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}"
        );
    }
}

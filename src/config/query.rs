//! What a person writes to search: words, `"phrases"`, `-without`, `beg*`, `this OR that`.
//!
//! Pure. Everything that is a word to a person is one to the index too; none of the index's own syntax comes through.

use crate::normalise::spaceless;

/// The most terms of one query.
const MOST_TERMS: usize = 32;

/// A search that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// As it was written.
    pub text: String,
    /// As SQLite's FTS5 takes it.
    pub expression: String,
}

impl Query {
    /// Reads a search.
    ///
    /// # Errors
    ///
    /// What is wrong and what to write instead, to stand behind the query in a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        const CURE: &str = "write words to find, for example `ferry \"grey sea\" -strike`";
        let mut groups: Vec<Vec<String>> = vec![Vec::new()];
        let mut without: Vec<String> = Vec::new();
        for term in terms(text).into_iter().take(MOST_TERMS) {
            match term {
                Term::Or if groups.last().is_some_and(|group| !group.is_empty()) => groups.push(Vec::new()),
                Term::Or => {}
                Term::With(phrase) => groups.last_mut().into_iter().for_each(|group| group.push(phrase.clone())),
                Term::Without(phrase) => without.push(phrase),
            }
        }
        groups.retain(|group| !group.is_empty());
        if groups.is_empty() {
            let why = if without.is_empty() { "has no word" } else { "only says what to leave out" };
            return Err(format!("{why}; {CURE}"));
        }
        let any: Vec<String> = groups.iter().map(|group| format!("({})", group.join(" AND "))).collect();
        let mut expression = any.join(" OR ");
        if !without.is_empty() {
            expression = format!("({expression}) NOT ({})", without.join(" OR "));
        }
        Ok(Self { text: text.trim().to_owned(), expression })
    }
}

enum Term {
    With(String),
    Without(String),
    Or,
}

fn terms(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (is_without, body) = match rest.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, rest),
        };
        let (phrase, after, is_quoted) = match body.strip_prefix('"') {
            Some(quoted) => {
                let (phrase, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (phrase, after, true)
            }
            None => {
                let end = body.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(body.len());
                let (phrase, after) = body.split_at_checked(end).unwrap_or((body, ""));
                (phrase, after, false)
            }
        };
        rest = after.trim_start();
        if phrase == "OR" && !is_quoted && !is_without {
            terms.push(Term::Or);
        } else if phrase.contains(char::is_alphanumeric) {
            // Korean writes its particles onto the word: who asks for 서울 means 서울에서, too.
            let is_beginning = !is_quoted && (phrase.ends_with('*') || phrase.ends_with(is_korean));
            let words = phrase.trim_end_matches('*').replace(['"', '\0'], " ");
            let words = spaceless::apart(&words);
            let phrase = format!("\"{words}\"{}", if is_beginning { "*" } else { "" });
            terms.push(if is_without { Term::Without(phrase) } else { Term::With(phrase) });
        }
    }
    terms
}

fn is_korean(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expression: &str) {
        assert_eq!(Query::parse(text).map(|query| query.expression).as_deref(), Ok(expression), "{text}");
    }

    #[test]
    fn words_phrases_and_what_to_leave_out() {
        check("ferry", "(\"ferry\")");
        check("ferry sandbank", "(\"ferry\" AND \"sandbank\")");
        check("\"grey sea\" ferr*", "(\"grey sea\" AND \"ferr\"*)");
        check("ferry OR boat -strike", "((\"ferry\") OR (\"boat\")) NOT (\"strike\")");
        check("ferry OR", "(\"ferry\")");
    }

    #[test]
    fn a_word_without_spaces_is_a_phrase_of_its_characters() {
        check("大雨", "(\"大 雨\")");
        check("大雨* -東京", "((\"大 雨\"*)) NOT (\"東 京\")");
        check("\"GDP增长\"", "(\"GDP 增 长\")");
    }

    #[test]
    fn a_korean_word_is_found_with_its_particle() {
        check("서울 -지진", "((\"서울\"*)) NOT (\"지진\"*)");
        check("\"서울\"", "(\"서울\")");
    }

    #[test]
    fn the_indexs_own_syntax_is_only_words() {
        check("NEAR(a b) title:c ^d", "(\"NEAR(a\" AND \"b)\" AND \"title:c\" AND \"^d\")");
        check("a\" OR \"b", "(\"a\" AND \" OR \" AND \"b\")");
    }

    #[test]
    fn a_query_without_a_word_says_so() {
        for text in ["", " - ", "\"\"", "***", "-strike"] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}

//! What the commented configuration says of each key, to be shown elsewhere.
//!
//! Pure.

/// A part of the commented file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    /// `[poll]` or `[[feed]]`.
    Heading(&'t str),
    /// A paragraph of its own, or keys with what stands above them.
    Said {
        /// Each line that sets a key, as in `keep = "90d"`, and whether it does, or is only shown.
        keys: Vec<(&'t str, bool)>,
        /// The lines of the comment, without their `#`.
        words: Vec<&'t str>,
    },
}

/// The parts of a commented configuration.
#[must_use]
pub fn parts(commented: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut words, mut keys) = (Vec::new(), Vec::new());
    let mut put = |words: &mut Vec<_>, keys: &mut Vec<_>, heading| {
        parts.extend(heading);
        if !(words.is_empty() && keys.is_empty()) {
            parts.push(Part::Said { keys: std::mem::take(keys), words: std::mem::take(words) });
        }
    };
    let mut is_example = false;
    // What follows a table's heading in a comment is an example of that table, and has one `#` more.
    for line in commented.lines().chain([""]) {
        let inner = line.strip_prefix('#').map(|line| line.strip_prefix(' ').unwrap_or(line));
        is_example &= inner.is_some();
        let line = inner.filter(|_| is_example).unwrap_or(line);
        let heading = line.strip_prefix("# ").unwrap_or(line);
        let comment = line.strip_prefix('#').map(|words| words.strip_prefix(' ').unwrap_or(words));
        let key = is_key(comment.unwrap_or(line)).then(|| comment.unwrap_or(line));
        if key.is_none() && !keys.is_empty() || line.is_empty() && !is_example {
            put(&mut words, &mut keys, None);
        }
        match (key, comment) {
            (Some(key), _) => keys.push((key, is_example || comment.is_none())),
            _ if heading.starts_with('[') && heading.ends_with(']') => {
                is_example = inner.is_some();
                // What stands above a heading is said of what stands below it.
                put(&mut words, &mut keys, Some(Part::Heading(heading)));
            }
            (None, Some("")) | (None, None) => {}
            (None, Some(said)) => words.push(said),
        }
    }
    parts
}

/// Whether a line sets a key.
fn is_key(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_words_above_them_and_sections_those_above_their_heading() {
        let text = "# The file.\n\n[a]\n# One.\nx = 1\ny = 2\n# Two.\n# z = 3\n\n# Of b.\n#\n# [[b]]\n# # Three.\n# v = 4\n# # w = 5\n";
        let said = |keys: &[(&'static str, bool)], words: &[&'static str]| Part::Said {
            keys: keys.to_vec(),
            words: words.to_vec(),
        };
        assert_eq!(
            parts(text),
            [
                said(&[], &["The file."]),
                Part::Heading("[a]"),
                said(&[("x = 1", true), ("y = 2", true)], &["One."]),
                said(&[("z = 3", false)], &["Two."]),
                Part::Heading("[[b]]"),
                said(&[], &["Of b."]),
                said(&[("v = 4", true), ("w = 5", true)], &["Three."]),
            ]
        );
    }
}

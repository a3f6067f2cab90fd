//! What had to be repaired before a document could be read.
//!
//! Pure. Each kind is told once, with the line of its first place and how often it was met: a feed with ten thousand bare
//! ampersands has one fault.

use memchr::memchr_iter;

/// A kind of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    Junk,
    Ampersand,
    Entity,
    Reference,
    StrayTag,
    Mismatched,
    Case,
    Namespace,
    Prefix,
    Version,
    Unclosed,
    CutOff,
    Markup,
    Depth,
    TooManyEntries,
    TooLong,
    Date,
    Addresses,
}

impl Repair {
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Junk => "what stood before the document skipped",
            Self::Ampersand => "bare `&` read as text",
            Self::Entity => "HTML entity that XML does not know decoded",
            Self::Reference => "reference to a forbidden character left out",
            Self::StrayTag => "`<` that begins no tag read as text",
            Self::Mismatched => "end tag that closes nothing, or closes over open tags",
            Self::Case => "end tag taken for one that is spelt in another way",
            Self::Namespace => "namespace in an unusual spelling read as the known one",
            Self::Prefix => "prefix without a namespace read as what it always means",
            Self::Version => "RSS of no version, or of an odd one, read as RSS 2.0",
            Self::Unclosed => "element without an end closed where the next one begins",
            Self::CutOff => "the document is cut off; what is open was closed, and a field cut in two left out",
            Self::Markup => "markup that stands unescaped taken in",
            Self::Depth => "elements nested too deep to be meant taken out",
            Self::TooManyEntries => "more entries than are read; the first were kept",
            Self::TooLong => "a field too long to be meant cut",
            Self::Addresses => {
                "the base of relative addresses is too long for their number; the last are left as they stand"
            }
            Self::Date => "date without a meaning left out",
        }
    }
}

/// The repairs so far.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    found: Vec<(Repair, usize, usize)>,
    /// What was done to the bytes before there was a text, with its place where it has one.
    pub(super) general: Vec<String>,
}

impl Repairs {
    /// Notes one repair at a byte of the text.
    pub(super) fn note(&mut self, repair: Repair, at: usize) {
        match self.found.iter_mut().find(|(known, ..)| *known == repair) {
            Some((_, _, count)) => *count += 1,
            None => self.found.push((repair, at, 1)),
        }
    }

    /// Whether the document ends before its end.
    pub(super) fn has_cut_off(&self) -> bool {
        self.found.iter().any(|(repair, ..)| *repair == Repair::CutOff)
    }

    /// The repairs as lines for a person, in the order of the document.
    pub(super) fn lines(mut self, text: &str) -> Vec<String> {
        self.found.sort_by_key(|(_, at, _)| *at);
        let mut lines = self.general;
        // Places are counted in one pass: a document may be one line of many megabytes.
        let (mut line, mut column, mut from) = (1, 1, 0);
        for (repair, at, count) in self.found {
            let at = text.floor_char_boundary(at).max(from);
            let piece = text.get(from..at).unwrap_or_default();
            (line, column) = advanced((line, column), piece);
            from = at;
            let more = match count {
                1 => String::new(),
                2 => " (and once more)".into(),
                count => format!(" (and {} times more)", count - 1),
            };
            lines.push(format!("line {line}, column {column}: {}{more}", repair.told()));
        }
        lines
    }
}

/// The line and the column, both from 1, of a byte of the text; columns count characters.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    advanced((1, 1), text.get(..text.floor_char_boundary(at)).unwrap_or(text))
}

/// The place that is reached after `piece`.
fn advanced((line, column): (usize, usize), piece: &str) -> (usize, usize) {
    let breaks = memchr_iter(b'\n', piece.as_bytes()).count();
    let last = piece.rsplit('\n').next().unwrap_or_default().chars().count();
    (line + breaks, if breaks > 0 { last + 1 } else { column + last })
}

/// A repair at a place, in words.
pub(super) fn told_at(text: &str, at: usize, what: &str) -> String {
    let (line, column) = place(text, at);
    format!("line {line}, column {column}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_with_its_first_line() {
        let mut repairs = Repairs::default();
        let text = "a\nb & c\n& d\n";
        repairs.note(Repair::Ampersand, 4);
        repairs.note(Repair::Ampersand, 8);
        repairs.note(Repair::CutOff, text.len());
        let lines = repairs.lines(text);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "line 2, column 3: bare `&` read as text (and once more)");
        assert!(lines[1].starts_with("line 4, column 1: "));
        assert_eq!(place("a\nbéc", 5), (2, 3));
    }
}

//! What is wrong with a configuration, and where.
//!
//! Pure. The places are found by `table`; the words come from whoever found the fault.

use std::fmt;
use std::path::{Path, PathBuf};

/// One fault of a configuration file, or one warning about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the message names it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters from 1.
    pub column: usize,
    /// What is wrong and the cure, without the place.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message } = self;
        write!(f, "{}:{line}:{column}: {message}", file.display())
    }
}

/// Everything that is wrong with a configuration, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The same problems with a file named otherwise, such as the way the user typed it.
    pub fn shown_as(mut self, known: &Path, file: &Path) -> Self {
        for problem in self.0.iter_mut().filter(|problem| problem.file == known) {
            problem.file = file.to_owned();
        }
        self
    }
}

impl fmt::Display for Problems {
    /// One line a problem, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Line and column of the byte at `offset`, both from 1, the column in characters.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

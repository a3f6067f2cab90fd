//! Text tables for terminals.
//!
//! Pure but for [`aligned`], which looks how wide the terminal is.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal;

/// No column is made narrower than this.
const NARROWEST: usize = 6;

/// Rows under their headings, columns aligned, as wide as the terminal; where there is none, nothing is cut. Rows that `stands_out`
/// picks are red on a terminal.
pub(super) fn aligned(headings: &[&str], rows: &[Vec<String>], stands_out: impl Fn(usize) -> bool) -> String {
    let table = fitted(headings, rows, terminal::width());
    if !terminal::has_colours() {
        return table;
    }
    let line = |(number, line): (usize, &str)| match number.checked_sub(1).is_some_and(&stands_out) {
        true => format!("\x1b[31m{line}\x1b[0m\n"),
        false => format!("{line}\n"),
    };
    table.lines().enumerate().map(line).collect()
}

/// As much of a line as fits on the terminal behind the `taken` columns that it begins with.
pub(super) fn cut(line: &str, taken: usize, room: Option<usize>) -> String {
    match room {
        Some(room) => shortened(line, room.saturating_sub(taken).max(NARROWEST)),
        None => line.to_owned(),
    }
}

/// A text in at most so many columns of a terminal: ideographs have two, accents none.
fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut taken = 1;
    let fits = |letter: &char| {
        taken += letter.width().unwrap_or(0);
        taken <= columns
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// Rows under their headings. What is wider than `room` is taken from the widest columns.
fn fitted(headings: &[&str], rows: &[Vec<String>], room: Option<usize>) -> String {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain(headings.get(column).map(|heading| heading.width())).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..headings.len()).map(width_of).collect();
    let between = 2 * headings.len().saturating_sub(1);
    while room.is_some_and(|room| widths.iter().sum::<usize>() + between > room) {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            let cell = shortened(cell, *width);
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut table = line(&mut headings.iter().copied());
    for row in rows {
        table.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_as_a_terminal_shows_them() {
        let rows = [vec!["ünï".into(), "1".into()], vec!["日報".into(), "22".into()]];
        assert_eq!(fitted(&["NAME", "N"], &rows, None), "NAME  N\nünï   1\n日報  22\n");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column() {
        let rows = [vec!["short".into(), "a reason that nobody has the room to read".into(), "7".into()]];
        let table = fitted(&["NAME", "WHY", "N"], &rows, Some(30));
        assert!(table.lines().all(|line| line.chars().count() <= 30), "{table}");
        assert!(table.contains("short  a reason that") && table.contains('…') && table.contains(" 7"), "{table}");
        assert!(fitted(&["NAME", "WHY", "N"], &rows, Some(3)).contains('7'), "too narrow for anything is no loop");
    }

    #[test]
    fn a_line_is_cut_to_what_is_left_of_it() {
        assert_eq!(cut("as it is", 10, None), "as it is");
        assert_eq!(cut("some words of a title", 10, Some(24)), "some words of…");
        assert_eq!(cut("日本の新聞の見出し", 0, Some(10)), "日本の新…");
    }
}

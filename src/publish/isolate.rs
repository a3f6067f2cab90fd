//! What one story spoils costs that story.
//!
//! Pure, but for what the panic hook prints. What is published is made of texts that strangers wrote; a panic there is a fault of
//! ours, which must not take the other stories along.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::store::{Error, Result};

/// Does `work`, whose panic is an error like any other.
///
/// # Errors
/// What `work` returned, or [`Error::Panicked`].
pub(super) fn work<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // It reads the store and makes values; what it leaves half done is thrown away.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Panicked))
}

/// What `render` makes of all of so many stories, or of as many as it can: those with which it panics are left out, and given
/// by their positions.
///
/// `render` is given the positions of the stories to take, or `None` for all of them.
pub(super) fn rendered<T>(stories: usize, render: impl Fn(Option<&[usize]>) -> T) -> (T, Vec<usize>) {
    let try_with = |positions: Option<&[usize]>| catch_unwind(AssertUnwindSafe(|| render(positions)));
    if let Ok(all) = try_with(None) {
        return (all, Vec::new());
    }
    let (good, bad): (Vec<usize>, Vec<usize>) = (0..stories).partition(|position| try_with(Some(&[*position])).is_ok());
    match try_with(Some(&good)) {
        Ok(rendered) => (rendered, bad),
        // It was none of the stories.
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_that_cannot_be_rendered_is_left_out_and_named() {
        let check = |stories: &[&str], expected: &str, left_out: &[usize]| {
            let title = |at: usize| if stories[at] == "bad" { panic!("on purpose") } else { stories[at] };
            let render = |positions: Option<&[usize]>| -> String {
                let all: Vec<usize> = (0..stories.len()).collect();
                positions.unwrap_or(&all).iter().map(|at| title(*at)).collect()
            };
            assert_eq!(rendered(stories.len(), render), (expected.to_owned(), left_out.to_vec()));
        };
        check(&["a", "b"], "ab", &[]);
        check(&["a", "bad", "b", "bad"], "ab", &[1, 3]);
        check(&["bad"], "", &[0]);
    }

    #[test]
    fn work_that_panics_is_an_error() {
        assert!(matches!(work(|| -> Result<()> { panic!("on purpose") }), Err(Error::Panicked)));
        assert_eq!(work(|| Ok(7)).unwrap(), 7);
    }
}

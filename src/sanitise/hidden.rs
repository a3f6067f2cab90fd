//! What the publisher hid.
//!
//! Pure. With the style that hid a text its text goes too (HTML §6.1): preview lines of newsletters, labels for screen readers,
//! the copy of a picture that only old programs were to show.

use super::space;
use super::tree::Tree;
use crate::text::hidden::is_hidden;

/// Takes the element with this number out of the text if it is hidden.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    let is_out = tree.element(number).is_some_and(|element| {
        !element.attributes.is_empty() && element.html().is_some() && is_hidden(|name| element.value(name))
    });
    if is_out && tree.html(number).is_some_and(space::is_block) {
        // It still parts what stands around it.
        while let Some(inner) = tree.first(number) {
            tree.detach(inner);
        }
        tree.element_mut(number).into_iter().for_each(|element| element.unset("id"));
    } else if is_out {
        tree.detach(number);
    }
}

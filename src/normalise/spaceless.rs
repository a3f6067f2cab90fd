//! Scripts that write no spaces between words, taken apart so that words can be looked for.
//!
//! Pure. Chinese, Japanese, Thai, Lao, Khmer and Burmese mark no words, and dictionaries that find them are large and disagree.
//! So each character is a word of its own to the index, and what a person looks for is a phrase of such words: it is found
//! wherever it stands, and a word of one or two characters as well as a long one.

use std::borrow::Cow;

/// The text with a space between each character of a script that writes none and its neighbours.
#[must_use]
pub fn apart(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(is_spaceless) {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len() * 4 / 3);
    let mut was_spaceless = false;
    for c in text.chars() {
        let is_spaceless = is_spaceless(c);
        if (is_spaceless || was_spaceless) && !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push(c);
        was_spaceless = is_spaceless;
    }
    Cow::Owned(spaced)
}

/// Whether a character belongs to such a script. Digits do not: they make numbers.
fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e01}'..='\u{0e4e}' // Thai
        | '\u{0e81}'..='\u{0ecf}' // Lao
        | '\u{1000}'..='\u{103f}' | '\u{104c}'..='\u{108f}' | '\u{a9e0}'..='\u{a9ef}' | '\u{aa60}'..='\u{aa7f}' // Burmese
        | '\u{1780}'..='\u{17d3}' | '\u{17d7}' | '\u{17dc}'..='\u{17dd}' // Khmer
        | '\u{1950}'..='\u{19cf}' | '\u{1a20}'..='\u{1a7f}' | '\u{aa80}'..='\u{aadf}' // Tai Le, New Tai Lue, Tai Tham, Tai Viet
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3041}'..='\u{312f}' | '\u{31a0}'..='\u{31ff}' // kana, bopomofo
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{a48f}' | '\u{f900}'..='\u{faff}' // ideographs, Yi
        | '\u{ff66}'..='\u{ff9f}' // kana of half width
        | '\u{1b000}'..='\u{1b2ff}' | '\u{20000}'..='\u{3ffff}' // rare ones
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(apart(text), expected, "{text}");
    }

    #[test]
    fn each_character_of_a_script_without_spaces_stands_alone() {
        check("東京都で大雨", "東 京 都 で 大 雨");
        check("中国GDP增长5.2%", "中 国 GDP 增 长 5.2%");
        check("カタカナー", "カ タ カ ナ ー");
        check("กรุงเทพ2569", "ก ร ุ ง เ ท พ 2569");
        check("ភ្នំពេញ", "ភ ្ ន ំ ព េ ញ");
        check("မြန်မာ", "မ ြ န ် မ ာ");
        check("𠮷野家", "𠮷 野 家");
    }

    #[test]
    fn words_of_other_scripts_stay_as_they_are() {
        for text in ["", "A ferry", "Élan", "부산에서 열린", "Москва", "בירת", "हिन्दी", "€5"]
        {
            assert!(matches!(apart(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}

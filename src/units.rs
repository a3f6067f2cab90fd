//! Lengths of time and sizes, as a person writes them.
//!
//! Pure. What is printed here is read back as the same value.

use std::time::Duration;

/// Units of time, the longest first, in milliseconds.
///
/// Weeks are read but not printed: `90d` says more than `12w6d`.
const TIME_UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size in bytes; binary before decimal, each the largest first.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a length of time: `30s`, `15m`, `6h`, `90d`, `1w`, `250ms`, or several in a row as in `1h30m`.
///
/// # Errors
///
/// What is wrong and how to write it, to stand behind the text in a message.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const CURE: &str = "write a number and `s`, `m`, `h`, `d` or `w`, for example `30s`, `6h` or `1h30m`";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("is empty; {CURE}"));
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (count, after) = leading_number(rest).ok_or(format!("is no length of time; {CURE}"))?;
        let after = after.trim_start();
        let letters = after.chars().take_while(|c| c.is_alphabetic()).count();
        let unit: String = after.chars().take(letters).collect();
        if unit.is_empty() {
            let problem = if after.is_empty() { "has no unit" } else { "is no length of time" };
            return Err(format!("{problem}; {CURE}"));
        }
        let unit_ms = TIME_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, unit_ms)| *unit_ms)
            .ok_or_else(|| format!("has the unknown unit `{unit}`; {CURE}"))?;
        total_ms = count
            .checked_mul(unit_ms)
            .and_then(|part| total_ms.checked_add(part))
            .ok_or_else(|| format!("is too long; {CURE}"))?;
        rest = after.get(unit.len()..).unwrap_or_default().trim_start();
    }
    Ok(Duration::from_millis(total_ms))
}

/// Prints a length of time so that [`duration`] reads it back, cut to milliseconds: `1h30m`, `90d`, `0s`.
pub(crate) fn print_duration(length: Duration) -> String {
    let mut rest_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut printed = String::new();
    for (name, unit_ms) in TIME_UNITS.iter().skip(1) {
        if rest_ms >= *unit_ms {
            printed.push_str(&format!("{}{name}", rest_ms / unit_ms));
            rest_ms %= unit_ms;
        }
    }
    printed
}

/// Reads a size in bytes: `16MiB`, `64KiB`, `2GiB`, the decimal `10MB`, or `512B`.
///
/// # Errors
///
/// What is wrong and how to write it, to stand behind the text in a message.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const CURE: &str = "write a number and `KiB`, `MiB` or `GiB`, for example `16MiB`";
    let (count, unit) = leading_number(text.trim()).ok_or_else(|| format!("is no size; {CURE}"))?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(format!("has no unit; {CURE}"));
    }
    let unit_bytes = SIZE_UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, unit_bytes)| *unit_bytes)
        .ok_or_else(|| format!("has the unknown unit `{unit}`; {CURE}"))?;
    count.checked_mul(unit_bytes).ok_or_else(|| format!("is too large; {CURE}"))
}

/// Prints a size so that [`size`] reads it back: `16MiB`, `10MB`, `1500B`.
pub(crate) fn print_size(size_bytes: u64) -> String {
    let (name, unit_bytes) = SIZE_UNITS
        .iter()
        .find(|(_, unit_bytes)| size_bytes >= *unit_bytes && size_bytes.is_multiple_of(*unit_bytes))
        .unwrap_or(&("B", 1));
    format!("{}{name}", size_bytes / unit_bytes)
}

/// Splits `30s` into 30 and `s`; `None` without leading digits, or with more than fit.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_read_and_printed_back() {
        fn check(text: &str, seconds: u64, printed: &str) {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_secs(seconds), "{text}");
            assert_eq!(print_duration(read), printed, "{text}");
        }
        check("0s", 0, "0s");
        check("30s", 30, "30s");
        check("15m", 900, "15m");
        check("6h", 21_600, "6h");
        check("90d", 7_776_000, "90d");
        check("1w", 604_800, "7d");
        check("1h30m", 5_400, "1h30m");
        check("90m", 5_400, "1h30m");
        check(" 1h 30m ", 5_400, "1h30m");
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(print_duration(Duration::from_millis(1_250)), "1s250ms");
    }

    #[test]
    fn what_is_no_length_of_time_is_told_apart() {
        fn check(text: &str, start: &str) {
            let message = duration(text).unwrap_err();
            assert!(message.starts_with(start), "{text}: {message}");
        }
        check("", "is empty; write");
        check("30", "has no unit; write");
        check("soon", "is no length of time; write");
        check("-5m", "is no length of time; write");
        check("1.5h", "is no length of time; write");
        check("5 minutes", "has the unknown unit `minutes`; write");
        check("5µ", "has the unknown unit `µ`; write");
        check("99999999999999999d", "is too long; write");
        check("99999999999999999999999d", "is no length of time; write");
    }

    #[test]
    fn sizes_are_read_and_printed_back() {
        fn check(text: &str, bytes: u64, printed: &str) {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(print_size(bytes), printed, "{text}");
        }
        check("16MiB", 16 << 20, "16MiB");
        check("64KiB", 64 << 10, "64KiB");
        check("2GiB", 2 << 30, "2GiB");
        check("10MB", 10_000_000, "10MB");
        check("16 mib", 16 << 20, "16MiB");
        check("1500B", 1_500, "1500B");
        check("0B", 0, "0B");
    }

    #[test]
    fn what_is_no_size_is_told_apart() {
        fn check(text: &str, start: &str) {
            let message = size(text).unwrap_err();
            assert!(message.starts_with(start), "{text}: {message}");
        }
        check("16", "has no unit; write");
        check("big", "is no size; write");
        check("16M", "has the unknown unit `M`; write");
        check("99999999999999999GiB", "is too large; write");
    }

    proptest! {
        #[test]
        fn a_printed_length_reads_back_as_itself(ms in 0..10_u64.pow(13)) {
            let length = Duration::from_millis(ms);
            prop_assert_eq!(duration(&print_duration(length)), Ok(length));
        }

        #[test]
        fn a_printed_size_reads_back_as_itself(bytes: u64) {
            prop_assert_eq!(size(&print_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text: String) {
            let _ = (duration(&text), size(&text));
        }
    }
}

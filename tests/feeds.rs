//! What our own small documents parse to, one for each dialect and each repair.
//!
//! Each snapshot shows the whole of what was read, so a change of behaviour shows as a change of a file. None of the
//! documents is anybody's feed.

use std::fmt::Write;
use std::path::PathBuf;

use newsfold::parse::{self, Context};

fn documents() -> Vec<(String, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/feeds");
    let entries = std::fs::read_dir(directory).expect("our own documents");
    let mut documents: Vec<_> = entries
        .flatten()
        .map(|entry| {
            let document = std::fs::read(entry.path()).expect("our own document");
            (entry.file_name().to_string_lossy().into_owned(), document)
        })
        .collect();
    documents.sort();
    documents
}

/// The fields that say something, a line each.
fn told(document: &[u8]) -> String {
    let feed = match parse::parse(document, Context::default()) {
        Ok(feed) => feed,
        Err(error) => return format!("{error}\n"),
    };
    let mut told = String::new();
    let empty = [
        "None",
        "[]",
        "\"\"",
        "false",
        "0",
        "Hints { ttl_s: None, update_period_s: None, skip_hours: 0, skip_days: 0 }",
    ];
    let mut tell = |indent: &str, field: &str, value: String| {
        if !empty.contains(&value.as_str()) {
            let value = value.strip_prefix("Some(").and_then(|value| value.strip_suffix(')')).unwrap_or(&value);
            let _ = writeln!(told, "{indent}{field}: {value}");
        }
    };
    macro_rules! fields {
        ($indent:literal, $of:expr, $($field:ident)*) => { $( tell($indent, stringify!($field), format!("{:?}", $of.$field)); )* };
    }
    fields!("", feed, format id title link description base language updated authors image hints self_link hubs cloud next_page
        previous_archive current is_archive is_complete repairs faults);
    for entry in &feed.entries {
        tell("", "entry", String::new());
        fields!("  ", entry, id id_is_permalink url title summary content base published updated authors categories enclosures
            language image comments comment_count in_reply_to source);
    }
    told
}

#[test]
fn our_documents_are_read_as_they_were() {
    for (name, document) in documents() {
        insta::assert_snapshot!(name.replace('.', "-"), told(&document));
    }
}

#[test]
fn a_document_cut_anywhere_costs_no_whole_entry() {
    for name in ["sound-rss2.xml", "sound-atom.xml", "rss-10.xml", "atom-03.xml"] {
        let (_, document) = documents().into_iter().find(|(found, _)| found == name).unwrap();
        let whole = parse::parse(&document, Context::default()).unwrap();
        for end in 0..document.len() {
            let piece = &document[..end];
            let ends = [&b"</item>"[..], b"</entry>"]
                .map(|mark| piece.windows(mark.len()).filter(|window| *window == mark).count())
                .iter()
                .sum::<usize>();
            let read = parse::parse(piece, Context::default());
            let entries = read.map(|feed| feed.entries).unwrap_or_default();
            assert!(entries.len() >= ends, "{name} cut at {end}");
            assert_eq!(entries[..ends], whole.entries[..ends], "{name} cut at {end}");
        }
    }
}

#[test]
fn a_defect_costs_no_other_entry() {
    let good = "<item><title>Good</title><link>https://example.org/good</link><guid>good</guid></item>";
    for bad in [
        "<item><title>A & B</title></item>",
        "<item><title>1 < 2</title></item>",
        "<item><title>open</item>",
        "<item><description><![CDATA[<p>open]]></item>",
        "<item></title></item>",
        "<item><pubDate>no date</pubDate></item>",
        "<item><enclosure url=\"\" length=\"many\"/></item>",
        "<item><title>&#0;&nope;</title></item>",
        "<item>",
    ] {
        let document = format!("<rss version=\"2.0\"><channel><title>t</title>{good}{bad}{good}</channel></rss>");
        let feed = parse::parse(document.as_bytes(), Context::default()).unwrap();
        let read = feed.entries.iter().filter(|entry| entry.id.as_deref() == Some("good")).count();
        assert_eq!(read, 2, "{bad}");
    }
}

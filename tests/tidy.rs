//! The rules of the house that a machine can hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_says_what_it_is_for_and_whether_it_is_pure() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} has no header", path.display());
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let is_declared = header.contains("Pure") || header.contains("Edge") || header.contains("**pure**");
        let is_exempt = ["lib.rs", "main.rs", "config/tests.rs"].iter().any(|exempt| path.ends_with(exempt));
        assert!(is_declared || is_exempt, "{} does not say whether it is pure", path.display());
    }
}

#[test]
fn pure_files_name_no_effect() {
    const EFFECTS: &[&str] = &[
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::env::var",
        "tokio::",
        "reqwest::",
        "rusqlite::",
        "tracing::",
        "clock::",
    ];
    for (path, text) in sources() {
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        if !header.contains("Pure") || header.contains("Pure but") {
            continue;
        }
        let code = code(&text);
        for effect in EFFECTS {
            assert!(!code.contains(effect), "{} says that it is pure and names `{effect}`", path.display());
        }
    }
}

#[test]
fn each_crate_stays_at_home() {
    const HOMES: &[(&str, &[&str])] = &[
        ("reqwest::", &["fetch"]),
        ("feed_rs::", &["parse"]),
        ("cron::", &["schedule"]),
        ("axum::", &["serve"]),
        ("ammonia::", &["sanitise"]),
        ("minijinja::", &["publish"]),
        ("indicatif::", &["terminal"]),
        ("aws_lc_rs::", &["websub"]),
        ("toml::", &["config"]),
        ("psl::", &["net"]),
        ("zstd::", &["store", "fetch", "publish"]),
        ("rmp_serde::", &["store"]),
        ("rusqlite::", &["store"]),
    ];
    for (path, text) in sources() {
        let first = path.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        let code = code(&text);
        for (name, homes) in HOMES {
            let is_named = code.split(name).skip(1).count() > 0
                && code.split(name).any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            assert!(!is_named || homes.contains(&first.as_str()), "`{name}` is named in {}", path.display());
        }
    }
}

#[test]
fn the_store_opens_no_file_that_sqlite_has_open() {
    // Whoever closes a descriptor of SQLite's files gives up the process's locks on them (`store::file` says more). What may
    // be opened: the lock, a file that is only now made, and a folder.
    const MAY: &[(&str, &str, usize)] = &[
        ("store/file.rs", "OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(&lock)", 1),
        ("store/file.rs", "OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)", 1),
        ("store/whole_copy.rs", "std::fs::File::open(folder_of(path))", 1),
    ];
    const OPEN: &[&str] = &[
        "File::open",
        "File::create",
        "OpenOptions::new",
        "File::options",
        "fs::read(",
        "fs::read_to_string",
        "fs::write",
        "fs::copy",
    ];
    let is_store = |path: &Path| path.starts_with("store") || path == Path::new("store.rs");
    for (path, text) in sources().into_iter().filter(|(path, _)| is_store(path)) {
        let mut code: String = code(&text);
        for (_, argued, times) in MAY.iter().filter(|(file, ..)| path == Path::new(file)) {
            assert_eq!(code.matches(argued).count(), *times, "`{argued}` in {}", path.display());
            code = code.replace(argued, "");
        }
        for open in OPEN {
            assert!(!code.contains(open), "{} opens a file: `{open}`", path.display());
        }
    }
}

#[test]
fn markdown_names_no_line_numbers_and_no_unfinished_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/performance.md", "docs/releasing.md"]
    {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for word in ["TODO", "FIXME", ".rs:"] {
            assert!(!text.contains(word), "{name} contains {word:?}");
        }
    }
}

#[test]
fn every_test_that_holds_a_rule_of_polling_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code: String = sources().into_iter().map(|(_, text)| text).collect();
    for folder in ["tests", "tests/behaviour"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                code += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let rules = std::fs::read_to_string(root.join("tests/POLLING_RULES.md")).unwrap();
    let rows = rules.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        for test in tests.split('`').skip(1).step_by(2) {
            assert!(code.contains(&format!("fn {test}(")), "`{test}` is in the table and nowhere else");
            named += 1;
        }
    }
    assert!(named > 60, "the table was not read");
}

#[test]
fn both_services_are_shut_off_alike() {
    let sandbox = |unit: &str| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(unit)).unwrap();
        let (_, from) = text.split_once("DynamicUser=").unwrap();
        from.split_once("[Install]").map_or(from, |(before, _)| before).trim().to_owned()
    };
    assert_eq!(sandbox("newsfold.service"), sandbox("newsfold-poll.service"));
}

#[test]
fn words_that_were_replaced_do_not_come_back() {
    // ARCHITECTURE.md has a glossary with the field's words for these.
    const REPLACED: &[&str] =
        &["manners", "roster", "upkeep", "uplink", "gates", "furniture", "habits", "errand", "urgency", "desk"];
    for (path, text) in sources() {
        let code = code(&text).to_lowercase();
        for word in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
            assert!(!REPLACED.contains(&word), "`{word}` is in {}", path.display());
        }
    }
}

//! How pages look: templates and one style sheet, those of the program or an operator's own.
//!
//! Edge: reads a folder of templates, and logs when one of them fails. Then the program's own stands in for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value};
use xxhash_rust::xxh3::Xxh3;

use crate::sanitise;

/// Every template by its name; the style sheet is none, but may be replaced like them.
const BUILT_IN: [(&str, &str); 7] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("river.html", include_str!("templates/river.html")),
    ("search.html", include_str!("templates/search.html")),
    ("story.html", include_str!("templates/story.html")),
    ("feeds.html", include_str!("templates/feeds.html")),
    ("feed.html", include_str!("templates/feed.html")),
    (STYLE, include_str!("templates/style.css")),
];
const STYLE: &str = "style.css";
/// What browsers show beside the title.
pub const ICON: &str = include_str!("templates/icon.svg");
/// The same for feed readers, which take no drawing.
pub const ICON_PNG: &[u8] = include_bytes!("templates/icon.png");
/// The same where browsers and readers look for it unasked.
pub const FAVICON: &[u8] = include_bytes!("templates/favicon.ico");

static OWN: LazyLock<Theme> =
    LazyLock::new(|| Theme::of(BUILT_IN.map(|(name, text)| (name, text.to_owned())).into()).expect("tested"));

/// The templates of all pages.
#[derive(Debug, Clone)]
pub struct Theme {
    templates: Arc<Environment<'static>>,
    style: Arc<str>,
    /// Of the texts of all of them.
    digest: u64,
}

/// A template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// It cannot be read.
    #[error("{}: {error}; `serve.templates` names a folder of templates, each of which must be readable", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It has a fault.
    #[error("{0}; correct the template, or take it out of `serve.templates` for the program's own")]
    Wrong(String),
}

/// Text as HTML, with what stands between backticks as code.
fn coded(text: &str) -> String {
    let escaped = sanitise::escape(text);
    let parts: Vec<&str> = escaped.split('`').collect();
    // The last of an odd number of backticks stands for itself.
    let pairs = (parts.len() - 1) / 2 * 2;
    let mut html = String::with_capacity(escaped.len() + 13 * pairs);
    for (position, part) in parts.iter().enumerate() {
        html.push_str(part);
        if position + 1 < parts.len() {
            html.push_str(match position {
                last if last >= pairs => "`",
                opens if opens % 2 == 0 => "<code>",
                _ => "</code>",
            });
        }
    }
    html
}

impl Default for Theme {
    fn default() -> Self {
        OWN.clone()
    }
}

impl Theme {
    /// The program's own templates, each replaced by the file of its name in `folder` where there is one.
    ///
    /// # Errors
    /// When a file there cannot be read, or is no template.
    pub fn from(folder: Option<&Path>) -> Result<Self, ThemeError> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        std::fs::read_dir(folder).map_err(|error| ThemeError::Unreadable { path: folder.to_owned(), error })?;
        let mut texts = BTreeMap::new();
        for (name, own) in BUILT_IN {
            let path = folder.join(name);
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => own.to_owned(),
                Err(error) => return Err(ThemeError::Unreadable { path, error }),
            };
            texts.insert(name, text);
        }
        Self::of(texts).map_err(|error| match error {
            ThemeError::Wrong(told) => ThemeError::Wrong(format!("{}", folder.join(told).display())),
            unreadable => unreadable,
        })
    }

    fn of(mut texts: BTreeMap<&'static str, String>) -> Result<Self, ThemeError> {
        let mut digest = Xxh3::new();
        for (name, text) in &texts {
            digest.update(name.as_bytes());
            digest.update(text.as_bytes());
        }
        let style = texts.remove(STYLE).unwrap_or_default().into();
        let mut templates = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            templates.set_syntax(syntax);
        }
        // Minijinja's own escaping spares no slash, which makes every address twice as long and hard to read.
        templates.set_formatter(|out, state, value| {
            if value.is_safe() || !matches!(state.auto_escape(), AutoEscape::Html) || value.as_str().is_none() {
                return minijinja::escape_formatter(out, state, value);
            }
            let escaped = sanitise::escape(value.as_str().unwrap_or_default()).replace('\'', "&#39;");
            out.write_str(&escaped).map_err(minijinja::Error::from)
        });
        templates.add_filter("coded", |text: String| Value::from_safe_string(coded(&text)));
        for (name, text) in texts {
            templates.add_template_owned(name, text).map_err(|error| ThemeError::Wrong(told(&error)))?;
        }
        Ok(Self { templates: Arc::new(templates), style, digest: digest.digest() })
    }

    /// A number that other templates would not have.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The style sheet.
    #[must_use]
    pub fn style(&self) -> &str {
        &self.style
    }

    /// A page. A template of the operator's that fails is logged, and the program's own shows what there is to show.
    #[must_use]
    pub fn page(&self, template: &str, shown: &Value) -> String {
        self.render(template, shown).unwrap_or_else(|error| {
            tracing::error!(
                name: "theme.failed",
                template,
                "{}; the program's own template is shown instead",
                told(&error)
            );
            OWN.render(template, shown).expect("the program's own templates show whatever there is")
        })
    }

    fn render(&self, template: &str, shown: &Value) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(shown)
    }
}

fn told(error: &minijinja::Error) -> String {
    let place = match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!("{name}:{line}: "),
        _ => String::new(),
    };
    format!("{place}{error}")
}

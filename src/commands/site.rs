//! What commands publish is what the daemon publishes.
//!
//! Edge: reads templates.

use crate::config::Config;
use crate::publish::theme::{Theme, ThemeError};
use crate::publish::{Output, Site};
use crate::serve::OperatorsPages;

/// What is to be published, as the daemon of this configuration publishes it.
pub(super) fn site(config: &Config, outputs: Vec<Output>) -> Result<Site, ThemeError> {
    let theme = Theme::from(config.serve.templates.as_deref())?;
    let shows_feeds = OperatorsPages::configured(&config.serve) == OperatorsPages::WithReaders;
    Ok(Site::new(outputs, theme, &config.serve, shows_feeds))
}

//! Telling our hub of what changed (WebSub §7).
//!
//! Edge. The store knows as what each document was told, so that a restart tells nothing twice, and what the hub could not be
//! told is told the next time.

use url::Url;

use crate::config::Format;
use crate::fetch::hub;
use crate::publish::{Output, Published};
use crate::store::{self, Store, hubs};

/// Tells the hub of the documents of the outputs that `is_meant` names, as far as they changed since it was told of them. The
/// inner error is why it could not be.
///
/// # Errors
/// When the store refuses.
pub(crate) async fn tell_of_changes(
    store: &Store,
    published: &Published,
    is_meant: impl Fn(&Output) -> bool,
    hub: &Url,
    user_agent: &str,
) -> store::Result<Result<(), hub::Error>> {
    let asked = hub.clone();
    let told = store.read(move |connection| hubs::documents_told(connection, &asked)).await?;
    let outputs = published.site().outputs.iter().filter(|output| is_meant(output));
    let documents = outputs.flat_map(|output| documents(output, published));
    let changed: Vec<_> = documents.filter(|(address, etag)| told.get(address) != Some(etag)).collect();
    let count = changed.len();
    for (address, etag) in changed {
        if let Err(error) = hub::tell(hub, &address, user_agent).await {
            return Ok(Err(error));
        }
        let hub = hub.clone();
        store.write(64, move |context| hubs::tell_document(context.tx, &hub, &address, &etag)).await?;
    }
    if count > 0 {
        tracing::debug!(name: "hub.notified", documents = count, "the hub was told");
    }
    Ok(Ok(()))
}

/// The documents that subscribers may name to the hub, each with its entity tag.
fn documents(output: &Output, published: &Published) -> Vec<(String, String)> {
    let heading = output.heading();
    let formats = output.config.formats.iter().filter(|format| **format != Format::Html);
    let document = |format: &Format| {
        let page = published.ready(&format!("/{}{}", heading.name, format.ending()))?;
        Some((heading.address(format.ending()), page.etag().to_owned()))
    };
    formats.filter_map(document).collect()
}

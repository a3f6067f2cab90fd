//! The floor under a cold poll: the same documents asked for by the same client, unpacked and thrown away.
//!
//! `cargo bench --bench floor -- URLS` where URLS is a file with an address a line. `benches/poll.py` runs it beside
//! `newsfold poll` and prints the ratios.

use std::sync::Arc;
use std::time::Duration;

use newsfold::clock;
use newsfold::fetch::access::Access;
use newsfold::fetch::{Client, Fetched, Question, Settings, SystemNames, decode};
use newsfold::politeness::Politeness;
use tokio::sync::Semaphore;
use url::Url;

const MOST: u64 = 16 << 20;

fn main() {
    let Some(file) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        // Without a workload there is nothing to measure; `cargo bench` alone runs the other benches.
        eprintln!("floor: give a file with an address a line");
        return;
    };
    let list = std::fs::read_to_string(&file).expect("the list of addresses can be read");
    let addresses: Vec<Url> = list.lines().map(|line| line.trim().parse().expect("an address a line")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let (documents, bytes) = runtime.block_on(download(addresses));
    eprintln!("{documents} documents, {bytes} bytes");
}

async fn download(addresses: Vec<Url>) -> (usize, usize) {
    let settings = Settings {
        user_agent: "newsfold-floor".into(),
        timeout: Duration::from_secs(30),
        max_body_bytes: MOST,
        per_host: 64,
        per_host_gap: Duration::ZERO,
        look_up: Arc::new(SystemNames::default()),
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
    };
    let client = Client::new(settings, Politeness::default());
    let places = Arc::new(Semaphore::new(32));
    let tasks: Vec<_> = addresses
        .into_iter()
        .map(|address| {
            let (client, places) = (client.clone(), places.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("never closed");
                match client.get(Question::first(&address, &Access::default()), clock::now()).await.expect("an answer")
                {
                    Fetched::Document(document, _) => {
                        decode::decode(document.body, &document.coding, MOST).expect("a sound body").len()
                    }
                    Fetched::NotModified(_) | Fetched::Gone => 0,
                }
            })
        })
        .collect();
    let (mut documents, mut bytes) = (0, 0);
    for task in tasks {
        bytes += task.await.expect("a task that ends");
        documents += 1;
    }
    (documents, bytes)
}

//! The feeds of the configuration under their handles in the store: who is polled, how, and for which output.
//!
//! Edge where [`Subscriptions::sync`] makes the store's feeds those of the configuration, and where outputs are told apart by
//! their tokens; pure otherwise.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::config::{Access, Config, FeedConfig, FeedNames, Format, Listen, NotifyConfig, OutputConfig, Role, Secret};
use crate::fold::Rules;
use crate::fold::canonical::Site;
use crate::model::{Feed, FeedRef, Level};
use crate::net::domain::domain_of;
use crate::net::without_fragment;
use crate::notify::Watcher;
use crate::publish::{Output, token};
use crate::redact;
use crate::schedule::{self, Due};
use crate::store::{self, Connection, Policy, WriteContext, cooldowns, feeds, hubs, lists, outputs, stories};
use crate::subscription::{self, IngestOptions, Subscription};
use crate::update::listing::Standing;

/// The configured feeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscriptions {
    /// Shared, because every round of polls takes it to the store.
    members: Arc<BTreeMap<FeedRef, Member>>,
    /// Those of them that were never asked when the configuration was read.
    new: Arc<HashSet<FeedRef>>,
}

#[derive(Debug, Clone)]
struct Member {
    config: Arc<FeedConfig>,
    subscription: Arc<Subscription>,
}

impl Subscriptions {
    /// Makes the store's feeds those of the configuration, and their due times what it asks for.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) fn sync(context: &mut WriteContext<'_>, config: &Config, now: DateTime<Utc>) -> store::Result<Self> {
        let tx = context.tx;
        let (feeds, reconfigured) = reconfigure(tx, config, now)?;
        let first_poll = |feed: &FeedConfig| first_poll(config, feed, feeds.len(), now);
        for feed in reconfigured.changed {
            stories::settle_those_of(tx, feed, false, now)?;
        }
        for feed in reconfigured.ranked_anew {
            stories::settle_those_of(tx, feed, true, now)?;
        }
        if reconfigured.joins_changed {
            context.memory.index = None;
        }
        let subscriptions = Self::of(config, reconfigured.handles.into_iter().zip(&feeds));
        for output in &config.outputs {
            output.formerly.iter().try_for_each(|former| outputs::rename(tx, former, &output.name))?;
        }
        for list in reconfigured.moved_lists {
            // What it names there may be something else.
            if let Some(subscription) = subscriptions.subscription(list) {
                let due = Due { at: now, reason: "the list has a new address".to_owned() };
                feeds::plan(tx, list, &due, &subscription.plan_name(false))?;
            }
        }
        hubs::sync(tx, config.serve.websub, &config.serve.public_url, now)?;
        let held = cooldowns::all(tx, now)?;
        for (feed, planned_by, is_told) in feeds::plans(tx)? {
            let Some(Member { config, subscription }) = subscriptions.members.get(&feed) else { continue };
            if let Role::Left(list) = &config.role {
                // Should the list name it again, it is planned anew.
                let wanted = format!("left the list `{list}`");
                if wanted != planned_by {
                    feeds::plan(tx, feed, &Due { at: Feed::NEVER, reason: wanted.clone() }, &wanted)?;
                }
                continue;
            }
            let wanted = subscription.plan_name(is_told);
            // One more poll finds what was published before the hub began to tell.
            let is_newly_told = is_told && planned_by == subscription.plan_name(false);
            if wanted != planned_by && !is_newly_told {
                let state = match feeds::one(tx, feed) {
                    Ok(state) => state,
                    // It is told when the feed comes due, and costs no other its plan.
                    Err(error) if error.policy() == Policy::Report => continue,
                    Err(error) => return Err(error),
                };
                let planned = subscription.retry(&state, feeds.len(), now).or_else(|| subscription.replan(&state));
                let mut due = planned.unwrap_or_else(|| first_poll(config));
                let domain = domain_of(state.target());
                if let Some(until) = held.until(&domain, now).filter(|until| *until > due.at) {
                    due = Due { at: until, reason: format!("Retry-After of {domain}") };
                }
                feeds::plan(tx, feed, &due, &wanted)?;
            }
        }
        Ok(Self { new: Arc::new(feeds::never_asked(tx)?), ..subscriptions })
    }

    /// Whether a feed had never been asked when the configuration was read.
    pub(crate) fn is_new(&self, feed: FeedRef) -> bool {
        self.new.contains(&feed)
    }

    /// The configured feeds as far as the store knows them already. Changes nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn look_up(connection: &Connection, config: &Config) -> store::Result<Self> {
        let sources = feeds::sources(connection)?;
        let handles: HashMap<&str, FeedRef> =
            sources.iter().map(|source| (source.address.as_str(), source.feed)).collect();
        let feeds = with_listed(connection, config)?;
        let known = feeds.iter().filter_map(|feed| Some((*handles.get(feed.url.as_str())?, feed)));
        Ok(Self::of(config, known))
    }

    /// Configured feeds under these handles.
    pub(crate) fn of<'a>(config: &Config, feeds: impl Iterator<Item = (FeedRef, &'a Arc<FeedConfig>)>) -> Self {
        let feeds: Vec<(FeedRef, &Arc<FeedConfig>)> = feeds.collect();
        let member = |feed: &Arc<FeedConfig>| {
            let options = IngestOptions {
                level: feed.fold.unwrap_or(config.fold.level),
                folding: rules(config),
                backfill: config.poll.backfill,
                keep: feed.keep.clone(),
                drop: feed.drop.clone(),
                site: Site::of(feed.home.as_ref().unwrap_or(&feed.url)),
                is_aggregator: feed.is_aggregator,
            };
            let subscription = Subscription {
                cadence: feed.cadence.clone().unwrap_or_else(|| config.poll.cadence.clone()),
                min_interval: config.poll.min_interval,
                access: feed.access.clone(),
                asked_as: subscription::asked_as(&feed.access, &config.poll),
                options: Arc::new(options),
                is_list: feed.role == Role::List,
            };
            Member { config: feed.clone(), subscription: Arc::new(subscription) }
        };
        let members = Arc::new(feeds.into_iter().map(|(handle, feed)| (handle, member(feed))).collect());
        Self { members, new: Arc::default() }
    }

    /// The handles of all feeds.
    pub(crate) fn handles(&self) -> impl Iterator<Item = FeedRef> {
        self.members.keys().copied()
    }

    /// How many feeds there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How to poll a feed; `None` when it is not to be polled, because the configuration does not name it, or the list does not
    /// any more that named it.
    #[must_use]
    pub(crate) fn subscription(&self, feed: FeedRef) -> Option<&Arc<Subscription>> {
        let member = self.members.get(&feed).filter(|member| !matches!(member.config.role, Role::Left(_)));
        member.map(|member| &member.subscription)
    }

    /// When a feed is due again should a poll begun at `now` never end.
    #[must_use]
    pub(crate) fn after_a_crash(&self, feed: &Feed, now: DateTime<Utc>) -> DateTime<Utc> {
        self.subscription(feed.feed).map_or(now, |subscription| subscription.after_a_crash(feed, now))
    }

    /// What a feed is called.
    #[must_use]
    pub(crate) fn name(&self, feed: FeedRef) -> Option<&str> {
        self.members.get(&feed).map(|member| member.config.name.as_str())
    }

    /// The address that a feed is configured with.
    #[must_use]
    pub(crate) fn address(&self, feed: FeedRef) -> Option<&Url> {
        self.members.get(&feed).map(|member| &member.config.url)
    }

    /// The addresses of those that are polled.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Url> {
        self.members
            .values()
            .filter(|member| !matches!(member.config.role, Role::Left(_)))
            .map(|member| &member.config.url)
    }

    /// The list that names a feed, if it is there for being named.
    #[must_use]
    pub(crate) fn listed_by(&self, feed: FeedRef) -> Option<&str> {
        match &self.members.get(&feed)?.config.role {
            Role::Listed(list) => Some(list),
            Role::Feed | Role::List | Role::Left(_) => None,
        }
    }

    /// The feed that bears this name.
    #[must_use]
    pub(crate) fn named(&self, name: &str) -> Option<FeedRef> {
        self.members.iter().find(|(_, member)| member.config.name == name).map(|(handle, _)| *handle)
    }

    /// The configured outputs with the feeds that they take stories from.
    #[must_use]
    pub(crate) fn outputs(&self, config: &Config) -> Vec<Output> {
        self.outputs_of(config, &config.outputs)
    }

    /// Who is to be told of stories.
    #[must_use]
    pub(crate) fn watchers(&self, config: &Config) -> Vec<Watcher> {
        let selections: Vec<OutputConfig> = config.notify.iter().map(|notify| notify.selection.clone()).collect();
        let outputs = self.outputs_of(config, &selections);
        let watcher = |(notify, output): (&NotifyConfig, Output)| Watcher { config: Arc::new(notify.clone()), output };
        config.notify.iter().zip(outputs).map(watcher).collect()
    }

    fn outputs_of(&self, config: &Config, outputs: &[OutputConfig]) -> Vec<Output> {
        // A list tells nothing itself.
        let feeds = || self.members.iter().filter(|(_, member)| member.config.role != Role::List);
        let tagged = |tags: &[String]| -> HashSet<FeedRef> {
            feeds()
                .filter(|(_, member)| member.config.tags.iter().any(|tag| tags.contains(tag)))
                .map(|(handle, _)| *handle)
                .collect()
        };
        let with_tags = self.members.iter().filter(|(_, member)| !member.config.tags.is_empty());
        let tags: Arc<HashMap<FeedRef, Vec<String>>> =
            Arc::new(with_tags.map(|(handle, member)| (*handle, member.config.tags.clone())).collect());
        let trusted = feeds().filter(|(_, member)| member.config.is_aggregator).map(|(handle, _)| *handle);
        let aggregators: Arc<HashSet<FeedRef>> = Arc::new(trusted.collect());
        let all: HashSet<FeedRef> = feeds().map(|(handle, _)| *handle).collect();
        let taken = |output: &OutputConfig| if output.tags.is_empty() { all.clone() } else { tagged(&output.tags) };
        let taken_by = |is_meant: &dyn Fn(&OutputConfig) -> bool| -> HashSet<FeedRef> {
            config.outputs.iter().filter(|output| is_meant(output)).flat_map(taken).collect()
        };
        // What only private outputs take is for their readers.
        let public = taken_by(&|output| output.token.is_none());
        let private = taken_by(&|output| output.token.is_some());
        let is_public = |feed: &FeedRef| public.contains(feed) || !private.contains(feed);
        let everybodys: HashSet<FeedRef> = all.iter().copied().filter(is_public).collect();
        let output = |output: &OutputConfig| {
            let (mut visible, hides) = (everybodys.clone(), everybodys.len() < all.len());
            // Somebody who is told of all the news without naming any is told of what is for everybody.
            let is_for_everybody = output.tags.is_empty() && output.token.is_none();
            if hides && !is_for_everybody {
                visible.extend(taken(output));
                if let Some(token) = &output.token {
                    let is_known_too = |other: &Secret| token::is_one(other, token);
                    visible.extend(taken_by(&|other| other.token.as_ref().is_some_and(is_known_too)));
                }
            }
            Output {
                config: output.clone(),
                public_url: config.serve.public_url.clone(),
                named_under: config.serve.public_url.clone(),
                // A hub tells everybody what it is told.
                hub: config.serve.hub.clone().filter(|_| output.token.is_none()),
                has_story_pages: config.serve.listen != Listen::Off
                    || (output.directory.is_some() && output.formats.contains(&Format::Html)),
                feeds: match is_for_everybody {
                    true => hides.then(|| everybodys.clone()),
                    false => (!output.tags.is_empty()).then(|| tagged(&output.tags)),
                },
                tags: tags.clone(),
                aggregators: aggregators.clone(),
                hides_feeds: visible.len() < all.len(),
                visible: Arc::new(visible),
            }
        };
        outputs.iter().map(output).collect()
    }
}

/// Makes the store's feeds those of the configuration and of its lists; gives them, and what that changed.
fn reconfigure(
    connection: &Connection,
    config: &Config,
    now: DateTime<Utc>,
) -> store::Result<(Vec<Arc<FeedConfig>>, feeds::Reconfigured)> {
    let once = || -> store::Result<_> {
        let feeds = with_listed(connection, config)?;
        let members = Subscriptions::of(config, (0..).map(FeedRef).zip(&feeds)).members;
        let configured: Vec<feeds::Configured> = members
            .values()
            .map(|Member { config: feed, subscription }| {
                let first = first_poll(config, feed, feeds.len(), now);
                feeds::Configured {
                    address: feed.url.clone(),
                    name: feed.name.clone(),
                    standing: feeds::Standing {
                        priority: feed.priority,
                        site: subscription.options.site.clone(),
                        is_closed: subscription.options.level == Level::Off,
                        is_named: !feed.name_is_derived,
                        is_private: feed.is_private.unwrap_or_else(|| redact::holds_key(&feed.url)),
                        has_left: matches!(feed.role, Role::Left(_)),
                    },
                    first_poll: first.at,
                    first_poll_why: first.reason,
                    planned_by: subscription.plan_name(false),
                }
            })
            .collect();
        let reconfigured = feeds::reconfigure(connection, &configured)?;
        Ok((feeds, reconfigured))
    };
    let (feeds, reconfigured) = once()?;
    if reconfigured.moved_lists.is_empty() {
        return Ok((feeds, reconfigured));
    }
    // A list that is followed to another address brings its feeds along.
    let (feeds, again) = once()?;
    Ok((feeds, again.after(reconfigured)))
}

/// When a feed of so many is polled first.
fn first_poll(config: &Config, feed: &FeedConfig, feed_count: usize, now: DateTime<Utc>) -> Due {
    let cadence = feed.cadence.as_ref().unwrap_or(&config.poll.cadence);
    schedule::first_poll(cadence, config.poll.min_interval, feed.url.as_str(), feed_count, now)
}

/// A feed that lists name or named.
struct Listed<'a> {
    url: Url,
    /// The first list that names it; where none does, the first that named it.
    list: &'a str,
    /// Those of all lists that name it.
    tags: Vec<String>,
    standing: Standing,
}

impl<'a> Listed<'a> {
    /// Takes in that the feed stands in a further list, too. It has left only where no list names it.
    fn stands_in(&mut self, list: &'a FeedConfig, standing: Standing) {
        match (self.standing, standing) {
            (_, Standing::Left) => {}
            (Standing::Left, Standing::Named { .. }) => {
                (self.list, self.tags, self.standing) = (&list.name, list.tags.clone(), standing);
            }
            (Standing::Named { .. }, Standing::Named { .. }) => {
                let further: Vec<String> = list.tags.iter().filter(|tag| !self.tags.contains(tag)).cloned().collect();
                self.tags.extend(further);
            }
        }
    }
}

/// The configured feeds, and behind them those that lists name or named, each once.
fn with_listed(connection: &Connection, config: &Config) -> store::Result<Vec<Arc<FeedConfig>>> {
    let mut feeds = config.feeds.clone();
    let own: HashSet<Url> = feeds.iter().map(|feed| without_fragment(&feed.url)).collect();
    let mut names = FeedNames::of(feeds.iter().map(|feed| feed.name.clone()));
    let mut listed: Vec<Listed<'_>> = Vec::new();
    let mut places: HashMap<Url, usize> = HashMap::new();
    for list in config.feeds.iter().filter(|feed| feed.role == Role::List) {
        for (address, standing) in lists::named_by(connection, list.url.as_str())? {
            let Some(url) = Url::parse(&address).ok().filter(|url| !own.contains(url)) else { continue };
            match places.get(&url).and_then(|place| listed.get_mut(*place)) {
                Some(known) => known.stands_in(list, standing),
                None => {
                    places.insert(url.clone(), listed.len());
                    listed.push(Listed { url, tags: list.tags.clone(), list: &list.name, standing });
                }
            }
        }
    }
    // What a feed was called it is called, whoever joins the list or leaves it.
    let mut called: HashMap<String, String> = HashMap::new();
    if !listed.is_empty() {
        let known: HashMap<String, String> =
            feeds::sources(connection)?.into_iter().map(|source| (source.address, source.name)).collect();
        let known = listed.iter().filter_map(|Listed { url, .. }| known.get_key_value(url.as_str()));
        called.extend(known.filter(|(_, name)| names.take(name)).map(|(url, name)| (url.clone(), name.clone())));
    }
    for Listed { url, list, tags, standing } in listed {
        let name = called.remove(url.as_str()).unwrap_or_else(|| names.derive(&url));
        let role = match standing {
            Standing::Named { .. } => Role::Listed(list.to_owned()),
            Standing::Left => Role::Left(list.to_owned()),
        };
        feeds.push(Arc::new(FeedConfig {
            is_aggregator: config.is_own_output(&url),
            url,
            name,
            name_is_derived: true,
            tags,
            cadence: None,
            priority: 0,
            home: None,
            fold: None,
            keep: Vec::new(),
            drop: Vec::new(),
            is_private: None,
            // Neither the credentials of the list nor its authorities are for the feeds that it names.
            access: Arc::new(Access { proxy: config.poll.proxy.clone(), ..Access::default() }),
            role,
        }));
    }
    Ok(feeds)
}

/// What folding goes by, as configured.
#[must_use]
pub(crate) fn rules(config: &Config) -> Rules {
    let window = TimeDelta::from_std(config.fold.window).unwrap_or(TimeDelta::MAX);
    Rules { level: config.fold.level, profile: config.fold.profile, window, ..Rules::default() }
}

//! The handle the rest of the platform holds.

pub(crate) mod acknowledge;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bakau_clock::Clock;
use bakau_model::{Level, Principal, RuleId, UtcMillis};
use bakau_registry::{Rule, Snapshot};
use bakau_spool::SpoolReader;
use bakau_store::Store;
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    AlertDetail, AlertId, AlertQuery, AlertView, AlertsConfig, AlertsError, Episode, MAX_NOTE_CHARS, NotificationView,
    OutboxView, PendingView, Secrets, SettledQuery,
    db::{Command, Db, Outcome},
    delivery::{channel::webhook, deliver::Courier, link::LinkKey, outbox::Outbox},
    engine::Refusal,
    runner::{Runner, Setup, Shared, reserve::Reserve},
    settled::history,
};

/// How long a person's request waits for the engine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Changes a slow subscriber may be behind before it loses the oldest.
const CHANGES_KEPT: usize = 256;

/// Cheap to clone; every clone talks to the same engine.
#[derive(Debug, Clone)]
pub struct Alerts {
    pub(crate) db: Db,
    store: Arc<dyn Store>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) link_key: LinkKey,
    lateness_ms: i64,
    shared: Shared,
    tasks: TaskTracker,
}

impl Alerts {
    /// Opens the alert database and starts engine and outbox; both end when `stop` is cancelled.
    ///
    /// # Errors
    /// When the database cannot be opened or was written by a newer Bakau.
    pub async fn start(
        config: AlertsConfig,
        spool: SpoolReader,
        store: Arc<dyn Store>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Result<Self, AlertsError> {
        let client = webhook::client().map_err(|error| AlertsError::Client(error.to_string()))?;
        let db = Db::open(&config.path)?;
        let loaded = db.load().await?;
        let link_key = db.link_key().await?;
        let courier = Courier {
            client,
            secrets,
            public_url: config.public_url,
            link_key: link_key.clone(),
            charts: config.charts,
        };
        let shared = Shared {
            active: Arc::new(ArcSwap::from_pointee(db.active().await?)),
            pending: Arc::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            answered: watch::Sender::new(0),
            requests: Arc::new(Notify::new()),
            notifications: Arc::new(Notify::new()),
        };
        let setup = Setup {
            db: db.clone(),
            spool,
            snapshots: snapshots.clone(),
            store: Arc::clone(&store),
            sources: config.sources,
            clock: Arc::clone(&clock),
            stop: stop.clone(),
            lateness_ms: config.lateness_ms,
            commit_every: config.commit_every,
            gather: config.gather,
            shared: shared.clone(),
            reserve: Reserve::open(&config.path),
        };
        let outbox = Outbox {
            db: db.clone(),
            courier: Arc::new(courier),
            snapshots: snapshots.clone(),
            clock: Arc::clone(&clock),
            retry: config.retry,
            wake: Arc::clone(&shared.notifications),
            stop,
        };
        let tasks = TaskTracker::new();
        tasks.spawn(Runner::new(setup, loaded).run());
        tasks.spawn(outbox.run());
        tasks.close();
        Ok(Self { db, store, snapshots, clock, link_key, lateness_ms: config.lateness_ms, shared, tasks })
    }

    /// Waits until engine and outbox have ended after `stop`, and closes the database.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
        self.db.close().await;
    }

    /// Records that a person has acknowledged the alert at the level they have seen; at that of the moment where
    /// `seen` is none.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyAcknowledged`, `Closed`, `TooLong`, or `Busy` when the engine does not answer in time.
    pub async fn acknowledge(
        &self,
        id: &AlertId,
        by: &Principal,
        seen: Option<Level>,
        note: Option<String>,
    ) -> Result<AlertView, AlertsError> {
        let given = note.as_deref().map_or(0, |note| note.chars().count());
        if MAX_NOTE_CHARS < given {
            return Err(AlertsError::TooLong { limit: MAX_NOTE_CHARS, given });
        }
        let alert = self.db.alert(*id).await?.ok_or(AlertsError::NotFound(*id))?;
        if alert.closed_at.is_some() {
            return Err(AlertsError::Closed(*id));
        }
        // Whether its level is taken is for the engine to say, which may know of a higher one by now.
        match self.request(&Command::Acknowledge { alert: *id, seen, note }, by).await? {
            Outcome::Done => self.db.alert(*id).await?.ok_or(AlertsError::NotFound(*id)),
            Outcome::Refused(Refusal::AlreadyAcknowledged) => Err(AlertsError::AlreadyAcknowledged(*id)),
            Outcome::Refused(Refusal::NotOpen | Refusal::UnknownRule) | Outcome::Unreadable => {
                Err(AlertsError::Closed(*id))
            }
        }
    }

    /// Holds back the notifications of a rule until an instant; decisions are still made and logged.
    ///
    /// # Errors
    /// When no such rule is in force or the engine does not answer in time.
    pub async fn mute(&self, rule: &RuleId, until: UtcMillis, by: &Principal) -> Result<(), AlertsError> {
        match self.request(&Command::Mute { rule: rule.clone(), until }, by).await? {
            Outcome::Done => Ok(()),
            Outcome::Refused(_) | Outcome::Unreadable => Err(AlertsError::Unknown(rule.to_string())),
        }
    }

    /// Alerts, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self, query: &AlertQuery) -> Result<Vec<AlertView>, AlertsError> {
        Ok(self.db.list(query).await?)
    }

    /// One alert with its transitions and notifications.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, id: &AlertId) -> Result<Option<AlertDetail>, AlertsError> {
        Ok(self.db.detail(*id).await?)
    }

    /// How many notifications wait or were given up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox(&self) -> Result<OutboxView, AlertsError> {
        Ok(self.db.outbox().await?)
    }

    /// Notifications that failed or are being tried again, failed ones first; at most 1,000.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn delivery_problems(&self, limit: usize) -> Result<Vec<NotificationView>, AlertsError> {
        Ok(self.db.delivery_problems(limit).await?)
    }

    /// Up to when observations are in the settled history now; one that comes later still changes what was before.
    #[must_use]
    pub fn settled_until(&self) -> UtcMillis {
        self.clock.now().saturating_add(-self.lateness_ms)
    }

    /// Episodes by onset, as a pure function of stored observations older than the lateness bound.
    ///
    /// # Errors
    /// When the store cannot be read or the filter names something unknown.
    pub async fn settled(&self, query: &SettledQuery) -> Result<Vec<Episode>, AlertsError> {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let unknown_rule = query.rule.as_ref().filter(|rule| !snapshot.rules.contains_key(*rule));
        let unknown_datastream = query.datastream.as_ref().filter(|name| snapshot.datastream(name).is_none());
        let unknown = unknown_rule.map(ToString::to_string).or(unknown_datastream.map(ToString::to_string));
        if let Some(unknown) = unknown {
            return Err(AlertsError::Unknown(unknown));
        }
        let settled_until = self.settled_until();
        let only = query.datastream.as_ref().and_then(|name| snapshot.datastream(name));
        let wanted = |rule: &&Arc<Rule>| query.rule.as_ref().is_none_or(|id| rule.id == *id);
        let about_values = |rule: &&Arc<Rule>| !rule.condition.kind().is_technical();
        let mut found = Vec::new();
        for rule in snapshot.rules.values().filter(wanted).filter(about_values) {
            for datastream in snapshot.datastreams_of_rule(rule) {
                if only.is_none_or(|only| only.number == datastream.number) {
                    let range = (query.from, query.to);
                    found.extend(history::episodes(&*self.store, rule, datastream, range, settled_until).await?);
                }
            }
        }
        found.sort_by_key(|episode| (episode.onset, episode.id));
        Ok(found)
    }

    /// The alerts that are not closed, newest first.
    #[must_use]
    pub fn active(&self) -> Arc<Vec<AlertView>> {
        self.shared.active.load_full()
    }

    /// Levels that are crossed and will be raised if that lasts for the hold time of the rule.
    #[must_use]
    pub fn pending(&self) -> Arc<Vec<PendingView>> {
        self.shared.pending.load_full()
    }

    /// Every change of an alert from now on; a slow receiver loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<AlertView>> {
        self.shared.changes.subscribe()
    }

    /// Puts a request into the inbox and waits until the engine has decided it.
    async fn request(&self, command: &Command, by: &Principal) -> Result<Outcome, AlertsError> {
        let mut answered = self.shared.answered.subscribe();
        let id = self.db.request(command, by, self.clock.now()).await?;
        self.shared.requests.notify_one();
        let decided = async {
            loop {
                if let Some(outcome) = self.db.outcome(id).await? {
                    return Ok(outcome);
                }
                if answered.changed().await.is_err() {
                    return Err(AlertsError::Busy);
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, decided).await.unwrap_or(Err(AlertsError::Busy))
    }
}

//! What the parts of the control plane share. No part holds another; they meet here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_drivers::Drivers;
use aipress_flow::WorkQueue;
use aipress_kit::clock::Clock;
use aipress_logs::LogReader;
use aipress_logs::LogWriter;
use aipress_logs::NewLine;
use aipress_types::DesiredState;
use aipress_types::ShardHealth;
use aipress_types::TenantUid;
use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::config::ShardConfig;
use crate::core::CoreSource;
use crate::cron::Cron;
use crate::exports::Exports;
use crate::mail::Mails;
use crate::meta::call::Meta;
use crate::packages::PackageShelf;
use crate::reconcilers::tenant::rotation::Readers;
use crate::site_inventory::Due;
use crate::smoke::Visitor;
use crate::tenants::Tenants;

/// How the shard is doing, as it last looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) health: ShardHealth,
    pub(crate) message: Option<String>,
}

/// The shared state of one shard's control plane.
pub(crate) struct Plane {
    pub(crate) config: ShardConfig,
    pub(crate) drivers: Drivers,
    pub(crate) cores: Arc<dyn CoreSource>,
    pub(crate) visitor: Arc<dyn Visitor>,
    /// Where archives of plugins and themes come from.
    pub(crate) packages: Arc<dyn PackageShelf>,
    pub(crate) clock: Clock,
    /// When each site's scheduled events are due.
    pub(crate) cron: Cron,
    /// When what each site has is looked at.
    pub(crate) inventories: Due,
    /// Mail that the sites sent.
    pub(crate) mails: Mails,
    pub(crate) tenants: Tenants,
    /// Meta's internal API.
    pub(crate) meta: Meta,
    /// Archives of sites in the spool.
    pub(crate) exports: Exports,
    /// Turns to make a site from an archive: fewer than there are workers, who have others to do.
    pub(crate) makings: Semaphore,
    /// Who may have read secrets that a site no longer uses.
    pub(crate) readers: Readers,
    /// Tenants to be looked at.
    pub(crate) queue: Arc<WorkQueue<TenantUid>>,
    pub(crate) health: ArcSwap<Health>,
    /// Wakes the puller.
    pub(crate) pull_now: Notify,
    /// Tenants that were held when meta was asked last, and that it did not list.
    pub(crate) unlisted: ArcSwap<BTreeSet<TenantUid>>,
    /// Reads the sites' logs.
    pub(crate) log_reader: LogReader,
    /// Turns to read a log.
    pub(crate) log_turns: Arc<Semaphore>,
    /// Writes what the platform did with a site to the site's log.
    pub(crate) log_writer: LogWriter,
    /// What each site's people were told last that their site is.
    pub(crate) told: Mutex<BTreeMap<TenantUid, DesiredState>>,
    /// Number of the gateway's table; grows whenever the table changes.
    pub(crate) sites_seq: watch::Sender<u64>,
    /// The highest number that a gateway has asked beyond, so has taken.
    pub(crate) sites_taken: watch::Sender<u64>,
}

impl Plane {
    /// Tells a site's people, in its log, what the platform did with the site.
    pub(crate) fn tell(&self, uid: TenantUid, severity: Severity, message: impl Into<String>) {
        let line = NewLine::new(LogSource::Platform, "shard", severity, message);
        self.log_writer.push(uid.0, line);
    }

    /// Tells them what their site is now, unless they know.
    pub(crate) fn tell_state(&self, uid: TenantUid, state: DesiredState) {
        let before = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, state);
        if before != Some(state) && state != DesiredState::Erased {
            self.tell(uid, Severity::Notice, format!("the site is {}", state.reached()));
        }
    }

    /// Tells the gateway that its table changed.
    pub(crate) fn sites_changed(&self) {
        self.sites_seq.send_modify(|seq| *seq += 1);
    }
}

//! One change of the registry: a transaction, and what must be told to whom once it is durable.
//! Dropped without [`Change::commit`], nothing happened and nobody is told.

use aipress_store::AuditInsert;
use aipress_store::EventInsert;
use aipress_store::RoutePut;
use aipress_store::RouteState;
use aipress_store::StoreError;
use aipress_store::TenantRecord;
use aipress_store::Txn;
use aipress_store::WebhookRecord;
use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::OperationId;
use aipress_types::ShardId;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;

use crate::app::plan::planner::Noted;
use crate::metrics::OperationLabels;
use crate::plane::Plane;

/// On whose word a change happens.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Who, such as `user:<uuid>` or `role:meta`.
    pub(crate) actor: String,
    /// The actor's account; `None` for roles.
    pub(crate) account: Option<AccountId>,
    /// The request that it came with.
    pub(crate) request_id: Option<String>,
    /// Why, as the actor said.
    pub(crate) reason: Option<String>,
    /// Hash of the plan that it is applied from.
    pub(crate) plan: Option<String>,
}

impl Origin {
    /// A change that meta makes by itself.
    pub(crate) fn meta() -> Self {
        Self {
            actor: "role:meta".to_owned(),
            account: None,
            request_id: None,
            reason: None,
            plan: None,
        }
    }
}

/// A transaction with its signals.
#[derive(Debug)]
pub(crate) struct Change<'p> {
    pub(crate) plane: &'p Plane,
    pub(crate) txn: Txn,
    /// The one time of everything in this change.
    pub(crate) now: OffsetDateTime,
    /// What was noted, for a plan.
    pub(crate) noted: Vec<Noted>,
    /// Metrics of operations that ended, counted once that is so.
    pub(crate) ended: Vec<(OperationLabels, f64)>,
    route_seq: Option<u64>,
    operations: Vec<OperationId>,
    pushes: Vec<TenantUid>,
    endings: Vec<OperationId>,
}

/// What is told in audit row and event.
#[derive(Debug)]
pub(crate) struct Note<'a> {
    /// What was done, such as `tenant.create`.
    pub(crate) action: &'a str,
    /// How it was; no secrets.
    pub(crate) before: Option<Value>,
    /// How it is; no secrets.
    pub(crate) after: Option<Value>,
}

/// What something was done to.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) account: Option<AccountId>,
}

impl Subject<'_> {
    /// A site.
    pub(crate) fn tenant(tenant: &TenantRecord) -> Self {
        Self {
            kind: "tenant",
            id: tenant.uid.to_string(),
            name: Some(tenant.name.to_string()),
            account: Some(tenant.account),
        }
    }
}

impl<'p> Change<'p> {
    /// Takes the registry's write lock: no I/O until [`Change::commit`].
    pub(crate) async fn begin(plane: &'p Plane) -> Result<Self, StoreError> {
        let txn = plane.store.begin().await?;
        Ok(Self {
            plane,
            txn,
            // Read under the lock, so that times of changes are in the order of commits.
            now: plane.clock.now(),
            noted: Vec::new(),
            ended: Vec::new(),
            route_seq: None,
            operations: Vec::new(),
            pushes: Vec::new(),
            endings: Vec::new(),
        })
    }

    /// Writes an audit row.
    pub(crate) async fn audit(
        &mut self,
        origin: &Origin,
        subject: Subject<'_>,
        note: Note<'_>,
    ) -> Result<(), StoreError> {
        // People of the platform work on what is a customer's in the customer's name.
        let is_others = origin.account.is_some() && origin.account != subject.account;
        let on_behalf_of = subject.account.filter(|_| is_others);
        self.txn
            .audit_append(&AuditInsert {
                at: self.now,
                actor: origin.actor.clone(),
                on_behalf_of: on_behalf_of.map(|account| format!("account:{account}")),
                action: note.action.to_owned(),
                resource_kind: subject.kind.to_owned(),
                resource_id: subject.id,
                resource_name: subject.name,
                account: subject.account,
                request_id: origin.request_id.clone(),
                plan: origin.plan.clone(),
                before: note.before,
                after: note.after,
                reason: origin.reason.clone(),
                outcome: "allowed".to_owned(),
            })
            .await
            .map(drop)
    }

    /// Writes the audit row and the event of a change of a tenant.
    pub(crate) async fn note_tenant(
        &mut self,
        origin: &Origin,
        tenant: &TenantRecord,
        note: Note<'_>,
    ) -> Result<(), StoreError> {
        self.noted.push(Noted {
            action: note.action.to_owned(),
            kind: "tenant",
            name: tenant.name.to_string(),
            before: note.before.clone(),
            after: note.after.clone(),
            ..Noted::default()
        });
        let action = note.action;
        self.audit(origin, Subject::tenant(tenant), note).await?;
        self.tell_tenant(action, tenant).await
    }

    /// Writes an event.
    pub(crate) async fn tell(&mut self, event: EventInsert) -> Result<(), StoreError> {
        debug_assert!(
            aipress_feed::is_known(&event.kind),
            "`{}` has no row in crates/feed/src/kinds.rs, which docs/events.md is made from",
            event.kind
        );
        self.txn.event_append(&event).await.map(drop)
    }

    /// Writes an event about a tenant.
    pub(crate) async fn tell_tenant(
        &mut self,
        kind: &str,
        tenant: &TenantRecord,
    ) -> Result<(), StoreError> {
        self.tell(EventInsert {
            at: self.now,
            kind: kind.to_owned(),
            tenant: Some(tenant.uid),
            shard: tenant.shard,
            account: Some(tenant.account),
            data: serde_json::json!({
                "name": tenant.name,
                "state": tenant.state,
                "desired": tenant.desired,
                "generation": tenant.generation,
            }),
        })
        .await
    }

    /// Writes the audit row and the event of a change of a shard.
    pub(crate) async fn note_shard(
        &mut self,
        origin: &Origin,
        shard: ShardId,
        note: Note<'_>,
    ) -> Result<(), StoreError> {
        let data = note.after.clone().unwrap_or(Value::Null);
        self.noted.push(Noted {
            action: note.action.to_owned(),
            kind: "shard",
            name: shard.to_string(),
            before: note.before.clone(),
            after: note.after.clone(),
            ..Noted::default()
        });
        let id = shard.to_string();
        let action = note.action.to_owned();
        self.audit(origin, Subject { kind: "shard", id, name: None, account: None }, note).await?;
        self.tell(EventInsert {
            at: self.now,
            kind: action,
            tenant: None,
            shard: Some(shard),
            account: None,
            data,
        })
        .await
    }

    /// Writes the audit row and the event of a change of a webhook.
    pub(crate) async fn note_webhook(
        &mut self,
        origin: &Origin,
        webhook: &WebhookRecord,
        note: Note<'_>,
    ) -> Result<(), StoreError> {
        let data = serde_json::json!({
            "webhook": webhook.id, "url": webhook.url, "active": webhook.active,
        });
        self.noted.push(Noted {
            action: note.action.to_owned(),
            kind: "webhook",
            // A new one has an id only once it is made.
            name: match note.before {
                Some(_) => webhook.id.to_string(),
                None => webhook.url.clone(),
            },
            before: note.before.clone(),
            after: note.after.clone(),
            ..Noted::default()
        });
        let (id, account) = (webhook.id.to_string(), Some(webhook.account));
        let action = note.action.to_owned();
        self.audit(origin, Subject { kind: "webhook", id, name: None, account }, note).await?;
        self.tell(EventInsert {
            at: self.now,
            kind: action,
            tenant: None,
            shard: None,
            account: Some(webhook.account),
            data,
        })
        .await
    }

    /// Writes an event about something of a tenant that has data of its own.
    pub(crate) async fn tell_of(
        &mut self,
        tenant: &TenantRecord,
        kind: &str,
        data: Value,
    ) -> Result<(), StoreError> {
        self.tell(EventInsert {
            at: self.now,
            kind: kind.to_owned(),
            tenant: Some(tenant.uid),
            shard: tenant.shard,
            account: Some(tenant.account),
            data,
        })
        .await
    }

    /// Writes the audit row and the event of a change of the mirror; `package` is its SHA-256 and
    /// its name for people.
    pub(crate) async fn note_package(
        &mut self,
        origin: &Origin,
        action: &str,
        package: (&str, &str),
        account: Option<AccountId>,
        data: Value,
    ) -> Result<(), StoreError> {
        let subject = Subject {
            kind: "package",
            id: package.0.to_owned(),
            name: Some(package.1.to_owned()),
            account,
        };
        let note = Note { action, before: None, after: Some(data.clone()) };
        self.audit(origin, subject, note).await?;
        self.tell(EventInsert {
            at: self.now,
            kind: action.to_owned(),
            tenant: None,
            shard: None,
            account,
            data,
        })
        .await
    }

    /// Makes the tenant's route follow from its state.
    pub(crate) async fn route(&mut self, tenant: &TenantRecord) -> Result<(), StoreError> {
        let Some(shard) = tenant.shard else { return Ok(()) };
        let host = self.plane.sites.host(tenant.name.as_str());
        match route_state(tenant) {
            RouteState::Deleted => {
                if self.txn.route_remove(&host, self.now).await?
                    && let Some(gone) = self.txn.route_fetch(&host).await?
                {
                    self.route_seq = self.route_seq.max(Some(gone.seq));
                } else {
                    self.routes_changed();
                }
            }
            state => {
                let put = RoutePut {
                    host,
                    tenant: tenant.uid,
                    shard,
                    state,
                    generation: tenant.generation,
                    now: self.now,
                };
                let written = self.txn.route_put(&put).await?;
                self.route_seq = self.route_seq.max(Some(written.seq));
            }
        }
        Ok(())
    }

    /// Routes were changed by the registry itself; whoever waits looks.
    pub(crate) fn routes_changed(&mut self) {
        self.route_seq = self.route_seq.max(Some(0));
    }

    /// Who follows this operation is woken after the commit.
    pub(crate) fn operation_changed(&mut self, id: OperationId) {
        self.operations.push(id);
    }

    /// The tenant's intent goes to its shard after the commit.
    pub(crate) fn push(&mut self, uid: TenantUid) {
        self.pushes.push(uid);
    }

    /// The operation may have reached what it waits for: looked at after the commit.
    pub(crate) fn may_end(&mut self, id: OperationId) {
        self.endings.push(id);
    }

    /// Makes it durable, then tells whom it concerns.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.txn.commit().await?;
        for (labels, seconds) in self.ended {
            self.plane.metrics.operation_seconds.get_or_create(&labels).observe(seconds);
            self.plane.metrics.operations.get_or_create(&labels).inc();
        }
        let signals = &self.plane.signals;
        if let Some(seq) = self.route_seq {
            // Sends even when the number did not grow: waiters look by themselves.
            signals.routes.send_modify(|newest| *newest = seq.max(*newest));
        }
        for id in self.operations {
            self.plane.operation_feeds.wake(id);
        }
        self.plane.feed.wake();
        for uid in self.pushes {
            self.plane.pushes.add(uid);
        }
        for id in self.endings {
            self.plane.endings.add(id);
        }
        Ok(())
    }
}

/// What edges do with a tenant's host. What was asked for counts at once where it closes the
/// site, what is real counts where it opens it.
pub(crate) fn route_state(tenant: &TenantRecord) -> RouteState {
    match (tenant.desired, tenant.state) {
        (DesiredState::Deleted | DesiredState::Erased, _) | (_, TenantState::Erased) => {
            RouteState::Deleted
        }
        (DesiredState::Suspended, _) | (DesiredState::Active, TenantState::Suspended) => {
            RouteState::Suspended
        }
        (DesiredState::Active, TenantState::Creating | TenantState::Deleted) => {
            RouteState::Starting
        }
        (DesiredState::Active, TenantState::Active) => RouteState::Serving,
        (DesiredState::Active, TenantState::Failed) => RouteState::Broken,
    }
}

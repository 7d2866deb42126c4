//! One change of one plugin or theme: how it was is written down, then it is made, then the site is
//! looked at as a visitor does, and what made it worse is taken back.

use aipress_drivers::PackagePlace;
use aipress_drivers::Recycle;
use aipress_drivers::Slot;
use aipress_kit::faults;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use aipress_types::TenantUid;
use aipress_types::intent::PackageRef;

use crate::journal::Managed;
use crate::journal::Pending;
use crate::packages::NotObtained;
use crate::packages::Obtained;
use crate::plane::Plane;
use crate::reconcilers::tenant::packages::diff::Found;
use crate::reconcilers::tenant::packages::diff::Site;
use crate::reconcilers::tenant::packages::diff::Todo;
use crate::reconcilers::tenant::packages::look;
use crate::smoke;
use crate::smoke::Health;
use crate::steps::StepError;

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Failed {
    /// It made the site fail and was taken back; what happened, for people.
    TakenBack(String),
    /// Its archive can't be had, or not be unpacked; nothing was changed.
    Unavailable(String),
    /// The machine failed; the next look takes back what was begun, and tries again.
    Step(StepError),
}

impl<E: Into<StepError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

/// The changes of one look at one site.
pub(super) struct Change<'p> {
    plane: &'p Plane,
    uid: TenantUid,
    slot: Slot,
    /// How the site was at the last look at it.
    health: Option<Health>,
    /// What a person should know of changes that were made.
    pub(super) notes: Vec<String>,
}

impl<'p> Change<'p> {
    pub(super) fn new(plane: &'p Plane, uid: TenantUid, slot: Slot) -> Self {
        Self { plane, uid, slot, health: None, notes: Vec::new() }
    }

    /// Makes one change, or takes it back.
    pub(super) async fn apply(&mut self, todo: &Todo) -> Result<(), Failed> {
        match todo {
            Todo::Install { package, entry, switch } => self.install(package, entry, *switch).await,
            Todo::Switch { package, on } => self.switch(package, *on).await,
            Todo::Remove { package } => self.remove(package).await,
        }
    }

    async fn install(
        &mut self,
        package: &PackageRef,
        entry: &PackageSpec,
        switch: Option<bool>,
    ) -> Result<(), Failed> {
        let PackageRef { kind, name } = package;
        let archive = self.obtain(*kind, entry).await?;
        let place = self.place(package);
        let staged = self.plane.drivers.packages.stage(&place, &archive.path).await;
        staged.map_err(|error| {
            if error.is_retryable() {
                Failed::Step(error.into())
            } else {
                Failed::Unavailable(format!("{kind} `{name}` {}: {error}", archive.version))
            }
        })?;
        let found = self.found(package).await?;
        let runs = found.as_ref().is_some_and(Found::is_in_use);
        let what = match &found {
            Some(found) if found.version != archive.version => {
                format!(
                    "the change of {kind} `{name}` from {} to {}",
                    found.version, archive.version
                )
            }
            _ => format!("the installation of {kind} `{name}` {}", archive.version),
        };
        let live = runs || switch == Some(true);
        if live {
            self.look_before().await?;
        }
        let pending = self.begin(package, found.as_ref()).await?;
        self.plane.drivers.packages.swap(&place).await?;
        faults::point("shard.packages.swapped");
        if let Some(on) = switch {
            self.turn(package, on, &what, &pending).await?;
        }
        if live {
            self.prove(&what, &pending).await?;
        }
        let managed =
            Managed { package: package.clone(), version: archive.version, sha256: archive.sha256 };
        let by_hand = pending.former.is_some();
        self.plane.tenants.update(self.uid, |entry| {
            let kept = &mut entry.packages;
            let known = kept.managed.iter().any(|other| other.package == managed.package);
            kept.managed.retain(|other| other.package != managed.package);
            // What a person had installed stays that person's, also in another version. A checksum
            // must be remembered all the same.
            if known || !by_hand || entry_is_pinned(&entry.intent.spec, package) {
                kept.managed.push(managed);
            }
            kept.pending = None;
        })?;
        faults::point("shard.packages.kept");
        self.plane.drivers.packages.clear_beside(self.uid).await?;
        Ok(())
    }

    async fn switch(&mut self, package: &PackageRef, on: bool) -> Result<(), Failed> {
        let found = self.found(package).await?;
        let how = if on { "on" } else { "off" };
        let what = format!("switching {how} {} `{}`", package.kind, package.name);
        self.look_before().await?;
        let pending = self.begin(package, found.as_ref()).await?;
        self.turn(package, on, &what, &pending).await?;
        self.prove(&what, &pending).await?;
        Ok(self.end()?)
    }

    async fn remove(&mut self, package: &PackageRef) -> Result<(), Failed> {
        let PackageRef { kind, name } = package;
        let Some(found) = self.found(package).await? else { return Ok(()) };
        let what = format!("the removal of {kind} `{name}`");
        if *kind == PackageKind::Theme && found.is_in_use() {
            return Err(Failed::Unavailable(format!(
                "theme `{name}` is in use: switch on another one, then remove it"
            )));
        }
        if found.is_in_use() {
            self.look_before().await?;
        }
        let pending = self.begin(package, Some(&found)).await?;
        if found.is_active() {
            look::switch_off(self.plane, self.uid, self.slot, package, false).await?;
        }
        self.plane.drivers.packages.swap(&self.place(package)).await?;
        faults::point("shard.packages.swapped");
        if found.is_in_use() {
            self.prove(&what, &pending).await?;
        }
        self.plane.tenants.update(self.uid, |entry| {
            entry.packages.managed.retain(|managed| managed.package != *package);
            entry.packages.pending = None;
        })?;
        faults::point("shard.packages.kept");
        self.plane.drivers.packages.clear_beside(self.uid).await?;
        Ok(())
    }

    async fn obtain(&self, kind: PackageKind, entry: &PackageSpec) -> Result<Obtained, Failed> {
        let name = &entry.name;
        match self.plane.packages.obtain(self.uid, kind, entry).await {
            Ok(archive) => Ok(archive),
            Err(NotObtained::Refused(detail)) => {
                Err(Failed::Unavailable(format!("{kind} `{name}` can't be installed: {detail}")))
            }
            Err(error @ (NotObtained::Fetching | NotObtained::Trouble(_))) => {
                let message = format!("{kind} `{name}`: {error}");
                Err(Failed::Step(StepError { message, retryable: true }))
            }
        }
    }

    /// Writes down how it is.
    async fn begin(
        &self,
        package: &PackageRef,
        found: Option<&Found>,
    ) -> Result<Pending, StepError> {
        let place = self.place(package);
        let theme = match package.kind {
            PackageKind::Plugin => None,
            PackageKind::Theme => {
                let site = look::site(self.plane, self.uid, self.slot).await?;
                site.theme().map(str::to_owned)
            }
        };
        let pending = Pending {
            package: package.clone(),
            former: self.plane.drivers.packages.installed(&place).await?,
            was_active: found.is_some_and(Found::is_active),
            theme,
        };
        let kept = pending.clone();
        self.plane.tenants.update(self.uid, |entry| entry.packages.pending = Some(kept))?;
        faults::point("shard.packages.begun");
        Ok(pending)
    }

    fn end(&self) -> Result<(), StepError> {
        self.plane.tenants.update(self.uid, |entry| entry.packages.pending = None)?;
        faults::point("shard.packages.kept");
        Ok(())
    }

    /// Switches it on or off; one that can't be switched on is taken back.
    async fn turn(
        &self,
        package: &PackageRef,
        on: bool,
        what: &str,
        pending: &Pending,
    ) -> Result<(), Failed> {
        if !on {
            let off = look::switch_off(self.plane, self.uid, self.slot, package, false).await;
            return off.map_err(Failed::Step);
        }
        let turned = look::switch_on(self.plane, self.uid, self.slot, package).await?;
        faults::point("shard.packages.turned");
        let Err(why) = turned else { return Ok(()) };
        self.take_back(pending).await?;
        Err(Failed::TakenBack(format!("{what} was taken back: it can't be switched on ({why})")))
    }

    /// Looks at the site; what made it worse is taken back.
    async fn prove(&mut self, what: &str, pending: &Pending) -> Result<(), Failed> {
        self.plane.drivers.php.recycle_slot(self.slot, Recycle::Graceful).await?;
        let after = smoke::check(self.plane, self.uid).await.map_err(StepError::from)?;
        let before = self.health.take().unwrap_or(Health { pages: Vec::new() });
        let Some(why) = after.worse_than(&before) else {
            if let Some(complaint) = before.complaint() {
                self.notes.push(format!(
                    "{what} is made, but nobody can say whether it did harm: the site failed \
                     before it already ({complaint})"
                ));
            }
            self.health = Some(after);
            return Ok(());
        };
        self.take_back(pending).await?;
        let end = match smoke::check(self.plane, self.uid).await {
            Ok(again) => match again.worse_than(&before) {
                None => "the site is as it was before".to_owned(),
                Some(still) => format!("but the site still is not as before: {still}"),
            },
            Err(unknown) => format!("but {unknown}"),
        };
        self.health = Some(before);
        Err(Failed::TakenBack(format!(
            "{what} made the site fail ({why}) and was taken back, {end}; it is tried again when \
             the spec changes"
        )))
    }

    /// Takes back what a process that was killed had begun.
    pub(super) async fn take_back_pending(&mut self, pending: &Pending) -> Result<(), StepError> {
        tracing::info!(tenant_id = %self.uid, ?pending, "an interrupted change is taken back");
        self.take_back(pending).await
    }

    /// Makes it as it was before a change, however far that got.
    async fn take_back(&self, pending: &Pending) -> Result<(), StepError> {
        let (plane, package) = (self.plane, &pending.package);
        let place = self.place(package);
        let site = look::site(plane, self.uid, self.slot).await?;
        let is_active = |site: &Site| site.find(package).is_some_and(Found::is_active);
        // While its files are there: WordPress remembers what is on by file, and one that comes back
        // some day must not be on by itself.
        if package.kind == PackageKind::Plugin && is_active(&site) && !pending.was_active {
            look::switch_off(plane, self.uid, self.slot, package, true).await?;
        }
        if plane.drivers.packages.installed(&place).await? != pending.former
            && let Err(error) = plane.drivers.packages.swap(&place).await
        {
            if error.is_retryable() {
                return Err(error.into());
            }
            // The site moved to another slot meanwhile: what is there is whole, and stays.
            tracing::warn!(tenant_id = %self.uid, %error, "the former version can't be brought back");
        }
        faults::point("shard.packages.back");
        let site = look::site(plane, self.uid, self.slot).await?;
        match package.kind {
            PackageKind::Theme => {
                if let Some(theme) = pending.theme.as_deref()
                    && site.theme() != Some(theme)
                {
                    let former = PackageRef { kind: PackageKind::Theme, name: theme.to_owned() };
                    self.back_on(&former).await?;
                }
            }
            PackageKind::Plugin if !is_active(&site) && pending.was_active => {
                self.back_on(package).await?;
            }
            PackageKind::Plugin => {}
        }
        plane.drivers.php.recycle_slot(self.slot, Recycle::Graceful).await?;
        self.end()
    }

    async fn back_on(&self, package: &PackageRef) -> Result<(), StepError> {
        if let Err(why) = look::switch_on(self.plane, self.uid, self.slot, package).await? {
            // It ran before; whoever looks finds it in the log, and the next look tries again.
            tracing::warn!(tenant_id = %self.uid, ?package, why, "it can't be switched on again");
        }
        Ok(())
    }

    /// How the site is before it is changed. Nothing is changed that can't be compared.
    async fn look_before(&mut self) -> Result<(), StepError> {
        if self.health.is_none() {
            self.health = Some(smoke::check(self.plane, self.uid).await?);
        }
        Ok(())
    }

    async fn found(&self, package: &PackageRef) -> Result<Option<Found>, StepError> {
        let site = look::site(self.plane, self.uid, self.slot).await?;
        Ok(site.find(package).cloned())
    }

    fn place(&self, package: &PackageRef) -> PackagePlace {
        let PackageRef { kind, name } = package.clone();
        PackagePlace { uid: self.uid, slot: self.slot, kind, name }
    }
}

fn entry_is_pinned(spec: &aipress_types::TenantSpec, package: &PackageRef) -> bool {
    let entries = match package.kind {
        PackageKind::Plugin => &spec.plugins,
        PackageKind::Theme => &spec.themes,
    };
    entries.iter().any(|entry| entry.name == package.name && entry.source.is_some())
}

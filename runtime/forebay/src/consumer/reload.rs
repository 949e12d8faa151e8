//! A changed manifest while the process runs: all of it is taken, or none.
//!
//! Whatever can go wrong goes wrong before anything changes: components are loaded and initialised, tables and topics asked,
//! beside what runs. Lanes then take their binding's next version by themselves, each between two of its batches; a group whose
//! topics or databases are others stops as the process would, and starts anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::manifest::difference::Difference;
use forebay_core::manifest::settings;
use forebay_core::verdict::Verdict;
use forebay_kafka::Admin;
use tracing::info;

use crate::consumer::consumers::of_client;
use crate::consumer::{Binding, Consumers, Parts};
use crate::error::{Error, ErrorKind};

/// How long servers may take to say what they know of a binding.
const PATIENCE: Duration = Duration::from_secs(15);

/// A change that is ready to be taken.
pub struct Reload {
    parts: Parts,
    bindings: Vec<Arc<Binding>>,
    restarted: BTreeSet<String>,
    changes: Vec<String>,
}

impl Consumers {
    /// Prepares the change from `now` to `next`, beside what runs.
    ///
    /// # Errors
    /// Everything that keeps it from being taken. Nothing has changed then.
    pub async fn prepare(&self, now: &Parts, next: Parts) -> Result<Reload, Error> {
        let is_replaced = |name: &str| match (now.plugins.get(name), next.plugins.get(name)) {
            (Some(before), Some(after)) => before.digest() != after.digest(),
            _ => true,
        };
        let found = Difference::between(&now.manifest, &next.manifest, is_replaced);
        let fixed = found.fixed.iter().map(|section| {
            let sentence = format!("[{section}] is read once, at the start; restart the process to change it");
            Error::new(ErrorKind::Config, sentence)
        });
        if let Some(error) = Error::join(fixed.collect()) {
            return Err(error);
        }
        let admin = Admin::start(&next.manifest.kafka).map_err(|error| of_client(&error))?;
        let room_bytes = next.manifest.buffered_bytes / 4 / next.manifest.bindings.len().max(1);
        let (running, mut bindings, mut errors) = (self.live.all(), Vec::new(), Vec::new());
        for settings in &next.manifest.bindings {
            let known = running.iter().find(|binding| binding.settings.name == settings.name);
            let is_restarted = found.restarted.contains(&settings.group);
            let binding = match known {
                Some(known) if !is_restarted && !found.swapped.contains(&settings.name) => Ok(known.clone()),
                Some(known) if !is_restarted => succeed(known, settings, &next).await,
                Some(known) => begin(next.binding(settings, &admin, room_bytes)?.with_wishes_of(known)).await,
                None => begin(next.binding(settings, &admin, room_bytes)?).await,
            };
            match binding {
                Ok(binding) => bindings.push(binding),
                Err(error) => errors.push(error),
            }
        }
        match Error::join(errors) {
            Some(error) => Err(error),
            None => {
                let changes = tell(&found, now, &next);
                Ok(Reload { parts: next, bindings, restarted: found.restarted, changes })
            }
        }
    }

    /// Takes a change, and returns what runs from now on and what is different.
    pub async fn take(&mut self, reload: Reload) -> (Parts, Vec<String>) {
        let Reload { parts, bindings, restarted, changes } = reload;
        // What was decided about them is known before they begin anew.
        self.end(&restarted).await;
        for binding in &bindings {
            let before = self.live.all().iter().find(|known| known.settings.name == binding.settings.name).cloned();
            if before.is_some_and(|before| before.settings.dead_letter != binding.settings.dead_letter) {
                binding.steering.limit(&binding.settings.dead_letter);
            }
            binding.pace.limit(binding.settings.rate);
        }
        self.live.replace(bindings);
        let groups = self.live.groups();
        self.begin(restarted.into_iter().filter(|group| groups.contains(group)).collect());
        changes.iter().for_each(|change| info!("reloaded: {change}"));
        (parts, changes)
    }
}

async fn succeed(known: &Arc<Binding>, settings: &settings::Binding, next: &Parts) -> Result<Arc<Binding>, Error> {
    let plugin = next.plugin(&settings.plugin)?;
    let asked = tokio::time::timeout(PATIENCE, known.succeed(settings.clone(), plugin)).await;
    asked.map_err(|_| late(&settings.name))?.map(Arc::new).map_err(|verdict| of_verdict(&settings.name, verdict))
}

async fn begin(binding: Binding) -> Result<Arc<Binding>, Error> {
    let asked = tokio::time::timeout(PATIENCE, binding.prepare()).await;
    let asked = asked.map_err(|_| late(&binding.settings.name))?;
    asked.map_err(|verdict| of_verdict(&binding.settings.name, verdict)).map(|_| Arc::new(binding))
}

fn late(name: &str) -> Error {
    let sentence = format!("binding `{name}`: Kafka or the database did not answer within {PATIENCE:?}; try again");
    Error::new(ErrorKind::Unavailable, sentence)
}

fn of_verdict(name: &str, verdict: Verdict) -> Error {
    match verdict {
        Verdict::Misconfigured(mut cause) => {
            cause.message = format!("binding `{name}`: {}", cause.message);
            Error::of_cause(ErrorKind::Config, cause)
        }
        Verdict::Unavailable(mut cause) => {
            cause.message = format!("binding `{name}`: {}", cause.message);
            Error::of_cause(ErrorKind::Unavailable, cause)
        }
        other => Error::new(ErrorKind::Internal, format!("binding `{name}`: {other:?}")),
    }
}

/// Says what is different, for people.
fn tell(found: &Difference, now: &Parts, next: &Parts) -> Vec<String> {
    let mut told = Vec::new();
    for name in &found.added {
        told.push(format!("binding `{name}` is new"));
    }
    for name in &found.removed {
        told.push(format!("binding `{name}` is gone"));
    }
    for name in &found.swapped {
        let digest = |parts: &Parts| {
            let binding = parts.manifest.bindings.iter().find(|binding| binding.name == *name)?;
            Some((binding.plugin.clone(), parts.plugins.get(&binding.plugin)?.digest().to_owned()))
        };
        match (digest(now), digest(next)) {
            (Some((_, before)), Some((plugin, after))) if before != after => {
                told.push(format!("binding `{name}`: plugin `{plugin}` {before} -> {after}"));
            }
            _ => told.push(format!("binding `{name}`: other settings")),
        }
    }
    told
}

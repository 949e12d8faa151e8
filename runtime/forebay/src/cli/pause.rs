//! `forebay pause` and `forebay resume`: whether a binding stands still, for its whole group, over rebalances and restarts.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use forebay_core::manifest::settings::{Binding, Manifest, SinkKind};
use forebay_kafka::Admin;
use forebay_sink::{BindingKey, Database, Pause as Paused, Wish};
use serde_json::json;

use crate::admin;
use crate::app;
use crate::cli::init::of_verdict;
use crate::cli::remote::{self, Remote};
use crate::consumer::host_name;
use crate::error::{Error, ErrorKind};
use crate::load;
use crate::telemetry;

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which binding is meant.
#[derive(Debug, Args)]
struct Which {
    /// The binding's name
    binding: String,
    /// The manifest
    #[arg(default_value = "forebay.toml")]
    manifest: Utf8PathBuf,
    /// The manifest, as an option
    #[arg(long = "manifest", value_name = "MANIFEST", conflicts_with = "manifest")]
    manifest_option: Option<Utf8PathBuf>,
    /// Only this partition
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    partition: Option<i32>,
}

/// `forebay pause`
#[derive(Debug, Args)]
pub(super) struct Pause {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever finds it standing
    #[arg(long, default_value = "", value_name = "TEXT")]
    why: String,
}

/// `forebay resume`
#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    which: Which,
    /// What fails alike is the records' fault after all: they become dead letters
    #[arg(long)]
    accept: bool,
}

impl Pause {
    pub(super) fn run(self, address: Option<&str>, as_json: bool) -> Result<(), Error> {
        let wish = Wish::Pause(Paused { by: person(), why: self.why, at: String::new() });
        self.which.run(&wish, address, as_json)
    }
}

impl Resume {
    pub(super) fn run(self, address: Option<&str>, as_json: bool) -> Result<(), Error> {
        self.which.run(&Wish::Resume { by: person(), accept: self.accept }, address, as_json)
    }
}

impl Which {
    fn run(&self, wish: &Wish, address: Option<&str>, as_json: bool) -> Result<(), Error> {
        let manifest = load::manifest(self.manifest_option.as_ref().unwrap_or(&self.manifest))?;
        let binding = manifest.binding(&self.binding).map_err(|sentence| Error::new(ErrorKind::Usage, sentence))?;
        app::runtime()?.block_on(async {
            self.expect_partition(&manifest, binding).await?;
            let sink = binding.sink().and_then(|sink| manifest.sinks.get(sink));
            match sink.filter(|sink| matches!(sink.kind, SinkKind::Postgres)) {
                Some(sink) => {
                    let database = Database::new(sink);
                    let database = database.map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
                    self.keep(&manifest, binding, &database, wish).await?;
                }
                // A file belongs to the process that has it, and without a ledger only the processes can know.
                None => drop(remote::post(&Remote::of(&manifest, address), &self.path(wish), PATIENCE).await?),
            }
            self.tell(binding, wish, sink.is_some(), as_json);
            Ok(())
        })
    }

    /// A partition that is not there is a slip of the hand. While Kafka is away nobody can tell, and it is not waited for.
    async fn expect_partition(&self, manifest: &Manifest, binding: &Binding) -> Result<(), Error> {
        let Some(partition) = self.partition else { return Ok(()) };
        let Ok(admin) = Admin::start(&manifest.kafka) else { return Ok(()) };
        let mut most = 0;
        for topic in &binding.topics {
            match admin.describe(topic).await {
                Ok(Some(facts)) => most = most.max(facts.partitions),
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        if (0..most).contains(&partition) {
            return Ok(());
        }
        let sentence = format!("binding `{}` has no partition {partition}; it has 0 to {}", binding.name, most - 1);
        Err(Error::new(ErrorKind::Usage, sentence))
    }

    async fn keep(
        &self,
        manifest: &Manifest,
        binding: &Binding,
        database: &Database,
        wish: &Wish,
    ) -> Result<(), Error> {
        database.ledger_id().await.map_err(|verdict| of_verdict(&verdict))?;
        let (source, group) = (manifest.kafka.name.clone(), binding.group.clone());
        let known = database.wanted(&source, &group).await.map_err(|verdict| of_verdict(&verdict))?;
        let is_whole = known.get(&binding.name).is_some_and(|wanted| wanted.whole.is_some());
        if let (Wish::Resume { .. }, Some(partition), true) = (wish, self.partition, is_whole) {
            return Err(Error::new(ErrorKind::Usage, admin::not_alone(&binding.name, partition)));
        }
        let key = BindingKey { source, group, binding: binding.name.clone() };
        database.wish(&key, self.partition, wish).await.map_err(|verdict| of_verdict(&verdict))
    }

    fn path(&self, wish: &Wish) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let verb = match wish {
            Wish::Pause(Paused { by, why, .. }) => {
                query.append_pair("by", by).append_pair("why", why);
                "pause"
            }
            Wish::Resume { by, accept } => {
                query.append_pair("by", by).append_pair("accept", if *accept { "true" } else { "false" });
                "resume"
            }
        };
        if let Some(partition) = self.partition {
            query.append_pair("partition", &partition.to_string());
        }
        let name: String = form_urlencoded::byte_serialize(self.binding.as_bytes()).collect();
        format!("/bindings/{}/{verb}?{}", name.replace('+', "%20"), query.finish())
    }

    fn tell(&self, binding: &Binding, wish: &Wish, is_kept: bool, as_json: bool) {
        let (name, group) = (&binding.name, &binding.group);
        let is_paused = matches!(wish, Wish::Pause(_));
        if as_json {
            let facts = json!({ "binding": name, "group": group, "partition": self.partition, "paused": is_paused });
            return telemetry::print(&facts.to_string());
        }
        let part = self.partition.map_or(String::new(), |partition| format!(", partition {partition}"));
        let (state, then) = match wish {
            Wish::Pause(_) if is_kept => {
                ("is paused", "its processes stop within 2 s, and a restart does not change it")
            }
            Wish::Pause(_) => ("is paused", "in this process and until it ends: without a table nothing keeps a pause"),
            Wish::Resume { accept: false, .. } => ("goes on", "its processes start within 2 s"),
            Wish::Resume { accept: true, .. } => {
                ("goes on", "what fails alike now, or within ten minutes from now, becomes dead letters")
            }
        };
        telemetry::print(&format!("binding `{name}`{part} of group `{group}` {state}; {then}"));
    }
}

/// Who asks, for whoever finds the binding standing.
fn person() -> String {
    #[expect(clippy::disallowed_methods, reason = "the user's name, for people only")]
    let user = std::env::var("USER").unwrap_or_default();
    let host = host_name();
    if user.is_empty() { host } else { format!("{user}@{host}") }
}

//! Which dead-letter topics are meant.

use camino::Utf8PathBuf;
use clap::Args;
use forebay_core::manifest::settings::{Binding, DeadLetter, Manifest};

use crate::cli::dlq::usage;
use crate::error::Error;
use crate::load;

/// Which topics are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The binding's name; without one, every dead-letter topic of the manifest
    binding: Option<String>,
    /// The manifest [default: forebay.toml]
    manifest: Option<Utf8PathBuf>,
    /// The manifest, as an option
    #[arg(id = "file", long = "manifest", value_name = "MANIFEST", conflicts_with = "manifest")]
    manifest_option: Option<Utf8PathBuf>,
    /// Any other topic with dead letters, of Forebay, Spring Kafka or Kafka Connect
    #[arg(long)]
    topic: Option<String>,
}

/// Where letters lie.
pub(super) struct Places<'a> {
    /// The topics.
    pub(super) topics: Vec<Place<'a>>,
    /// Bindings that have none.
    pub(super) dropping: Vec<&'a str>,
}

/// One dead-letter topic.
pub(super) struct Place<'a> {
    /// Its name.
    pub(super) topic: &'a str,
    /// The bindings that are meant.
    pub(super) bindings: Vec<&'a Binding>,
    /// Bindings that write to it and are not meant.
    pub(super) others: Vec<String>,
    /// What a client may call itself.
    pub(super) group: &'a str,
}

impl Which {
    /// Reads the manifest, and says which binding of it is meant.
    pub(super) fn manifest(&self) -> Result<(Manifest, Option<String>), Error> {
        let given = self.manifest_option.as_ref().or(self.manifest.as_ref());
        // `forebay dlq list forebay.toml`
        let is_path = |name: &String| name.ends_with(".toml") || Utf8PathBuf::from(name).exists();
        if given.is_none()
            && let Some(path) = self.binding.as_ref().filter(|name| is_path(name))
        {
            return Ok((load::manifest(path.as_str().into())?, None));
        }
        let path = given.cloned().unwrap_or_else(|| "forebay.toml".into());
        Ok((load::manifest(&path)?, self.binding.clone()))
    }

    /// Returns the topics that are meant.
    pub(super) fn places<'a>(&'a self, manifest: &'a Manifest, name: Option<&str>) -> Result<Places<'a>, Error> {
        let named = name.map(|name| manifest.binding(name).map_err(usage)).transpose()?;
        let meant = manifest.bindings.iter().filter(|binding| named.is_none_or(|named| named.name == binding.name));
        if let Some(topic) = &self.topic {
            let group = named.or(manifest.bindings.first()).map_or("forebay", |binding| binding.group.as_str());
            let place = Place { topic, bindings: meant.collect(), others: Vec::new(), group };
            return Ok(Places { topics: vec![place], dropping: Vec::new() });
        }
        let mut places = Places { topics: Vec::new(), dropping: Vec::new() };
        for binding in meant {
            let Some(topic) = topic_of(binding) else {
                places.dropping.push(&binding.name);
                continue;
            };
            match places.topics.iter_mut().find(|place| place.topic == topic) {
                Some(place) => place.bindings.push(binding),
                None => {
                    let is_other = |other: &&Binding| {
                        named.is_some_and(|named| named.name != other.name) && topic_of(other) == Some(topic)
                    };
                    let others = manifest.bindings.iter().filter(is_other).map(|other| other.name.clone()).collect();
                    places.topics.push(Place { topic, bindings: vec![binding], others, group: &binding.group });
                }
            }
        }
        match named {
            Some(named) if places.topics.is_empty() => Err(usage(drops(&named.name))),
            _ => Ok(places),
        }
    }
}

impl Places<'_> {
    /// Says that one topic must be named.
    pub(super) fn not_one(&self) -> Error {
        let topics: Vec<&str> = self.topics.iter().map(|place| place.topic).collect();
        match topics.as_slice() {
            [] => usage("no binding of the manifest has a dead-letter topic; all of them drop dead letters".to_owned()),
            topics => {
                let topics = topics.join(", ");
                usage(format!("the manifest has several dead-letter topics: {topics}; name a binding, or give --topic"))
            }
        }
    }
}

/// What is said of a binding without dead letters.
pub(super) fn drops(name: &str) -> String {
    format!("binding `{name}` has no dead-letter topic: its manifest says `dead-letter = \"drop\"`")
}

fn topic_of(binding: &Binding) -> Option<&str> {
    match &binding.dead_letter {
        DeadLetter::Topic { topic, .. } => Some(topic),
        DeadLetter::Drop => None,
    }
}

//! The value of a letter whose topic was too small for it.

use forebay_core::letter::{Letter, Origin};
use forebay_core::manifest::settings::{Binding, Manifest};
use forebay_sink::{Database, LaneKey};

use crate::cli::dlq::which::Place;
use crate::cli::init::of_verdict;
use crate::error::{Error, ErrorKind};

/// Where a letter's value is.
pub(super) enum Body {
    /// In the letter.
    Own,
    /// In the sink.
    Kept {
        /// The sink's name.
        sink: String,
        /// The value.
        value: Option<Vec<u8>>,
    },
    /// Nobody has it; why.
    Lost(String),
}

impl Body {
    /// Fetches the value of a letter from the sink, if that is where it is.
    pub(super) async fn find(manifest: &Manifest, place: &Place<'_>, letter: &Letter) -> Result<Self, Error> {
        if !letter.is_value_kept {
            return Ok(Self::Own);
        }
        let (Some(Origin { topic, partition, offset, group, .. }), Some(id)) = (&letter.origin, &letter.id) else {
            return Ok(Self::Lost("the letter does not say which record it is of".to_owned()));
        };
        let Some(binding) = writer(manifest, place, letter) else {
            return Ok(Self::Lost("the binding that wrote the letter is not in the manifest".to_owned()));
        };
        let Some(sink) = binding.sink().and_then(|name| manifest.sinks.get(name)) else {
            return Ok(Self::Lost(format!("binding `{}` has no sink any more", binding.name)));
        };
        let group = group.as_ref().unwrap_or(&binding.group).clone();
        let key = LaneKey { source: manifest.kafka.name.clone(), group, topic: topic.clone(), partition: *partition };
        let database = Database::new(sink).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
        let found = database.kept_letter(&key, *offset, id).await.map_err(|verdict| of_verdict(&verdict))?;
        Ok(match found {
            Some(found) => Self::Kept { sink: sink.name.clone(), value: found.value.map(|value| value.to_vec()) },
            None => Self::Lost(format!("sink `{}` has no such row in forebay.outbox any more", sink.name)),
        })
    }

    /// Returns the value.
    pub(super) fn of<'a>(&'a self, letter: &'a Letter) -> Option<&'a [u8]> {
        match self {
            Self::Own => letter.value(),
            Self::Kept { value, .. } => value.as_deref(),
            Self::Lost(_) => None,
        }
    }
}

/// Returns the binding that wrote a letter; the one that is meant where it does not say so.
fn writer<'a>(manifest: &'a Manifest, place: &Place<'a>, letter: &Letter) -> Option<&'a Binding> {
    match &letter.binding {
        Some(name) => manifest.bindings.iter().find(|binding| binding.name == *name),
        None => place.bindings.first().copied(),
    }
}

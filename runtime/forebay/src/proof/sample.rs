//! Samples as the records a handler gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use forebay_core::budget::Permit;
use forebay_core::manifest::settings::Binding;
use forebay_core::record::{At, RawHeader, Record};
use forebay_core::records::Records;

use crate::error::{Error, ErrorKind};
use crate::samples::{Input, Source};

/// What a sample's timestamp is where it has none: 2026-01-01T00:00:00Z, so that an outcome is the same every day.
const TIMESTAMP_MS: i64 = 1_767_225_600_000;

/// The samples of one binding.
pub(super) struct Samples {
    /// The file, as it is called.
    pub(super) file: String,
    list: Vec<Sample>,
}

struct Sample {
    input: Input,
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl Samples {
    /// Reads what stands beside the manifest for a binding's first topic, or `asked`.
    ///
    /// # Errors
    /// Where there is none, or a line of it is no record.
    pub(super) fn read(binding: &Binding, manifest: &Utf8Path, asked: Option<&Utf8Path>) -> Result<Self, Error> {
        let first = binding.topics.first().map(String::as_str).unwrap_or_default();
        let source = Source::find(asked, manifest, first)?;
        if asked.is_none() && source == Source::Stdin {
            let message = format!(
                "there are no samples for binding `{}`; write some into `{}`, a record a line, or name a file with `--input`",
                binding.name,
                manifest.with_file_name(format!("{first}.jsonl"))
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut ends: BTreeMap<(Arc<str>, i32), i64> = BTreeMap::new();
        let (mut list, mut errors) = (Vec::new(), Vec::new());
        for input in source.all()? {
            match input {
                // A line of another binding's topic.
                Ok(input) if input.topic.as_ref().is_some_and(|topic| !binding.topics.contains(topic)) => {}
                Ok(input) => {
                    let topic: Arc<str> = input.topic.as_deref().unwrap_or(first).into();
                    let partition = input.partition.unwrap_or_default();
                    let end = ends.entry((topic.clone(), partition)).or_default();
                    list.push(Sample { input, topic, partition, offset: *end });
                    *end += 1;
                }
                Err(bad) => errors.push(Error::new(ErrorKind::Config, bad.to_string())),
            }
        }
        if list.is_empty() && errors.is_empty() {
            let message = format!("`{}` has no sample for binding `{}`; write one", source.name(), binding.name);
            errors.push(Error::new(ErrorKind::Config, message));
        }
        let file = source.name().to_owned();
        Error::join(errors).map_or(Ok(Self { file, list }), Err)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns a sample's key, as far as it is text.
    pub(super) fn key(&self, index: usize) -> Option<&str> {
        let key = self.list.get(index)?.input.key.as_ref()?;
        std::str::from_utf8(key).ok()
    }

    /// Returns the samples of these numbers as records, in this order.
    pub(super) fn records(&self, order: &[usize]) -> Records {
        order.iter().filter_map(|index| self.list.get(*index)).map(Sample::record).collect::<Vec<_>>().into()
    }
}

impl Sample {
    fn record(&self) -> Record {
        let Self { input, topic, partition, offset } = self;
        let at = At {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            timestamp_ms: Some(input.timestamp_ms.unwrap_or(TIMESTAMP_MS)),
            leader_epoch: None,
        };
        let headers: Vec<RawHeader<'_>> =
            input.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        Record::copy(at, input.key.as_deref(), input.value.as_deref(), &headers, |_| Permit::free())
    }
}

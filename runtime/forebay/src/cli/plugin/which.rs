//! Which handlers and samples: the arguments that `plugin test` and `plugin bench` have in common.

use camino::Utf8PathBuf;

use crate::proof::Wish;

/// Handlers and samples.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The manifest, or its folder
    #[arg(default_value = ".", value_name = "DIR or MANIFEST")]
    manifest: Utf8PathBuf,
    /// One binding alone
    #[arg(long)]
    binding: Option<String>,
    /// The samples: a file of lines or of JSON documents [default: TOPIC.jsonl beside the manifest]
    #[arg(long, value_name = "FILE")]
    input: Option<Utf8PathBuf>,
}

impl Which {
    /// Returns what is asked for.
    pub(super) fn wish(self, bless: bool) -> Wish {
        let Self { manifest, binding, input } = self;
        Wish { manifest, binding, input, bless }
    }
}

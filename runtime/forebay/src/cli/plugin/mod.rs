//! `forebay plugin`: the arguments, and what is printed.

mod bench;
mod test;
mod which;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::manifest::settings::BuiltIn;
use forebay_guest_build::Facts;
use forebay_plugin_host::builtin;
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::project::{self, Built, Language, Made, Name, Profile};
use crate::telemetry;

/// A handler of your own: from a template to its component.
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes a project: a handler with its tests, the manifest, tables, samples, and the SDK
    New {
        /// What it is called: topic, plugin and table take their names from it
        name: String,
        /// The language of the handler
        #[arg(long, default_value = "rust", value_enum)]
        lang: Lang,
        /// Its folder, made or empty [default: NAME]
        #[arg(long)]
        dir: Option<Utf8PathBuf>,
    },
    /// Builds the components that a project's manifest names
    Build {
        /// A project's folder, or one plugin's
        #[arg(default_value = ".")]
        dir: Utf8PathBuf,
        /// Optimised, as it is to run (the default)
        #[arg(long, conflicts_with = "debug")]
        release: bool,
        /// As quickly as it compiles
        #[arg(long)]
        debug: bool,
    },
    /// What a component is: world, tools, size, digest, imports and exports; and why it is refused, if it is
    Inspect {
        /// The component's file, or `builtin:NAME`
        component: Utf8PathBuf,
    },
    Test(test::Test),
    Bench(bench::Bench),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Lang {
    /// Rust
    Rust,
    /// JavaScript, or TypeScript
    Js,
    /// Python
    Python,
    /// Go
    Go,
    /// C
    C,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Js => Self::Js,
            Lang::Python => Self::Python,
            Lang::Go => Self::Go,
            Lang::C => Self::C,
        }
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What ended it.
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        match self.verb {
            Verb::New { name, lang, dir } => new(&name, lang.into(), dir, as_json),
            Verb::Build { dir, release: _, debug } => {
                let profile = if debug { Profile::Debug } else { Profile::Release };
                tell_built(&project::build(&dir, profile)?, as_json);
                Ok(())
            }
            Verb::Inspect { component } => inspect(&component, as_json),
            Verb::Test(test) => test.run(as_json),
            Verb::Bench(bench) => bench.run(as_json),
        }
    }
}

fn new(name: &str, lang: Language, dir: Option<Utf8PathBuf>, as_json: bool) -> Result<(), Error> {
    let name: Name =
        name.parse().map_err(|error: project::InvalidName| Error::new(ErrorKind::Usage, error.to_string()))?;
    let dir = dir.unwrap_or_else(|| Utf8PathBuf::from(name.as_str()));
    tell_made(&name, &project::new(&name, lang, &dir)?, as_json);
    Ok(())
}

fn inspect(path: &Utf8Path, as_json: bool) -> Result<(), Error> {
    let facts = match BuiltIn::named(path.as_str()) {
        Some(built_in) => Facts::of_bytes(builtin::bytes(built_in)),
        None => Facts::of_file(path.as_std_path()).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?,
    };
    let Facts { size, digest, language, tools, world, imports, exports, refusals } = facts;
    if as_json {
        let facts = json!({
            "component": path.as_str(), "world": world, "language": language, "made_by": tools, "bytes": size, "digest": digest,
            "imports": imports, "exports": exports, "refusals": refusals,
        });
        telemetry::print(&facts.to_string());
    } else {
        let list = |names: &[String]| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
        let lines = [
            path.to_string(),
            format!("  world     {}", world.unwrap_or("-")),
            format!("  language  {}", language.as_deref().unwrap_or("-")),
            format!("  made by   {}", list(&tools)),
            format!("  size      {} KiB", size.div_ceil(1024)),
            format!("  digest    {digest}"),
            format!("  imports   {}", list(&imports)),
            format!("  exports   {}", list(&exports)),
        ];
        telemetry::print(&lines.join("\n"));
    }
    let refusals = refusals.into_iter().map(|why| Error::new(ErrorKind::Plugin, format!("`{path}` is refused: {why}")));
    Error::join(refusals.collect()).map_or(Ok(()), Err)
}

fn tell_made(name: &Name, made: &Made, as_json: bool) {
    let Made { folder, files } = made;
    let next = [format!("cd {folder} && forebay plugin build"), "forebay dev --once".to_owned()];
    if as_json {
        let files: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let facts = json!({ "name": name.as_str(), "folder": folder.as_str(), "files": files, "next": next });
        return telemetry::print(&facts.to_string());
    }
    let width = files.iter().map(|(path, _)| path.len()).max().unwrap_or_default();
    let mut lines = vec![format!("made the project `{name}` in `{folder}`:")];
    lines.extend(files.iter().map(|(path, purpose)| format!("  {path:width$}  {purpose}")));
    lines.push("next:".to_owned());
    lines.extend(next.into_iter().map(|command| format!("  {command}")));
    telemetry::print(&lines.join("\n"));
}

fn tell_built(built: &[Built], as_json: bool) {
    if as_json {
        let components: Vec<_> = built
            .iter()
            .map(|built| {
                let Built { plugin, path, size, digest, is_changed } = built;
                json!({ "plugin": plugin, "path": path.as_str(), "bytes": size, "digest": digest, "changed": is_changed })
            })
            .collect();
        return telemetry::print(&json!({ "components": components }).to_string());
    }
    for Built { plugin: _, path, size, digest, is_changed } in built {
        let same = if *is_changed { "" } else { " (as it was)" };
        telemetry::print(&format!("{}  {} KiB  {digest}{same}", shown(path), size.div_ceil(1024)));
    }
}

/// Returns a path as one would type it here.
fn shown(path: &Utf8Path) -> &Utf8Path {
    let here = std::env::current_dir().ok().and_then(|here| Utf8PathBuf::from_path_buf(here).ok());
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

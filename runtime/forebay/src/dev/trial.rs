//! The loop of `forebay dev`: lines go in, fates come out, edits are taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::lane::State;
use forebay_core::manifest::settings::Manifest;
use forebay_core::verdict::Reason;
use forebay_plugin_host::Host;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::dev::feed::Feed;
use crate::dev::room::Room;
use crate::dev::session::Session;
use crate::dev::tally::{self, Tally};
use crate::dev::{Settings, embed, fate};
use crate::error::{Error, ErrorKind};
use crate::paint::Paint;
use crate::samples::{BadLine, Input, Source};
use crate::watch::Watch;
use crate::{load, telemetry};

/// How often the lanes are asked what they wait for.
const LOOK: Duration = Duration::from_millis(100);

/// A running trial.
pub(super) struct Trial {
    settings: Settings,
    manifest: Utf8PathBuf,
    host: Arc<Host>,
    paint: Paint,
    source: Source,
    session: Session,
    feed: Feed,
    lines: mpsc::Receiver<Result<Input, BadLine>>,
    /// Whether there are no more lines.
    is_fed: bool,
    /// Whether the summary was printed.
    is_told: bool,
    tally: Tally,
    watch: Watch,
    /// What each lane or group was last said to wait for.
    whys: BTreeMap<String, String>,
    room: Room,
}

enum Heard {
    Stop,
    Terminal(Option<crate::consumer::Terminal>),
    Line(Option<Result<Input, BadLine>>),
    Changed(Utf8PathBuf),
    Look,
}

impl Trial {
    pub(super) async fn start(settings: Settings, host: Arc<Host>) -> Result<Self, Error> {
        let manifest = load::file(&settings.manifest);
        let (parsed, missing) = embed::read(&manifest)?;
        let topic = topic(&parsed)?;
        let source = Source::find(settings.input.as_deref(), &manifest, &topic)?;
        let partitions = source.partitions()?;
        let room = Room::open(&manifest)?;
        let script = embed::script(&manifest, &parsed)?;
        let watch = Watch::new(watched(&manifest, &parsed, &source));
        let lines = source.lines()?;
        let session = Session::start(parsed, &room, host.clone(), (partitions, script.as_deref())).await?;
        let (paint, feed) = (Paint::of_stdout(), Feed::new(&topic));
        let trial = Self {
            settings,
            manifest,
            host,
            paint,
            source,
            session,
            feed,
            lines,
            is_fed: false,
            is_told: false,
            tally: Tally::default(),
            watch,
            whys: BTreeMap::new(),
            room,
        };
        trial.introduce(&topic, &missing, script.is_some());
        Ok(trial)
    }

    /// Runs until everything is done, or until `stop` is cancelled.
    ///
    /// # Errors
    /// What keeps a record from its end and nobody mends, or a line that was left out.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut look = tokio::time::interval(LOOK);
        loop {
            match self.listen(stop, &mut look).await {
                Heard::Stop => break,
                Heard::Terminal(Some(terminal)) => self.ended(terminal),
                Heard::Terminal(None) => return Err(Error::new(ErrorKind::Internal, "the lanes are gone")),
                Heard::Line(Some(line)) => self.take(line).await,
                Heard::Line(None) => self.is_fed = true,
                Heard::Changed(file) => self.changed(&file).await?,
                Heard::Look => {
                    if let Some(error) = self.look() {
                        self.summary().await?;
                        return Err(error);
                    }
                    if self.is_done() && !self.is_told {
                        self.is_told = true;
                        self.summary().await?;
                        if self.settings.once || self.source == Source::Stdin {
                            return self.verdict();
                        }
                        self.say(&self.paint.dim("\nwatching for changes; ctrl-c ends"));
                    }
                }
            }
        }
        if !self.is_told {
            self.summary().await?;
        }
        Ok(())
    }

    async fn listen(&mut self, stop: &CancellationToken, look: &mut tokio::time::Interval) -> Heard {
        let has_room = self.feed.room() > 0 && !self.is_fed;
        let is_watching = !self.settings.once;
        tokio::select! {
            biased; // What came to its end first: it makes room for lines.
            () = stop.cancelled() => Heard::Stop,
            terminal = self.session.terminals.recv() => Heard::Terminal(terminal),
            line = self.lines.recv(), if has_room => Heard::Line(line),
            file = self.watch.changed(), if is_watching => Heard::Changed(file),
            _ = look.tick() => Heard::Look,
        }
    }

    /// Feeds a line and those that are there already behind it.
    async fn take(&mut self, line: Result<Input, BadLine>) {
        let mut inputs = Vec::new();
        let mut next = Some(line);
        while let Some(line) = next {
            match line {
                Ok(input) => inputs.push(input),
                Err(bad) => self.leave_out(&bad.to_string()),
            }
            let has_room = inputs.len() < self.feed.room();
            next = if has_room { self.lines.try_recv().ok() } else { None };
        }
        for refused in self.feed.send(&self.session.producer, inputs).await {
            self.leave_out(&refused.to_string());
        }
    }

    fn leave_out(&mut self, why: &str) {
        self.tally.bad_lines += 1;
        telemetry::warn(why);
    }

    fn ended(&mut self, terminal: crate::consumer::Terminal) {
        for terminal in self.feed.ended(terminal) {
            self.tally.add(&terminal);
            telemetry::print(&match self.settings.as_json {
                true => fate::json(&terminal).to_string(),
                false => fate::text(&terminal, self.paint),
            });
        }
    }

    fn is_done(&self) -> bool {
        let is_idle = |state| matches!(state, State::Idle | State::Running);
        self.is_fed
            && self.feed.is_done()
            && self
                .session
                .board
                .lanes()
                .iter()
                .all(|(_, view)| is_idle(view.status.state) && view.lag_messages() == Some(0))
    }

    /// Says what lanes and groups wait for, once; returns what nobody mends during a run that is to end by itself.
    fn look(&mut self) -> Option<Error> {
        let board = self.session.board.clone();
        let mut found = BTreeMap::new();
        let mut halted = None;
        for (group, view) in board.groups() {
            found.extend(view.trouble.map(|trouble| (format!("group `{group}`"), format!("waits: {trouble}"))));
        }
        for (name, view) in board.lanes() {
            let Some((cause, _)) = &view.status.why else { continue };
            let state = view.status.state;
            if state == State::Halted {
                let kind = if cause.reason == Reason::Plugin { ErrorKind::Plugin } else { ErrorKind::Config };
                halted = halted.or(Some(Error::new(kind, format!("{}: {}", cause.reason.as_str(), cause.message))));
            }
            let what = format!("{}: {}: {}", state.as_str(), cause.reason.as_str(), cause.message);
            found.insert(format!("{}/{}", name.topic, name.partition), what);
        }
        for (who, what) in &found {
            if self.whys.get(who) != Some(what) {
                self.say(&format!("{} {who} {what}", self.paint.red("!")));
            }
        }
        for who in self.whys.keys().filter(|who| !found.contains_key(*who)) {
            self.say(&format!("{} {who} goes on", self.paint.green("!")));
        }
        self.whys = found;
        halted.filter(|_| self.settings.once)
    }

    /// Takes an edited file over: a file is fed again from its start into empty tables; standard input goes on.
    ///
    /// # Errors
    /// Where nothing is left that could go on.
    async fn changed(&mut self, file: &Utf8Path) -> Result<(), Error> {
        match self.renew(file).await {
            Err(error) if error.kind() == ErrorKind::Internal => Err(error),
            Err(error) => {
                let text =
                    format!("\n{} {file} changed, but can not be used; what ran before goes on", self.paint.red("!"));
                self.say(&text);
                telemetry::report(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn renew(&mut self, file: &Utf8Path) -> Result<(), Error> {
        let (parsed, _) = embed::read(&self.manifest)?;
        let topic = topic(&parsed)?;
        let watch = Watch::new(watched(&self.manifest, &parsed, &self.source));
        if self.source == Source::Stdin {
            self.session.swap(parsed, &self.room).await?;
            self.watch = watch;
            self.say(&format!(
                "\n{}",
                self.paint.bold(&format!("{file} changed: what comes next is handled by the new one"))
            ));
            return Ok(());
        }
        let script = embed::script(&self.manifest, &parsed)?;
        let (partitions, lines) = (self.source.partitions()?, self.source.lines()?);
        let next = Session::start(parsed, &self.room, self.host.clone(), (partitions, script.as_deref())).await?;
        let mut before = std::mem::replace(&mut self.session, next);
        before.stop().await;
        (self.feed, self.lines, self.watch) = (Feed::new(&topic), lines, watch);
        (self.tally, self.whys, self.is_fed, self.is_told) = (Tally::default(), BTreeMap::new(), false, false);
        let text = format!("{file} changed: {} is fed again, into empty tables", self.source.name());
        self.say(&format!("\n{}", self.paint.bold(&text)));
        self.plugins();
        Ok(())
    }

    fn introduce(&self, topic: &str, missing: &[String], has_script: bool) {
        let Self { manifest, source, room, .. } = self;
        self.say(&self.paint.bold(&format!("forebay dev  {manifest}")));
        let tables = if has_script { format!(", made by {}", embed::SCRIPT) } else { String::new() };
        self.say(&format!("  broker  in this process; nothing leaves it\n  tables  SQLite in {}{tables}", room.folder));
        self.plugins();
        self.say(&format!("  input   {} → topic {topic}", source.name()));
        if !missing.is_empty() {
            let text = format!("  note    {} not set; fine here, `forebay run` needs it", missing.join(", "));
            self.say(&self.paint.dim(&text));
        }
        if *source == Source::Stdin {
            self.say(
                &self
                    .paint
                    .dim("          a line is a message's value, or a record such as {\"key\":\"k\",\"value\":{…}}"),
            );
        }
        self.say("");
    }

    fn plugins(&self) {
        for (name, digest) in &self.session.plugins {
            self.say(&format!("  plugin  {name} {}", digest.chars().take(19).collect::<String>()));
        }
    }

    async fn summary(&mut self) -> Result<(), Error> {
        let tables = self.session.tables();
        if self.settings.as_json {
            let tables = tally::tables_json(&tables).await?;
            telemetry::print(&serde_json::json!({ "summary": self.tally.json(), "tables": tables }).to_string());
            return Ok(());
        }
        self.say(&format!("\n{}", self.tally.text(self.paint)));
        if !tables.is_empty() {
            self.say(&tally::tables(&tables, self.paint).await?);
        }
        let files: Vec<String> =
            tables.iter().map(|(_, sink)| format!("{}/{}.sqlite", self.room.folder, sink.name())).collect();
        let mut next =
            vec!["edit the handler and build it again: `forebay dev` without --once notices and feeds anew".to_owned()];
        next.extend(files.first().map(|file| format!("look into the tables: sqlite3 {file}")));
        next.push(format!("with your own Kafka and database: forebay check {}", self.manifest));
        self.say(&format!("\n{}\n  {}", self.paint.dim("what to try next"), next.join("\n  ")));
        Ok(())
    }

    /// Prints a line for people; programs get records and the summary alone.
    fn say(&self, text: &str) {
        if !self.settings.as_json {
            telemetry::print(text);
        }
    }

    fn verdict(&self) -> Result<(), Error> {
        match self.tally.bad_lines {
            0 => Ok(()),
            count => {
                let lines = tally::plural(count, "line");
                let message = format!(
                    "{count} {lines} of {} could not be fed; every other record is at its end",
                    self.source.name()
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// The topic that is fed where a line names none.
fn topic(manifest: &Manifest) -> Result<String, Error> {
    let topic = manifest.bindings.first().and_then(|binding| binding.topics.first());
    topic.cloned().ok_or_else(|| Error::new(ErrorKind::Config, "the manifest has no binding to feed; add one"))
}

fn watched(manifest: &Utf8Path, parsed: &Manifest, source: &Source) -> Vec<Utf8PathBuf> {
    let mut files = vec![manifest.to_owned(), manifest.with_file_name(embed::SCRIPT)];
    files.extend(
        parsed
            .plugins
            .values()
            .filter_map(|plugin| Utf8PathBuf::from_path_buf(plugin.component.file()?.to_owned()).ok()),
    );
    if let Source::File(path) = source {
        files.push(path.clone());
    }
    files
}

//! The figures that the documents show. What a run measured takes the place of what stands there under the same name.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// The documents, and the curves that one leaves out for their length.
const DOCUMENTS: &[(&str, &[&str])] = &[("docs/benchmarks.md", &[]), ("README.md", &["drivers-lag"])];
const BEGIN: &str = "<!-- bench output -->\n```text\n";
const END: &str = "```\n<!-- bench output ends -->";

/// What a run prints: a head and a row for each comparison, then curves of several lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    head: Option<String>,
    rows: Vec<String>,
    curves: Vec<String>,
}

/// Puts a run's figures into the documents.
///
/// # Errors
/// When a document has no place for them, or can not be written.
pub(crate) fn write(root: &Path, printed: &str) -> anyhow::Result<()> {
    for (path, without) in DOCUMENTS {
        let file = root.join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("read `{path}`"))?;
        let (before, rest) = text.split_once(BEGIN).with_context(|| format!("`{path}` has no line `{BEGIN}`"))?;
        let (old, after) = rest.split_once(END).with_context(|| format!("`{path}` has no line `{END}`"))?;
        let figures = Figures::read(old).with(Figures::read(printed)).without(without);
        let text = format!("{before}{BEGIN}{}{END}{after}", figures.text());
        fs::write(&file, text).with_context(|| format!("write `{path}`"))?;
    }
    Ok(())
}

impl Figures {
    fn read(text: &str) -> Self {
        let mut figures = Self::default();
        for paragraph in
            text.split("\n\n").map(|paragraph| paragraph.trim_matches('\n')).filter(|text| !text.is_empty())
        {
            let mut lines = paragraph.lines();
            if !paragraph.starts_with("name ") {
                figures.curves.push(paragraph.to_owned());
                continue;
            }
            figures.head = lines.next().map(|line| line.trim_end().to_owned());
            // What stands behind the rows says what they are, and so does the document.
            figures.rows.extend(lines.filter(|line| !line.starts_with(' ')).map(|line| line.trim_end().to_owned()));
        }
        figures
    }

    fn with(mut self, new: Self) -> Self {
        self.head = new.head.or(self.head);
        replace(&mut self.rows, new.rows, |row| row.split(' ').next().unwrap_or_default());
        replace(&mut self.curves, new.curves, |curve| curve.split(':').next().unwrap_or_default());
        self
    }

    fn without(mut self, names: &[&str]) -> Self {
        self.curves.retain(|curve| !names.iter().any(|name| curve.starts_with(&format!("{name}:"))));
        self
    }

    fn text(&self) -> String {
        let table: Vec<&str> = self.head.iter().chain(&self.rows).map(String::as_str).collect();
        let paragraphs = [table.join("\n")].into_iter().chain(self.curves.iter().cloned());
        paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
    }
}

/// Each new one in the place of the old one of that name, or at the end.
fn replace(old: &mut Vec<String>, new: Vec<String>, name: fn(&str) -> &str) {
    for one in new {
        match old.iter_mut().find(|other| name(other) == name(&one)) {
            Some(other) => *other = one,
            None => old.push(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn what_was_measured_anew_takes_the_place_of_what_was_there() {
        let old =
            "name   ratio\nnothing   0.67\nby-hand   0.78\n\nlatency: one a second\n  side   p50\n  forebay   5.2\n";
        let new = "name   ratio   more\nby-hand   0.80   -\ncores   1.7   -\n  cores: what it is\n\nrate: each second\n  max   1\n";
        let both = "name   ratio   more\nnothing   0.67\nby-hand   0.80   -\ncores   1.7   -\n\n\
                    latency: one a second\n  side   p50\n  forebay   5.2\n\nrate: each second\n  max   1\n";
        assert_eq!(Figures::read(old).with(Figures::read(new)).text(), both);
        let short = Figures::read(both).without(&["latency"]).text();
        assert!(!short.contains("latency") && short.contains("rate: each second"), "{short}");
    }
}

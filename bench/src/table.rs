//! What is printed: a row for each comparison, ratios first, and what each side took.

use std::fmt;

use serde_json::{Value, json};

use crate::curve::Curve;
use crate::side::Measured;

/// One comparison's rounds.
pub(crate) struct Row {
    name: String,
    what: String,
    goal: Option<f64>,
    /// Which part of the first side's records is bad.
    bad: Option<f64>,
    ratios: Vec<f64>,
    sides: [Vec<Measured>; 2],
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    curves: Vec<Curve>,
}

impl Row {
    pub(crate) fn new(name: &str, what: &str, goal: Option<f64>) -> Self {
        let (name, what) = (name.to_owned(), what.to_owned());
        Self { name, what, goal, bad: None, ratios: Vec::new(), sides: [Vec::new(), Vec::new()] }
    }

    /// Says which part of the first side's records is bad, where the second side's are good.
    pub(crate) fn with_bad(mut self, share: Option<f64>) -> Self {
        self.bad = share;
        self
    }

    /// Returns what a bad record costs in milliseconds.
    fn bad_ms(&self) -> Option<f64> {
        let share = self.bad?;
        let [firsts, seconds] = &self.sides;
        let costs =
            firsts.iter().zip(seconds).map(|(first, second)| (1.0 / first.rate - 1.0 / second.rate) / share * 1e3);
        Some(median(costs))
    }

    /// Adds a round of both sides.
    pub(crate) fn add(&mut self, first: Measured, second: Measured) {
        self.ratios.push(first.rate / second.rate);
        let [firsts, seconds] = &mut self.sides;
        firsts.push(first);
        seconds.push(second);
    }

    /// The same, where the second side ran before.
    pub(crate) fn add_beside(&mut self, first: Measured, second: Option<Measured>) {
        if let Some(second) = second {
            self.add(first, second);
        }
    }

    fn json(&self) -> Value {
        let sides = self.sides.each_ref().map(|side| {
            let of = |value: fn(&Measured) -> f64| median(side.iter().map(value));
            json!({ "records_per_second": of(|it| it.rate), "cpu_seconds_per_million": of(|it| it.cpu), "peak_mib": of(|it| it.memory) })
        });
        let [min, middle, max] = spread(&self.ratios);
        json!({
            "name": self.name, "what": self.what, "goal": self.goal, "ratio": middle, "min": min, "median": middle,
            "max": max, "sides": sides, "milliseconds_per_bad_record": self.bad_ms(),
        })
    }
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds what is shown below the rows.
    pub(crate) fn add_curve(&mut self, curve: Curve) {
        self.curves.push(curve);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.curves.is_empty()
    }

    pub(crate) fn json(&self) -> String {
        let (rows, curves) = (self.rows.iter().map(Row::json), self.curves.iter().map(Curve::json));
        Value::Array(rows.chain(curves).collect()).to_string()
    }

    fn rows(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<16} {:>6} {:>6} {:>6} {:>6} {:>5}   {:>19}   {:>13}   {:>11}   {:>6}",
            "name", "ratio", "min", "median", "max", "goal", "records/s", "CPU s/million", "peak MiB", "ms/bad"
        )?;
        for row in &self.rows {
            let [min, middle, max] = spread(&row.ratios);
            let goal = row.goal.map_or("-".to_owned(), |goal| format!("{goal:.1}"));
            let bad = row.bad_ms().map_or("-".to_owned(), |cost| format!("{cost:.3}"));
            let both = |of: fn(&Measured) -> f64, digits: usize| {
                let [first, second] = row.sides.each_ref().map(|side| median(side.iter().map(of)));
                format!("{first:.digits$} / {second:.digits$}")
            };
            writeln!(
                formatter,
                "{:<16} {middle:>6.2} {min:>6.2} {middle:>6.2} {max:>6.2} {goal:>5}   {:>19}   {:>13}   {:>11}   {bad:>6}",
                row.name,
                both(|it| it.rate, 0),
                both(|it| it.cpu, 2),
                both(|it| it.memory, 0),
            )?;
        }
        self.rows.iter().try_for_each(|row| writeln!(formatter, "  {}: {}", row.name, row.what))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rows.is_empty() {
            self.rows(formatter)?;
        }
        for (index, curve) in self.curves.iter().enumerate() {
            let gap = if index == 0 && self.rows.is_empty() { "" } else { "\n" };
            write!(formatter, "{gap}{curve}")?;
        }
        Ok(())
    }
}

fn spread(values: &[f64]) -> [f64; 3] {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [least, median(values.iter().copied()), most]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

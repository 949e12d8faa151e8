//! The runtime's metrics, read from Prometheus text.

use std::collections::HashMap;

/// Everything `/metrics` said at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// Values by series as it is written: `forebay_records_total{binding="orders",state="applied",topic="orders"}`.
    pub series: HashMap<String, f64>,
}

impl Metrics {
    /// Reads Prometheus text 0.0.4; panics where a line is none of it.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(|line| {
            // A label's value may hold spaces: the value of the series stands behind the closing brace.
            let end = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1));
            let (series, rest) = line.split_at(end.unwrap_or_else(|| panic!("no value in `{line}`")));
            let value = rest.split_whitespace().next().and_then(|word| word.parse().ok());
            (series.to_owned(), value.unwrap_or_else(|| panic!("no number in `{line}`")))
        });
        Self { series: series.collect() }
    }

    /// Returns the sum of all series of `name` that carry all of `labels`; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).sum()
    }

    /// Returns whether there is a series of `name` with all of `labels`.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        self.series.iter().filter_map(move |(series, value)| {
            let (own, rest) = series.split_once('{').unwrap_or((series, ""));
            let rest = rest.trim_end_matches('}');
            let is_labelled = |label: &String| rest.starts_with(label) || rest.contains(&format!(",{label}"));
            (own == name && wanted.iter().all(is_labelled)).then_some(*value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn sums_series_by_name_and_labels() {
        let text = "# HELP forebay_records_total Records.\n# TYPE forebay_records_total counter\n\
            forebay_records_total{binding=\"a\",state=\"applied\",topic=\"t\"} 3\n\
            forebay_records_total{binding=\"a\",state=\"skipped\",topic=\"t\"} 4\n\
            forebay_records_total{binding=\"b\",state=\"applied\",topic=\"t {x}\"} 5\n\
            forebay_buffered_bytes 12\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("forebay_records_total", &[]), 12.0);
        assert_eq!(metrics.sum("forebay_records_total", &[("state", "applied")]), 8.0);
        assert_eq!(metrics.sum("forebay_records_total", &[("binding", "a"), ("state", "applied")]), 3.0);
        assert_eq!(metrics.sum("forebay_buffered_bytes", &[]), 12.0);
        assert!(!metrics.has("forebay_records", &[]));
    }
}

//! Measured values in their order, asked for percentiles.

/// Values, the least first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distribution {
    sorted: Vec<f64>,
}

impl Distribution {
    /// Sorts what was measured.
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// Returns the least value that so many of a hundred do not exceed; NaN where there is none.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    /// Returns the largest value; NaN where there is none.
    pub(crate) fn max(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(f64::NAN)
    }

    /// Returns how many values there are.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }
}

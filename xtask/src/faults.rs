//! `cargo xtask faults`: the scenarios in which something breaks, and the soak that mixes them for as long as is wanted.

use std::path::Path;
use std::str::FromStr;

use crate::{setup, shell};

/// The modules of the integration tests in which servers, processes and wires break.
const SCENARIOS: &[&str] = &[
    "backlogs::",
    "breaker::",
    "brokers::",
    "drivers::",
    "governed::",
    "guilty::",
    "locked::",
    "memory::",
    "outages::",
    "quarrels::",
    "rates::",
    "slowed::",
    "soak::",
    "spine::",
    "starved::",
    "under_fire::",
    "watchdog::",
    "zombies::",
];

/// How long a soak lasts: a number and its unit, as in `90s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(u64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no duration: write a number and s, m, h or d, as in 90s, 5m or 1h");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).map(Self).ok_or_else(wrong)
    }
}

/// Which scenarios, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Scenarios {
    /// Part of a scenario's name
    name: Option<String>,
    /// Which of all mixtures of faults the soak goes through
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Runs the soak alone, for this long: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION")]
    soak: Option<Seconds>,
    /// With the program in the release profile, as it is shipped: without failpoints, which some scenarios need
    #[arg(long)]
    release: bool,
}

/// Sets the machine up and runs the scenarios at their whole size; without a name all of them, or with a length of the soak
/// just that.
///
/// # Errors
/// When something does not build, or is lost, doubled, disordered or wedged.
pub(crate) fn run(root: &Path, scenarios: &Scenarios) -> anyhow::Result<()> {
    let Scenarios { name, soak, seed, release } = scenarios;
    setup::run(root)?;
    shell::run(&mut shell::cargo(root, &["build", "--workspace", "--features", "forebay/failpoints"]))?;
    let mut command = shell::cargo(root, &["test", "--workspace", "--features", "forebay/failpoints"]);
    command.args(["--test", "integration", "--", "--nocapture"]);
    // The ordinary test command runs the long ones at a tenth of their size.
    command.env("FOREBAY_WHOLE", "1");
    if *release {
        shell::run(&mut shell::cargo(root, &["build", "--release", "--package", "forebay"]))?;
        command.env("FOREBAY_BINARY", root.join("target/release/forebay"));
    }
    match (name, soak) {
        (Some(name), _) => drop(command.arg(name)),
        (None, Some(_)) => drop(command.arg("soak::")),
        (None, None) => drop(command.args(SCENARIOS)),
    }
    if let Some(Seconds(seconds)) = soak {
        command.env("FOREBAY_SOAK_SECONDS", seconds.to_string());
    }
    if let Some(seed) = seed {
        command.env("FOREBAY_SOAK_SEED", seed.to_string());
    }
    shell::run(&mut command)?;
    shell::say("faults: ok: nothing was lost, doubled, disordered or wedged")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Seconds;

    #[test]
    fn reads_durations_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
        for wrong in ["", "h", "5", "5 m", "-1s", "1.5h", "99999999999999999999d", "5µ"] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
        }
    }
}

//! The defaults, in this one place. `default-manifest.toml` says them with their reasons, and a test holds the two
//! together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::policy::flood::PauseAbove;
use crate::policy::rate::Scope;

use super::settings::{
    Admin, BatchLimits, Fold, Headers, Instances, Missing, OnConflict, PluginLimits, Retry, Start, Timeouts,
};

/// Every key with its default and its reason.
pub const DEFAULT_MANIFEST: &str = include_str!("default-manifest.toml");

/// `kafka.name`
pub const KAFKA_NAME: &str = "kafka";
/// `[admin]`
pub const ADMIN: Admin = Admin { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464), token: None };
/// `shutdown.deadline`
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// `limits.buffered-bytes`
pub const BUFFERED_BYTES: usize = 128 << 20;
/// `sinks.NAME.pool-size`
pub const POOL_SIZE: NonZeroUsize = size(8);
/// `sinks.NAME.timeouts`
pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    statement: Duration::from_secs(30),
    lock: Duration::from_secs(5),
    idle: Duration::from_secs(20),
};
/// `plugins.NAME.config`
pub const PLUGIN_CONFIG: &str = "{}";
/// `plugins.NAME.limits`
pub const PLUGIN_LIMITS: PluginLimits = PluginLimits { memory: 64 << 20, cpu: Duration::from_millis(250) };
/// `plugins.NAME.instances`
pub const INSTANCES: Instances = Instances::PerBatch;
/// `bindings.start`
pub const START: Start = Start::Earliest;
/// `bindings.headers`
pub const HEADERS: Headers = Headers::All;
/// `bindings.batch`
pub const BATCH: BatchLimits =
    BatchLimits { max_records: size(5_000), max_bytes: size(4 << 20), linger: Duration::from_millis(5) };
/// `bindings.retry`
pub const RETRY: Retry = Retry {
    attempts: match NonZeroU32::new(5) {
        Some(attempts) => attempts,
        None => NonZeroU32::MIN,
    },
    backoff_min: Duration::from_millis(200),
    backoff_max: Duration::from_secs(30),
};
/// `bindings.rate.scope`
pub const RATE_SCOPE: Scope = Scope::Group;
/// `bindings.dead-letter.create`
pub const DEAD_LETTER_CREATE: bool = false;
/// `bindings.dead-letter.pause-above`
pub const PAUSE_ABOVE: PauseAbove = PauseAbove { percent: 50, window: Duration::from_secs(60) };
/// `bindings.targets.NAME.on-conflict`
pub const ON_CONFLICT: OnConflict = OnConflict::Overwrite;
/// `bindings.targets.NAME.missing`
pub const MISSING: Missing = Missing::Reject;
/// `bindings.targets.NAME.fold`
pub const FOLD: Fold = Fold::Auto;

const fn size(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

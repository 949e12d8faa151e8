//! Where a driver is: the message, the partition it goes to, and the table that holds the last known place of each.

/// How many drivers there are.
const DRIVERS: u64 = 20_000;
/// How many partitions they are spread over.
pub const PARTITIONS: u64 = 12;
/// Partitions with more traffic than the others, and the drivers in them: 35 of a hundred.
const HOT_PARTITIONS: u64 = 3;
const HOT_DRIVERS: u64 = DRIVERS * 35 / 100;
/// One record of so many is of a driver of its own: no later one takes its row's place, so that its commit can be asked for
/// at the end.
const PROBE_EVERY: u64 = 500;

/// The table. Rows change all the time: there is room for their next version beside them.
pub const TABLE: &str = "create table public.drivers (driver_id text primary key, lat float8 not null, \
    lon float8 not null, at timestamptz not null) with (fillfactor = 50)";

/// The line of the manifest that sends locations to the table: an older one never takes a newer one's place.
pub const TARGET: &str = "drivers = { sink = \"db\", table = \"public.drivers\", key = [\"driver_id\"], \
    on-conflict = \"newest(at)\" }\n";

/// The ready-made handler.
pub const COMPONENT: &str = "builtin:json-to-rows";
/// What it is told, as a line of its plugin in a manifest.
pub const PLUGIN: &str = "config = { target = \"drivers\", columns = { driver_id = \"driver_id\", \
    lat = { path = \"lat\", type = \"float\" }, lon = { path = \"lon\", type = \"float\" }, \
    at = { path = \"at\", type = \"timestamp\", unit = \"ms\" } } }\n";

/// The seconds from each probe's timestamp to its row's commit, of the records from $1 to before $2.
pub const STALENESS: &str = "select extract(epoch from pg_xact_commit_timestamp(xmin) - at)::float8 \
    from public.drivers where driver_id like 'p-%' and substr(driver_id, 3)::int8 >= $1 and substr(driver_id, 3)::int8 < $2";

/// A record in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Where it goes.
    pub partition: i32,
    /// The driver.
    pub key: String,
    /// JSON.
    pub value: String,
}

impl Location {
    /// Returns the record `number`, said at that millisecond of the Unix epoch; a malformed one breaks off in the middle.
    pub fn new(number: u64, at_ms: i64, is_malformed: bool) -> Self {
        let scattered = mix(number);
        let driver = scattered % DRIVERS;
        let key = if is_probe(number) { format!("p-{number}") } else { format!("d-{driver:05}") };
        // Somewhere in a town.
        let (north, east) = (scattered >> 20 & 0xffff, scattered >> 40 & 0xffff);
        let mut value = format!(r#"{{"driver_id":"{key}","lat":52.{north:05},"lon":13.{east:05},"at":{at_ms}}}"#);
        if is_malformed {
            value.truncate(value.len() / 2);
        }
        Self { partition: partition(driver), key, value }
    }
}

/// Returns where the record `number` goes if all of so many partitions have as much traffic.
pub fn evenly(number: u64, partitions: u64) -> i32 {
    i32::try_from(mix(number) % DRIVERS % partitions).unwrap_or_default()
}

/// Whether the row of that record stays as it is.
pub fn is_probe(number: u64) -> bool {
    number % PROBE_EVERY == PROBE_EVERY / 2
}

/// Returns how many such records there are before `number`.
pub fn probes_before(number: u64) -> u64 {
    (number + PROBE_EVERY / 2 - 1) / PROBE_EVERY
}

/// All records of a driver are in one partition.
fn partition(driver: u64) -> i32 {
    let partition = if driver < HOT_DRIVERS {
        driver % HOT_PARTITIONS
    } else {
        HOT_PARTITIONS + driver % (PARTITIONS - HOT_PARTITIONS)
    };
    i32::try_from(partition).unwrap_or_default()
}

/// Scatters numbers evenly: the finalizer of splitmix64.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

//! Which version of a plugin wrote from where on.

/// From one offset of a partition on, a version of a plugin wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionAt {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset that it wrote.
    pub from: i64,
    /// The plugin's name.
    pub plugin: String,
    /// Its digest.
    pub digest: String,
    /// Since when, as the database writes it.
    pub since: String,
}

//! What can be wrong with one record, and how it is told from what another record has.

use std::fmt;

/// The class of a record's failure: a label of metrics and a header of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The handler said `reject`.
    Rejected,
    /// The guest trapped.
    Trap,
    /// The message took more CPU time than the plugin's limit.
    Cpu,
    /// The guest asked for more memory than its limit and died of it.
    Memory,
    /// What came back does not keep the contract: the host saw it before any SQL.
    Contract,
    /// The database refused the row, alone and in sequence.
    Data,
    /// The process died three times on it.
    Crash,
}

impl Class {
    /// Returns the name that metrics, headers and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Trap => "trap",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Contract => "contract",
            Self::Data => "data",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A fault that belongs to exactly one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its class.
    pub class: Class,
    /// The handler's own code, the trap's name, a contract code, or the SQLSTATE.
    pub code: String,
    /// For people: what happened, and the guest's own backtrace or message where there is one. No row values.
    pub message: String,
    /// Where it happened: trap site, column, or database object. Faults of one class, code and site are alike.
    pub site: String,
}

impl Fault {
    /// Returns whether `self` and `other` are the same fault in two records.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.class == other.class && self.code == other.code && self.site == other.site
    }
}

//! What one instance may use: memory summed over all its memories and tables, and caps on what it gives back.

use wasmtime::ResourceLimiter;

/// The most effects of one message.
pub(crate) const EFFECTS_MAX: usize = 10_000;
/// The most bytes that one call brings out of the guest, counted in the host's own sizes.
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// What one instance may be made of, whether it comes from the pool or is mapped when it is made: what interpreters need,
/// dozens of modules linked together with large tables.
pub(crate) const CORE_INSTANCES_MAX: u32 = 200;
pub(crate) const MEMORIES_MAX: u32 = 8;
pub(crate) const TABLES_MAX: u32 = 64;

/// The memory of one store against its limit.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    used: usize,
    /// What the engine was allowed last, to be given back if it does not succeed.
    pending: usize,
    /// Set when the guest was refused memory in this message: a trap that follows is the limit's doing.
    refused: bool,
    /// Set when the operating system refused what the limit allowed.
    starved: bool,
}

impl MemoryLimit {
    /// Returns a limit of `limit` bytes with nothing used.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, pending: 0, refused: false, starved: false }
    }

    /// Forgets what earlier messages were refused.
    pub(crate) fn begin(&mut self) {
        self.refused = false;
        self.starved = false;
    }

    /// Returns the bytes in use. Memory never shrinks, so this is the peak as well.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Returns the limit in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns whether the guest asked for more than its limit in this message.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Returns whether the operating system had no memory for this message.
    pub(crate) fn was_starved(&self) -> bool {
        self.starved
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.limit.saturating_sub(self.used) >= bytes;
        if fits {
            self.used += bytes;
            self.pending = bytes;
        } else {
            self.pending = 0;
            self.refused = true;
        }
        fits
    }

    /// The guest's own maximum, or 32 bits of addresses, is in the way: as good as a limit.
    fn refuse(&mut self) -> bool {
        self.pending = 0;
        self.refused = true;
        false
    }

    fn grow_failed(&mut self, error: &wasmtime::Error) {
        self.used = self.used.saturating_sub(self.pending);
        self.pending = 0;
        if error.downcast_ref::<std::io::Error>().is_some() {
            self.starved = true;
        } else {
            self.refused = true;
        }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(self.refuse());
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.grow_failed(&error);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(self.refuse());
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.grow_failed(&error);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_all_memories_and_tables() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 40, None).unwrap());
        assert!(limit.memory_growing(0, 40, None).unwrap());
        assert!(limit.table_growing(0, 2, None).unwrap());
        assert_eq!(limit.used(), 96);
        assert!(!limit.table_growing(2, 3, None).unwrap());
        assert!(limit.was_refused());
        limit.begin();
        assert!(!limit.was_refused());
    }

    #[test]
    fn gives_back_what_the_engine_could_not_have() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 60, None).unwrap());
        limit.memory_grow_failed(std::io::Error::other("no memory").into()).unwrap();
        assert_eq!(limit.used(), 0);
        assert!(limit.was_starved());
        assert!(!limit.was_refused());
    }
}

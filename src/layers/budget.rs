//! A memory budget that is shared by all layers that are being read or kept.
//!
//! Every reader charges what it is about to use, and the charge ends when the memory is freed. If the budget is used up,
//! memory that is kept only to save time is freed first; then reading fails with [`LimitExceeded::TotalMemory`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::settings::LimitExceeded;

/// The number of bytes by which a growing charge is increased, so that a layer of a million names does not lock the
/// budget a million times.
const CHARGE_STEP: usize = 256 * 1024;

/// Frees memory that is kept only to save time, and returns whether there was any.
type Reclaim = Box<dyn Fn() -> bool + Send + Sync>;

/// Memory budget. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<BudgetState>);

struct BudgetState {
    max_bytes: usize,
    used_bytes: Mutex<usize>,
    reclaim: Reclaim,
    /// Notified whenever bytes are released.
    released: Notify,
}

impl fmt::Debug for BudgetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (max, used) = (self.max_bytes, &self.used_bytes);
        f.debug_struct("BudgetState").field("max_bytes", &max).field("used_bytes", used).finish_non_exhaustive()
    }
}

impl MemoryBudget {
    /// Creates a budget of this many bytes. If they are used up, `reclaim` is called until it returns false. It may drop
    /// charges.
    pub fn new(max_bytes: usize, reclaim: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let (used_bytes, reclaim, released) = (Mutex::default(), Box::new(reclaim), Notify::new());
        Self(Arc::new(BudgetState { max_bytes, used_bytes, reclaim, released }))
    }

    /// Creates a budget that is never used up.
    pub fn unlimited() -> Self {
        Self::new(usize::MAX, || false)
    }

    /// Starts a charge of no bytes.
    pub(super) fn start_charge(&self) -> MemoryCharge {
        MemoryCharge { budget: self.clone(), bytes: 0 }
    }

    /// Charges this many bytes.
    ///
    /// # Errors
    /// Less is left.
    pub fn charge(&self, bytes: usize) -> Result<MemoryCharge, LimitExceeded> {
        let mut charge = self.start_charge();
        charge.set(bytes)?;
        Ok(charge)
    }

    /// Frees what is kept only to save time, and waits until nothing is charged.
    pub async fn wait_until_unused(&self) {
        loop {
            // Created before the check, so that no release is missed.
            let released = self.0.released.notified();
            while (self.0.reclaim)() {}
            if *self.0.used_bytes.lock().unwrap_or_else(PoisonError::into_inner) == 0 {
                return;
            }
            released.await;
        }
    }

    fn acquire(&self, bytes: usize) -> Result<(), LimitExceeded> {
        loop {
            let mut used = self.0.used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sum) = used.checked_add(bytes).filter(|sum| *sum <= self.0.max_bytes) {
                *used = sum;
                return Ok(());
            }
            // Reclaiming releases charges.
            drop(used);
            if !(self.0.reclaim)() {
                return Err(LimitExceeded::TotalMemory(self.0.max_bytes));
            }
        }
    }

    fn release(&self, bytes: usize) {
        *self.0.used_bytes.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.0.released.notify_waiters();
    }
}

/// Bytes that are charged to a budget until this is dropped.
#[derive(Debug)]
pub struct MemoryCharge {
    budget: MemoryBudget,
    bytes: usize,
}

impl MemoryCharge {
    /// Charges this many bytes instead of the present number.
    ///
    /// # Errors
    /// Less is left.
    pub fn set(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.acquire(more)?,
            None => self.budget.release(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Charges at least this many bytes, in steps.
    ///
    /// # Errors
    /// Less is left.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        if bytes <= self.bytes { Ok(()) } else { self.set(bytes.next_multiple_of(CHARGE_STEP)) }
    }
}

impl Drop for MemoryCharge {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    #[test]
    fn charges_end_when_they_are_dropped() {
        let budget = MemoryBudget::new(10, || false);
        let mut first = budget.charge(6).unwrap();
        assert_eq!(budget.charge(5).err(), Some(LimitExceeded::TotalMemory(10)));
        first.set(5).unwrap();
        let second = budget.charge(5).unwrap();
        assert!(first.set(6).is_err());
        drop(second);
        assert!(first.set(10).is_ok());
    }

    #[test]
    fn memory_is_reclaimed_before_a_charge_fails() {
        let cached: Arc<Mutex<Vec<MemoryCharge>>> = Arc::default();
        let weak: Weak<Mutex<Vec<MemoryCharge>>> = Arc::downgrade(&cached);
        let budget = MemoryBudget::new(10, move || {
            let evicted = weak.upgrade().and_then(|cached| cached.lock().unwrap().pop());
            evicted.is_some()
        });
        for _ in 0..3 {
            let charge = budget.charge(3).unwrap();
            cached.lock().unwrap().push(charge);
        }
        let charge = budget.charge(6).unwrap();
        assert_eq!(cached.lock().unwrap().len(), 1);
        assert!(budget.charge(5).is_err());
        drop(charge);
    }
}

//! A bounded memory of what was drawn: the least recently used goes first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps values up to a number of bytes.
pub struct Cache<K, V> {
    limit: usize,
    shelf: Mutex<Shelf<K, V>>,
}

struct Shelf<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// When an entry was last used, and which one it was.
    uses: BTreeMap<u64, K>,
    now: u64,
    bytes: usize,
}

struct Entry<V> {
    value: Arc<V>,
    bytes: usize,
    used: u64,
}

impl<K: Copy + Eq + Hash, V> Cache<K, V> {
    /// A cache that holds `limit` bytes at most.
    pub fn new(limit: usize) -> Self {
        let shelf = Shelf { entries: HashMap::new(), uses: BTreeMap::new(), now: 0, bytes: 0 };
        Self { limit, shelf: Mutex::new(shelf) }
    }

    /// What was kept under `key`.
    pub fn get(&self, key: K) -> Option<Arc<V>> {
        let mut shelf = self.lock();
        shelf.now += 1;
        let now = shelf.now;
        let entry = shelf.entries.get_mut(&key)?;
        let before = std::mem::replace(&mut entry.used, now);
        let value = Arc::clone(&entry.value);
        shelf.uses.remove(&before);
        shelf.uses.insert(now, key);
        Some(value)
    }

    /// Keeps `value`, which takes up `bytes`, and drops the least recently used to make room; a
    /// value larger than the whole cache is not kept.
    pub fn put(&self, key: K, value: Arc<V>, bytes: usize) {
        if bytes > self.limit {
            return;
        }
        let mut shelf = self.lock();
        shelf.remove(key);
        while shelf.bytes + bytes > self.limit {
            let Some((_, oldest)) = shelf.uses.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            shelf.remove(oldest);
        }
        shelf.now += 1;
        let used = shelf.now;
        shelf.uses.insert(used, key);
        shelf.entries.insert(key, Entry { value, bytes, used });
        shelf.bytes += bytes;
    }

    /// Bytes kept at present.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<K, V>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V> Shelf<K, V> {
    fn remove(&mut self, key: K) {
        if let Some(entry) = self.entries.remove(&key) {
            self.uses.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(30);
        for key in 0..3 {
            cache.put(key, Arc::new(key), 10);
        }
        assert_eq!(cache.get(0).as_deref(), Some(&0));
        cache.put(3, Arc::new(3), 10);
        assert_eq!(cache.get(1), None);
        assert!(cache.get(0).is_some() && cache.get(2).is_some() && cache.get(3).is_some());
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let cache = Cache::new(30);
        cache.put(1, Arc::new(()), 10);
        cache.put(2, Arc::new(()), 31);
        assert!(cache.get(2).is_none() && cache.get(1).is_some());
    }

    proptest! {
        #[test]
        fn the_bytes_are_bounded_and_counted(
            puts in prop::collection::vec((0u8..20, 0usize..40), 1..200),
        ) {
            let cache = Cache::new(100);
            for (key, bytes) in puts {
                cache.put(key, Arc::new(bytes), bytes);
                let kept: usize = (0..20).filter_map(|k| cache.get(k)).map(|v| *v).sum();
                prop_assert_eq!(kept, cache.bytes());
                prop_assert!(kept <= 100);
                prop_assert_eq!(cache.get(key).map(|v| *v), Some(bytes));
            }
        }
    }
}

//! A cache of sessions: by version and id, in the order in which they expire.
//!
//! An insertion, a lookup, a removal and an expiry each cost one step in a hash table and one in an
//! ordered tree, whatever the number of sessions. The cache knows only when a session expires, and
//! never locks or frees one: those that leave are returned, for the caller to release without a
//! lock.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;

/// `SSL_MAX_SSL_SESSION_ID_LENGTH`.
const LONGEST_ID: usize = 32;

/// By which a session is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    version: c_int,
    length: u8,
    id: [u8; LONGEST_ID],
}

impl Key {
    /// None when the id is longer than a session's can be.
    pub(crate) fn new(version: c_int, id: &[u8]) -> Option<Self> {
        let mut own = [0; LONGEST_ID];
        own.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { version, length: u8::try_from(id.len()).ok()?, id: own })
    }
}

/// The place of a session in the order of expiry: its last second, then its turn.
type Place = (i64, u64);

/// Sessions of the type `T`.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    entries: HashMap<Key, (T, Place)>,
    order: BTreeMap<Place, Key>,
    turns: u64,
    /// How many sessions to keep; 0 for no limit. As in OpenSSL 3.0, a new session makes room when
    /// it would be the last that fits, so a cache of more than one keeps one fewer.
    pub(crate) size: usize,
}

/// The outcome of an insertion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inserted<T> {
    /// The session before, which had the same key.
    pub(crate) replaced: Option<T>,
    /// Sessions that had to make room.
    pub(crate) evicted: Vec<T>,
}

/// The last second of a session that never expires.
const NEVER: i64 = i64::MAX;

impl<T: Clone> Cache<T> {
    pub(crate) fn new(size: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), turns: 0, size }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&T> {
        self.entries.get(key).map(|(session, _)| session)
    }

    /// Puts a session into the cache, where it replaces one with the same key. When the cache is
    /// full, the sessions that expire first make room, the oldest of them first.
    pub(crate) fn insert(&mut self, key: Key, session: T, last: Option<i64>) -> Inserted<T> {
        let replaced = self.remove(&key);
        let mut evicted = Vec::new();
        if replaced.is_none() && self.size > 0 {
            while self.entries.len() + 1 >= self.size {
                let Some((_, oldest)) = self.order.pop_first() else { break };
                evicted.extend(self.entries.remove(&oldest).map(|(session, _)| session));
            }
        }
        let place = self.place(last);
        self.order.insert(place, key);
        self.entries.insert(key, (session, place));
        Inserted { replaced, evicted }
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<T> {
        let (session, place) = self.entries.remove(key)?;
        self.order.remove(&place);
        Some(session)
    }

    /// Notes that a session in the cache expires at another time.
    pub(crate) fn set_last(&mut self, key: &Key, last: Option<i64>) {
        let place = self.place(last);
        let Some((_, own)) = self.entries.get_mut(key) else { return };
        self.order.remove(&std::mem::replace(own, place));
        self.order.insert(place, *key);
    }

    /// Takes the sessions whose last second is before `at`, in the order in which they expire.
    pub(crate) fn take_expired(&mut self, at: i64) -> Vec<T> {
        let rest = self.order.split_off(&(at, 0));
        let gone = std::mem::replace(&mut self.order, rest);
        gone.into_values()
            .filter_map(|key| self.entries.remove(&key).map(|(session, _)| session))
            .collect()
    }

    /// Takes all sessions, in the order in which they expire.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        let mut entries = std::mem::take(&mut self.entries);
        std::mem::take(&mut self.order)
            .into_values()
            .filter_map(|key| entries.remove(&key).map(|(session, _)| session))
            .collect()
    }

    fn place(&mut self, last: Option<i64>) -> Place {
        self.turns += 1;
        (last.unwrap_or(NEVER), self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        Key::new(0x0304, &number.to_be_bytes()).unwrap()
    }

    fn cache(size: usize, sessions: &[(u64, i64)]) -> Cache<u64> {
        let mut cache = Cache::new(size);
        for (number, last) in sessions {
            cache.insert(key(*number), *number, Some(*last));
        }
        cache
    }

    /// Both tables hold the same sessions.
    fn check(cache: &Cache<u64>) {
        assert_eq!(cache.entries.len(), cache.order.len());
        for (place, key) in &cache.order {
            assert_eq!(cache.entries.get(key).map(|(_, own)| own), Some(place));
        }
    }

    #[test]
    fn keys_are_version_and_id() {
        assert_ne!(Key::new(0x0303, &[1]), Key::new(0x0304, &[1]));
        assert_ne!(Key::new(0x0303, &[1]), Key::new(0x0303, &[1, 0]));
        assert!(Key::new(0x0303, &[1; 32]).is_some());
        assert_eq!(Key::new(0x0303, &[1; 33]), None);
    }

    #[test]
    fn cache_never_grows_beyond_its_size() {
        let mut cache = cache(4, &[]);
        for number in 0..100 {
            let inserted = cache.insert(key(number), number, Some(100));
            assert_eq!(inserted.replaced, None);
            assert_eq!(inserted.evicted, Vec::from_iter(number.checked_sub(3)));
            assert!(cache.len() <= 3);
            check(&cache);
        }
        // A smaller size takes effect at the next insertion.
        cache.size = 1;
        assert_eq!(cache.insert(key(100), 100, Some(5)).evicted, [97, 98, 99]);
        assert_eq!(cache.len(), 1);
        cache.size = 0;
        for number in 0..100 {
            assert_eq!(cache.insert(key(number), number, None).evicted, []);
        }
        assert_eq!(cache.len(), 101);
    }

    #[test]
    fn sessions_that_expire_first_make_room() {
        let mut cache = cache(4, &[(1, 300), (2, 100), (3, 200)]);
        assert_eq!(cache.insert(key(4), 4, None).evicted, [2]);
        assert_eq!(cache.insert(key(5), 5, Some(50)).evicted, [3]);
        assert_eq!(cache.insert(key(6), 6, Some(60)).evicted, [5]);
        assert_eq!(cache.take_all(), [6, 1, 4]);
        check(&cache);
    }

    #[test]
    fn session_with_same_key_is_replaced() {
        let mut cache = cache(3, &[(1, 100), (2, 200)]);
        let inserted = cache.insert(key(1), 11, Some(300));
        assert_eq!(inserted, Inserted { replaced: Some(1), evicted: vec![] });
        assert_eq!((cache.get(&key(1)), cache.len()), (Some(&11), 2));
        assert_eq!(cache.insert(key(3), 3, Some(300)).evicted, [2]);
        check(&cache);
    }

    #[test]
    fn expired_sessions_are_taken() {
        let mut cache = cache(0, &[(1, 300), (2, 100), (3, 200), (4, i64::MIN)]);
        cache.insert(key(5), 5, None);
        assert_eq!(cache.take_expired(100), [4]);
        assert_eq!(cache.take_expired(201), [2, 3]);
        check(&cache);
        cache.set_last(&key(1), None);
        cache.set_last(&key(9), Some(1));
        assert_eq!(cache.take_expired(i64::MAX), []);
        cache.set_last(&key(5), Some(7));
        assert_eq!(cache.take_expired(8), [5]);
        assert_eq!(cache.remove(&key(1)), Some(1));
        assert_eq!((cache.remove(&key(1)), cache.len()), (None, 0));
        check(&cache);
    }

    #[test]
    fn random_operations_agree_with_a_list() {
        let mut cache = cache(41, &[]);
        let mut list: Vec<(u64, i64)> = Vec::new();
        let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..20_000 {
            let (number, last) = (next(80), i64::try_from(next(500)).unwrap());
            match next(12) {
                0..7 => {
                    let known = list.iter().position(|(own, _)| *own == number);
                    known.map(|at| list.remove(at));
                    let mut evicted = Vec::new();
                    if known.is_none() && list.len() >= 40 {
                        let first = list.iter().map(|(_, last)| *last).min().unwrap();
                        let at = list.iter().position(|(_, last)| *last == first).unwrap();
                        evicted.push(list.remove(at).0);
                    }
                    list.push((number, last));
                    let inserted = cache.insert(key(number), number, Some(last));
                    assert_eq!(
                        (inserted.replaced.is_some(), inserted.evicted),
                        (known.is_some(), evicted)
                    );
                }
                7 | 8 => {
                    let known = list.iter().position(|(own, _)| *own == number);
                    assert_eq!(cache.remove(&key(number)), known.map(|at| list.remove(at).0));
                }
                9 | 10 => {
                    let known = list.iter().position(|(own, _)| *own == number);
                    cache.set_last(&key(number), Some(last));
                    if let Some(at) = known {
                        list.remove(at);
                        list.push((number, last));
                    }
                }
                _ => {
                    let mut gone = cache.take_expired(last / 10);
                    gone.sort_unstable();
                    let mut due: Vec<u64> =
                        list.iter().filter(|(_, own)| *own < last / 10).map(|(n, _)| *n).collect();
                    due.sort_unstable();
                    list.retain(|(_, own)| *own >= last / 10);
                    assert_eq!(gone, due);
                }
            }
            assert_eq!(cache.len(), list.len());
        }
        check(&cache);
    }
}

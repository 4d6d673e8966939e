//! Who is connected: the only place where identity lives.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who opened a connection, as the kernel saw it at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Process id, for logs only: numbers are used again. 0: a process this one cannot see.
    pub pid: i32,
    /// Supplementary groups, in the kernel's order.
    pub groups: Vec<u32>,
    /// The systemd unit it ran in: `netd.service`, or `user@1000.service/app.service` for a unit
    /// of a user's manager. Empty: in none, or it had ended before that could be read.
    pub unit: String,
    /// Path of its program. Empty where the kernel does not let this process read it.
    pub exe: String,
    /// The name it gives itself: for people, and worth no more than its word.
    pub comm: String,
}

/// How many connections are served at a time; one more is closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all callers together.
    pub connections: usize,
    /// Of one user.
    pub per_uid: usize,
}

/// The connected peers by the name their connection has at the server.
#[derive(Debug)]
pub(crate) struct Table {
    limits: Limits,
    open: Mutex<Open>,
    refused: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    peers: HashMap<String, Arc<Peer>>,
    per_uid: HashMap<u32, usize>,
}

impl Table {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Mutex::default(),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Record a peer under a name, if the limits leave room. It stays as long as the ticket.
    pub fn admit(self: &Arc<Self>, name: String, peer: Peer) -> Option<Ticket> {
        let mut open = self.lock();
        let of_user = open.per_uid.get(&peer.uid).copied().unwrap_or(0);
        let room = open.peers.len() < self.limits.connections && of_user < self.limits.per_uid;
        // A name that is taken would be 128 random bits drawn twice.
        if !room || open.peers.contains_key(&name) {
            drop(open);
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        open.per_uid.insert(peer.uid, of_user + 1);
        open.peers.insert(name.clone(), Arc::new(peer));
        Some(Ticket {
            table: Arc::clone(self),
            name,
        })
    }

    /// Who stands behind a name now.
    pub fn find(&self, name: &str) -> Option<Arc<Peer>> {
        self.lock().peers.get(name).cloned()
    }

    /// Everybody, by name.
    pub fn all(&self) -> Vec<(String, Arc<Peer>)> {
        let open = self.lock();
        let copy = |(name, peer): (&String, &Arc<Peer>)| (name.clone(), Arc::clone(peer));
        open.peers.iter().map(copy).collect()
    }

    /// How many connections are open.
    pub fn len(&self) -> usize {
        self.lock().peers.len()
    }

    /// How many connections the limits have turned away.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many connections broke before they were joined to the server.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    // No code that can panic runs under the lock, and a half-done change cannot be seen; if it
    // happened all the same, the table is still whole.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the table, given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    table: Arc<Table>,
    name: String,
}

impl Ticket {
    /// The name of the connection at the server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.table.lock();
        let Some(peer) = open.peers.remove(&self.name) else {
            return;
        };
        if let Entry::Occupied(mut count) = open.per_uid.entry(peer.uid) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32) -> Peer {
        Peer {
            uid,
            gid: uid,
            pid: 1,
            groups: vec![],
            unit: String::new(),
            exe: String::new(),
            comm: String::new(),
        }
    }

    #[test]
    fn a_user_at_its_limit_leaves_room_for_others() {
        let table = Arc::new(Table::new(Limits {
            connections: 3,
            per_uid: 2,
        }));
        let first = table.admit("a".into(), peer(1));
        let _second = table.admit("b".into(), peer(1));
        assert!(table.admit("c".into(), peer(1)).is_none());
        let _other = table.admit("d".into(), peer(2));
        assert!(table.admit("e".into(), peer(3)).is_none());
        assert_eq!((table.len(), table.refused()), (3, 2));
        drop(first);
        assert!(table.find("a").is_none());
        assert!(table.admit("f".into(), peer(1)).is_some());
    }

    #[test]
    fn nothing_is_left_when_all_have_gone() {
        let table = Arc::new(Table::new(Limits {
            connections: 8,
            per_uid: 8,
        }));
        let tickets: Vec<_> = (0..8)
            .map(|n| table.admit(n.to_string(), peer(n % 3)))
            .collect();
        assert_eq!(table.len(), 8);
        drop(tickets);
        assert_eq!(table.len(), 0);
        assert!(table.lock().per_uid.is_empty());
    }

    #[test]
    fn a_name_is_given_once() {
        let table = Arc::new(Table::new(Limits {
            connections: 8,
            per_uid: 8,
        }));
        let _first = table.admit("a".into(), peer(1));
        assert!(table.admit("a".into(), peer(2)).is_none());
        assert_eq!(table.find("a").map(|peer| peer.uid), Some(1));
    }
}

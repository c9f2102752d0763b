//! What was used last, of what there may be very much.

use std::collections::HashMap;

/// Values by their names. When one too many comes, the one goes that was not used for the longest.
pub(super) struct Recent<T> {
    most: usize,
    /// Each with the number of its last use.
    known: HashMap<String, (T, u64)>,
    uses: u64,
}

impl<T: Clone> Recent<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: HashMap::new(), uses: 0 }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(super) fn get(&mut self, name: &str) -> Option<T> {
        let (value, used) = self.known.get_mut(name)?;
        self.uses = self.uses.saturating_add(1);
        *used = self.uses;
        Some(value.clone())
    }

    pub(super) fn insert(&mut self, name: &str, value: T) {
        if self.known.len() >= self.most && !self.has(name) {
            let oldest = self.known.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            drop(oldest.and_then(|name| self.known.remove(&name)));
        }
        self.uses = self.uses.saturating_add(1);
        self.known.insert(name.to_owned(), (value, self.uses));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.known.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_all_the_time_stays_however_much_is_used_once() {
        let mut recent = Recent::new(4);
        recent.insert("hot", 0);
        recent.insert("warm", 0);
        for number in 0..1_000 {
            recent.insert(&format!("rare {number}"), number);
            assert_eq!((recent.get("hot"), recent.get("warm")), (Some(0), Some(0)));
            assert!(recent.known.len() <= 4);
        }
        assert!(recent.has("rare 999") && recent.has("rare 998") && !recent.has("rare 997"));
        // What comes anew under its name pushes nothing out.
        recent.insert("hot", 1);
        assert_eq!((recent.get("hot"), recent.known.len()), (Some(1), 4));
        recent.remove("hot");
        assert_eq!(recent.get("hot"), None);
    }
}

//! Rate limits of callers, kept in memory.
//!
//! Every organization, user and customer has a bucket, and every address without a valid token has one.
//! Endpoints that send mail take from a second, smaller bucket. A bucket refills at a constant rate up to its
//! burst.
//!
//! Nodes share one budget:
//!
//! | step | counts |
//! |---|---|
//! | a request is admitted here | taken out of the bucket, added to `taken` |
//! | every [`limits::SHARE_EVERY`] | `taken` is published as reports and starts again at 0 |
//! | a report of another node arrives | its counts are added to `owed` and taken out of the buckets here |
//! | the bucket holds less than is owed | the rest stays owed, and the caller is refused until it is paid |
//!
//! So a caller gets more than its rate only between a request and the report of it.
//!
//! The response headers are those of draft-ietf-httpapi-ratelimit-headers.

mod exchange;
mod key;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::HeaderName;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::api::rejection::Rejection;
use crate::api::response::set;
use crate::limits;
use exchange::Counts;
use key::BucketKind;
pub(crate) use key::RateLimitKey;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// How often, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// For each organization, shared by all its tokens, and for each person.
    pub known: Rate,
    /// For each address that sends no token, or one that is not alive.
    pub unknown: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        fn rate(per_second: u32, burst: u32) -> Rate {
            let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            Rate { per_second: at_least_one(per_second), burst: at_least_one(burst) }
        }
        Self { known: rate(100, 200), unknown: rate(5, 60) }
    }
}

type Governor =
    RateLimiter<RateLimitKey, DefaultKeyedStateStore<RateLimitKey>, DefaultClock, StateInformationMiddleware>;

/// One kind of caller's buckets.
struct Buckets {
    name: &'static str,
    rate: Rate,
    /// Until one more request is in a bucket.
    each: Duration,
    limiter: Governor,
}

/// What nodes share.
#[derive(Default)]
struct SharedCounts {
    /// Taken here, and not told yet.
    taken: Counts,
    /// Taken elsewhere, and not out of the buckets here yet.
    owed: Counts,
}

/// The buckets of every caller.
pub(crate) struct RateLimiters {
    known: Buckets,
    unknown: Buckets,
    mail: Buckets,
    /// Nothing where no other node can be told.
    shared: Option<SharedCounts>,
}

/// What is left in a caller's bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimitState {
    name: &'static str,
    rate: Rate,
    remaining: u32,
    /// How long until the next request has a chance; nothing while there is something left.
    pub(crate) wait: Option<Duration>,
}

impl Buckets {
    fn new(name: &'static str, rate: Rate) -> Self {
        Self::with(name, rate, Quota::per_second(rate.per_second).allow_burst(rate.burst))
    }

    fn with(name: &'static str, rate: Rate, quota: Quota) -> Self {
        let limiter = RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Self { name, rate, each: quota.replenish_interval(), limiter }
    }

    fn take(&self, who: RateLimitKey) -> RateLimitState {
        let (remaining, wait) = match self.limiter.check_key(&who) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(DefaultClock::default().now()))),
        };
        RateLimitState { name: self.name, rate: self.rate, remaining, wait }
    }

    /// What is left when so many are owed and the bucket is empty.
    fn nothing_but(&self, owed: u32) -> RateLimitState {
        let wait = self.each.saturating_mul(owed.saturating_add(1));
        RateLimitState { name: self.name, rate: self.rate, remaining: 0, wait: Some(wait) }
    }

    /// Takes as many of these out as there are; how many.
    fn pay(&self, who: RateLimitKey, owed: u32) -> u32 {
        let (mut paid, mut part) = (0, owed.min(self.rate.burst.get()));
        while let Some(some) = NonZeroU32::new(part.min(owed.saturating_sub(paid))) {
            match self.limiter.check_key_n(&who, some) {
                Ok(Ok(_)) => paid = paid.saturating_add(some.get()),
                _ => part = some.get() / 2,
            }
        }
        paid
    }
}

impl RateLimiters {
    /// `shared`: whether other nodes are told what is taken here, by [`RateLimiters::reports`].
    pub(crate) fn new(rates: Rates, shared: bool) -> Self {
        let once = NonZeroU32::MIN;
        let burst = once.saturating_add(limits::MAIL_BURST - 1);
        let quota = Quota::per_minute(burst).allow_burst(burst);
        let mail = Buckets::with("mail", Rate { per_second: once, burst }, quota);
        let (known, unknown) = (Buckets::new("known", rates.known), Buckets::new("unknown", rates.unknown));
        Self { known, unknown, mail, shared: shared.then(SharedCounts::default) }
    }

    const fn buckets(&self, kind: BucketKind) -> &Buckets {
        match kind {
            BucketKind::Known => &self.known,
            BucketKind::Unknown => &self.unknown,
            BucketKind::Mail => &self.mail,
        }
    }

    /// Takes one request out of a caller's bucket.
    pub(crate) fn take(&self, who: RateLimitKey) -> RateLimitState {
        self.take_of(BucketKind::of(who), who)
    }

    /// Takes one request that sends a mail out of a caller's bucket for those.
    pub(crate) fn take_mail(&self, who: RateLimitKey) -> RateLimitState {
        self.take_of(BucketKind::Mail, who)
    }

    fn take_of(&self, kind: BucketKind, who: RateLimitKey) -> RateLimitState {
        let buckets = self.buckets(kind);
        let Some(shared) = &self.shared else { return buckets.take(who) };
        let owed = shared.owed.settle(kind, who, |owed| buckets.pay(who, owed));
        if owed > 0 {
            return buckets.nothing_but(owed);
        }
        let left = buckets.take(who);
        if left.allows() {
            shared.taken.add(kind, who, 1, u32::MAX);
        }
        left
    }

    /// What was taken here since this was asked last, in texts of at most so many bytes for the other nodes.
    pub(crate) fn reports(&self, bytes: usize) -> Vec<String> {
        self.shared.as_ref().map(|shared| shared.taken.reports(bytes)).unwrap_or_default()
    }

    /// Takes out here what another node reports; what does not fit is owed, up to a whole bucket.
    pub(crate) fn apply_report(&self, report: &str) {
        let Some(shared) = &self.shared else { return };
        for (kind, who, count) in exchange::read_report(report) {
            shared.owed.add(kind, who, count, self.buckets(kind).rate.burst.get());
            shared.owed.settle(kind, who, |owed| self.buckets(kind).pay(who, owed));
        }
    }

    /// Pays what is owed by callers who do not ask meanwhile.
    pub(crate) fn pay_debts(&self) {
        if let Some(shared) = &self.shared {
            shared.owed.settle_all(|kind, who, owed| self.buckets(kind).pay(who, owed));
        }
    }

    /// Forgets callers whose bucket is full again.
    pub(crate) fn sweep(&self) {
        for buckets in [&self.known, &self.unknown, &self.mail] {
            buckets.limiter.retain_recent();
            buckets.limiter.shrink_to_fit();
        }
    }
}

impl RateLimitState {
    /// Refuses the request when the bucket is empty.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        if self.allows() {
            Ok(())
        } else {
            Err(Rejection::RateLimited { retry_after_s: self.retry_after_s() })
        }
    }

    /// Whether the request may go on.
    pub(crate) const fn allows(&self) -> bool {
        self.wait.is_none()
    }

    /// Whole seconds until the next request has a chance, at least 1.
    pub(crate) fn retry_after_s(&self) -> u64 {
        let wait = self.wait.unwrap_or_default();
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }

    /// Tells the caller what is left.
    pub(crate) fn set_headers(&self, response: &mut Response) {
        let Self { name, rate, .. } = self;
        let window = rate.burst.get().div_ceil(rate.per_second.get());
        set(response, POLICY, &format!("\"{name}\";q={};w={window}", rate.burst));
        set(response, LEFT, &self.to_string());
    }
}

impl fmt::Display for RateLimitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rate, remaining, .. } = self;
        let full_in = rate.burst.get().saturating_sub(*remaining).div_ceil(rate.per_second.get());
        write!(f, "\"{name}\";r={remaining};t={full_in}")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn limiters(per_second: u32, burst: u32) -> RateLimiters {
        let rate =
            Rate { per_second: NonZeroU32::new(per_second).unwrap(), burst: NonZeroU32::new(burst).unwrap() };
        RateLimiters::new(Rates { known: rate, unknown: rate }, true)
    }

    #[test]
    fn a_bucket_is_one_callers_own() {
        let limiters = limiters(1, 2);
        let (one, other) = (RateLimitKey::Known(Uuid::from_u128(1)), RateLimitKey::Known(Uuid::from_u128(2)));
        assert!(limiters.take(one).allows() && limiters.take(one).allows());
        let refused = limiters.take(one);
        assert!(!refused.allows());
        assert_eq!(refused.retry_after_s(), 1);
        assert_eq!(refused.to_string(), "\"known\";r=0;t=2");
        assert!(limiters.take(other).allows());
    }

    /// Each hears what the others took.
    fn exchange(nodes: &[&RateLimiters]) {
        let reports: Vec<_> = nodes.iter().map(|node| node.reports(7_000)).collect();
        for (at, node) in nodes.iter().enumerate() {
            let others = reports.iter().enumerate().filter(|(from, _)| *from != at);
            others.flat_map(|(_, reports)| reports).for_each(|report| node.apply_report(report));
        }
    }

    fn taken(node: &RateLimiters, who: RateLimitKey, asked: u32) -> u32 {
        u32::try_from((0..asked).filter(|_| node.take(who).allows()).count()).unwrap()
    }

    #[test]
    fn nodes_share_one_budget() {
        let (one, two) = (limiters(1, 100), limiters(1, 100));
        let who = RateLimitKey::Known(Uuid::from_u128(1));
        assert_eq!(taken(&one, who, 60), 60);
        exchange(&[&one, &two]);
        assert!((39..45).contains(&two.take(who).remaining));
        exchange(&[&one, &two]);
        // The bucket fills a little meanwhile.
        assert!((39..45).contains(&taken(&one, who, 100)));
        exchange(&[&one, &two]);
        assert!(taken(&two, who, 100) < 5);
        let mails = limits::MAIL_BURST;
        assert!((0..mails).all(|_| one.take_mail(who).allows()));
        exchange(&[&one, &two]);
        assert!(!two.take_mail(who).allows());
    }

    #[test]
    fn what_was_given_twice_is_paid_back() {
        let nodes = [limiters(1, 50), limiters(1, 50)];
        let who = RateLimitKey::at("192.0.2.1".parse().unwrap());
        // Both give all they have before either hears of the other.
        assert!(nodes.iter().all(|node| taken(node, who, 50) == 50));
        exchange(&[&nodes[0], &nodes[1]]);
        for node in &nodes {
            let refused = node.take(who);
            assert!(!refused.allows());
            assert!(refused.retry_after_s() > 45, "{}", refused.retry_after_s());
        }
        // What was refused was not taken.
        assert!(nodes.iter().all(|node| node.reports(7_000).is_empty()));
    }

    #[test]
    fn nobody_counts_alone() {
        let rates = Rates::default();
        let alone = RateLimiters::new(rates, false);
        assert!(alone.take(RateLimitKey::Known(Uuid::from_u128(1))).allows());
        assert!(alone.reports(7_000).is_empty());
    }

    #[test]
    fn mail_is_rarer_than_requests() {
        let limiters = limiters(100, 200);
        let who = RateLimitKey::Known(Uuid::from_u128(1));
        assert!((0..limits::MAIL_BURST).all(|_| limiters.take_mail(who).allows()));
        assert!(!limiters.take_mail(who).allows());
        assert!(limiters.take(who).allows());
    }

    #[test]
    fn an_ipv6_caller_counts_by_its_network() {
        let at = |text: &str| RateLimitKey::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::3"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::3"), at("2001:db8:1:3::3"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}

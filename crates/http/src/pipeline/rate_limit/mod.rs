//! Rate limits of callers, kept in memory.
//!
//! Every owner has a bucket for all organizations and tokens, and every address without a valid token has one. The
//! portals of an owner have another bucket of the same size, and each customer has one of a quarter of it: a request in
//! the portal takes from both. Endpoints that send mail take from a second, smaller bucket. A bucket refills at a
//! constant rate up to its burst.
//!
//! A large response takes as much work as many requests, so it counts as one more for each
//! [`limits::BYTES_PER_REQUEST`]. Its size is known when the work is done, so these requests are owed: the caller is
//! refused until they are paid.
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
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// A sustained rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A quarter of the rate and of the burst, at least one request.
    fn quarter(self) -> Self {
        let quarter = |number: NonZeroU32| NonZeroU32::new(number.get() / 4).unwrap_or(NonZeroU32::MIN);
        Self { per_second: quarter(self.per_second), burst: quarter(self.burst) }
    }
}

/// Limits that an operator may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// For each owner, shared by all organizations and tokens, and again for the portals of all of them. A customer
    /// in a portal has a quarter.
    pub known: Rate,
    /// For each address that sends no valid token.
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

/// The buckets of one kind.
struct Buckets {
    name: &'static str,
    rate: Rate,
    /// Time in which a bucket refills by one request.
    refill_interval: Duration,
    limiter: Governor,
}

/// The buckets of every caller.
pub(crate) struct RateLimiters {
    known: Buckets,
    customer: Buckets,
    unknown: Buckets,
    mail: Buckets,
    portal_mail: Buckets,
    /// Admitted here and not published to other nodes yet. Absent on an engine for a single node.
    taken: Option<Counts>,
    /// Admitted by other nodes, or counted for large responses, and not taken out of the buckets here yet.
    owed: Counts,
}

/// The state of a caller's bucket after a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimitState {
    name: &'static str,
    rate: Rate,
    remaining: u32,
    /// Time until the next request can be admitted. Absent when this one was.
    pub(crate) wait: Option<Duration>,
}

impl Buckets {
    fn new(name: &'static str, rate: Rate) -> Self {
        Self::with(name, rate, Quota::per_second(rate.per_second).allow_burst(rate.burst))
    }

    /// Buckets for this many requests a minute, and at once.
    fn a_minute(name: &'static str, requests: u32) -> Self {
        let burst = NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN);
        let rate = Rate { per_second: NonZeroU32::MIN, burst };
        Self::with(name, rate, Quota::per_minute(burst).allow_burst(burst))
    }

    fn with(name: &'static str, rate: Rate, quota: Quota) -> Self {
        let limiter = RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Self { name, rate, refill_interval: quota.replenish_interval(), limiter }
    }

    fn take(&self, key: RateLimitKey) -> RateLimitState {
        let (remaining, wait) = match self.limiter.check_key(&key) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(DefaultClock::default().now()))),
        };
        RateLimitState { name: self.name, rate: self.rate, remaining, wait }
    }

    /// The state of an empty bucket that owes this many requests.
    fn exhausted(&self, owed: u32) -> RateLimitState {
        let wait = self.refill_interval.saturating_mul(owed.saturating_add(1));
        RateLimitState { name: self.name, rate: self.rate, remaining: 0, wait: Some(wait) }
    }

    /// Takes up to `owed` requests out of a bucket. Returns how many.
    fn pay(&self, key: RateLimitKey, owed: u32) -> u32 {
        let (mut paid, mut part) = (0, owed.min(self.rate.burst.get()));
        while let Some(some) = NonZeroU32::new(part.min(owed.saturating_sub(paid))) {
            match self.limiter.check_key_n(&key, some) {
                Ok(Ok(_)) => paid = paid.saturating_add(some.get()),
                _ => part = some.get() / 2,
            }
        }
        paid
    }
}

impl RateLimiters {
    /// `shared` says that [`RateLimiters::reports`] goes to other nodes.
    pub(crate) fn new(rates: Rates, shared: bool) -> Self {
        Self {
            known: Buckets::new("known", rates.known),
            customer: Buckets::new("customer", rates.known.quarter()),
            unknown: Buckets::new("unknown", rates.unknown),
            mail: Buckets::a_minute("mail", limits::MAIL_BURST),
            portal_mail: Buckets::a_minute("mail", limits::PORTAL_MAIL_BURST),
            taken: shared.then(Counts::default),
            owed: Counts::default(),
        }
    }

    const fn buckets(&self, kind: BucketKind) -> &Buckets {
        match kind {
            BucketKind::Known => &self.known,
            BucketKind::Customer => &self.customer,
            BucketKind::Unknown => &self.unknown,
            BucketKind::Mail => &self.mail,
            BucketKind::PortalMail => &self.portal_mail,
        }
    }

    /// Takes one request out of a caller's bucket, and of that of the portal.
    pub(crate) fn take(&self, key: RateLimitKey) -> RateLimitState {
        self.take_both(BucketKind::of, key)
    }

    /// Takes one request that sends mail out of a caller's bucket for mail, and of that of the portal.
    pub(crate) fn take_mail(&self, key: RateLimitKey) -> RateLimitState {
        self.take_both(BucketKind::of_mail, key)
    }

    /// Counts a response of this many bytes as further requests of a caller, and of the portal.
    pub(crate) fn charge(&self, key: RateLimitKey, bytes: u64) {
        let requests = u32::try_from(bytes / limits::BYTES_PER_REQUEST).unwrap_or(u32::MAX);
        if requests == 0 {
            return;
        }
        let group = key.group().filter(|group| matches!(group, RateLimitKey::Portal(_)));
        for key in [Some(key), group].into_iter().flatten() {
            let kind = BucketKind::of(key);
            if let Some(taken) = &self.taken {
                taken.add(kind, key, requests, u32::MAX);
            }
            self.owe(kind, key, requests);
        }
    }

    /// Takes requests out of a bucket. The rest is owed, up to a full bucket.
    fn owe(&self, kind: BucketKind, key: RateLimitKey, requests: u32) {
        let buckets = self.buckets(kind);
        self.owed.add(kind, key, requests, buckets.rate.burst.get());
        self.owed.pay(kind, key, |owed| buckets.pay(key, owed));
    }

    /// The state with less room of the two.
    fn take_both(&self, kind: fn(RateLimitKey) -> BucketKind, key: RateLimitKey) -> RateLimitState {
        let own = self.take_of(kind(key), key);
        let group = key.group().filter(|group| matches!(group, RateLimitKey::Portal(_)) && own.allows());
        let Some(group) = group else { return own };
        let of_group = self.take_of(kind(group), group);
        if of_group.allows() && own.remaining <= of_group.remaining { own } else { of_group }
    }

    fn take_of(&self, kind: BucketKind, key: RateLimitKey) -> RateLimitState {
        let buckets = self.buckets(kind);
        let owed = self.owed.pay(kind, key, |owed| buckets.pay(key, owed));
        if owed > 0 {
            return buckets.exhausted(owed);
        }
        let left = buckets.take(key);
        if let Some(taken) = self.taken.as_ref().filter(|_| left.allows()) {
            taken.add(kind, key, 1, u32::MAX);
        }
        left
    }

    /// The requests that were admitted here since the last call, as reports of at most `bytes` bytes.
    pub(crate) fn reports(&self, bytes: usize) -> Vec<String> {
        self.taken.as_ref().map(|taken| taken.reports(bytes)).unwrap_or_default()
    }

    /// Takes the requests of another node's report out of the buckets here. The rest is owed, up to a full bucket.
    pub(crate) fn apply_report(&self, report: &str) {
        for (kind, key, count) in exchange::read_report(report) {
            self.owe(kind, key, count);
        }
    }

    /// Takes owed requests out of the buckets of callers that send none.
    pub(crate) fn pay_debts(&self) {
        self.owed.pay_all(|kind, key, owed| self.buckets(kind).pay(key, owed));
    }

    /// Takes owed requests out of the buckets, and drops the buckets that are full again.
    pub(crate) fn sweep(&self) {
        self.pay_debts();
        for buckets in [&self.known, &self.customer, &self.unknown, &self.mail, &self.portal_mail] {
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

    /// Whether the request was admitted.
    pub(crate) const fn allows(&self) -> bool {
        self.wait.is_none()
    }

    /// Whole seconds until the next request can be admitted, at least 1.
    pub(crate) fn retry_after_s(&self) -> u64 {
        let wait = self.wait.unwrap_or_default();
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }

    /// Sets the headers that report the bucket.
    pub(crate) fn set_headers(&self, response: &mut Response) {
        let Self { name, rate, .. } = self;
        let window = rate.burst.get().div_ceil(rate.per_second.get());
        set(response, POLICY, &format!("\"{name}\";q={};w={window}", rate.burst));
        set(response, STATE, &self.to_string());
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

    /// Each node receives the counts of the others.
    fn exchange(nodes: &[&RateLimiters]) {
        let reports: Vec<_> = nodes.iter().map(|node| node.reports(7_000)).collect();
        for (at, node) in nodes.iter().enumerate() {
            let others = reports.iter().enumerate().filter(|(from, _)| *from != at);
            others.flat_map(|(_, reports)| reports).for_each(|report| node.apply_report(report));
        }
    }

    fn taken(node: &RateLimiters, key: RateLimitKey, asked: u32) -> u32 {
        u32::try_from((0..asked).filter(|_| node.take(key).allows()).count()).unwrap()
    }

    #[test]
    fn nodes_share_one_budget() {
        let (one, two) = (limiters(1, 100), limiters(1, 100));
        let key = RateLimitKey::Known(Uuid::from_u128(1));
        assert_eq!(taken(&one, key, 60), 60);
        exchange(&[&one, &two]);
        assert!((39..45).contains(&two.take(key).remaining));
        exchange(&[&one, &two]);
        // The bucket refills a little meanwhile.
        assert!((39..45).contains(&taken(&one, key, 100)));
        exchange(&[&one, &two]);
        assert!(taken(&two, key, 100) < 5);
        let mails = limits::MAIL_BURST;
        assert!((0..mails).all(|_| one.take_mail(key).allows()));
        exchange(&[&one, &two]);
        assert!(!two.take_mail(key).allows());
    }

    #[test]
    fn what_was_given_twice_is_paid_back() {
        let nodes = [limiters(1, 50), limiters(1, 50)];
        let key = RateLimitKey::at("192.0.2.1".parse().ok());
        // Both nodes admit a full burst before either receives the other's report.
        assert!(nodes.iter().all(|node| taken(node, key, 50) == 50));
        exchange(&[&nodes[0], &nodes[1]]);
        for node in &nodes {
            let refused = node.take(key);
            assert!(!refused.allows());
            assert!(refused.retry_after_s() > 45, "{}", refused.retry_after_s());
        }
        // A refused request is not counted.
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
    fn a_large_response_counts_as_many_requests() {
        for is_shared in [false, true] {
            let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(50).unwrap() };
            let limiters = RateLimiters::new(Rates { known: rate, unknown: rate }, is_shared);
            let (key, other) = (Uuid::from_u128(1), RateLimitKey::Known(Uuid::from_u128(2)));
            assert!(limiters.take(RateLimitKey::Known(key)).allows());
            limiters.charge(RateLimitKey::Known(key), limits::BYTES_PER_REQUEST - 1);
            assert_eq!(limiters.take(RateLimitKey::Known(key)).remaining, 48);
            limiters.charge(RateLimitKey::Known(key), 8 * limits::BYTES_PER_REQUEST);
            assert!((39..42).contains(&limiters.take(RateLimitKey::Known(key)).remaining));
            limiters.charge(RateLimitKey::Known(key), 60 * limits::BYTES_PER_REQUEST);
            let refused = limiters.take(RateLimitKey::Known(key));
            assert!(refused.retry_after_s() >= 10, "{}", refused.retry_after_s());
            assert!(limiters.take(other).allows());
            // A customer uses up the bucket of the portal, and not that of the merchant.
            let customer = RateLimitKey::Customer { customer: Uuid::from_u128(9), owner: Uuid::from_u128(2) };
            limiters.charge(customer, 40 * limits::BYTES_PER_REQUEST);
            assert!(!limiters.take(customer).allows());
            assert!(limiters.take(other).remaining >= 48);
            assert!(limiters.take(RateLimitKey::Portal(Uuid::from_u128(2))).remaining < 12);
            assert_eq!(limiters.reports(7_000).is_empty(), !is_shared);
        }
    }

    #[test]
    fn mail_is_rarer_than_requests() {
        let limiters = limiters(100, 200);
        let key = RateLimitKey::Known(Uuid::from_u128(1));
        assert!((0..limits::MAIL_BURST).all(|_| limiters.take_mail(key).allows()));
        assert!(!limiters.take_mail(key).allows());
        assert!(limiters.take(key).allows());
    }

    #[test]
    fn an_ipv6_caller_counts_by_its_network() {
        let at = |text: &str| RateLimitKey::at(text.parse().ok());
        assert_eq!(at("2001:db8:1:2::3"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::3"), at("2001:db8:1:3::3"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}

//! The mail worker on a real database, with a directory as its mail server and a clock set by hand.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tenantry_app::customers::CustomerCreate;
use tenantry_app::email_updates::EmailUpdateRequest;
use tenantry_app::members::CustomerRef;
use tenantry_app::organizations::OrganizationUpdate;
use tenantry_app::sessions::SessionCreate;
use tenantry_app::team::{TeamMemberAdd, TeamMemberRemove};
use tenantry_app::{App, Requester};
use tenantry_core::customer::{CustomerKind, NewCustomer};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::mail::MailLimits;
use tenantry_core::organization::{CustomerPortalSettings, OrganizationChange, PortalCustomer};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::values::{EmailAddress, HttpUrl};
use tenantry_core::{Patch, Timestamp};
use tenantry_outbound::mail::Mailer;
use tenantry_outbound::mail::letters::Stationery;
use tenantry_testkit::{Acme, Clock, Settings, World};
use tenantry_worker::WorkerMeters;
use tenantry_worker::mail::MailWorker;
use tokio::sync::watch;

/// An organization, and the directory that stands for its mail server.
pub(crate) struct Mailing {
    pub(crate) acme: Acme,
    directory: tempfile::TempDir,
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Sends what is due, as the worker does every few seconds.
pub(crate) async fn send_due(worker: &MailWorker) {
    worker.send_due(&watch::channel(false).1).await.unwrap();
}

impl Mailing {
    pub(crate) async fn new() -> Self {
        Self::with_limits(MailLimits::default()).await
    }

    async fn with_limits(mail_limits: MailLimits) -> Self {
        let world = World::with(Settings { clock: Clock::stopped(), mail_limits, ..Settings::default() });
        Self { acme: Acme::within(world).await, directory: tempfile::tempdir().unwrap() }
    }

    /// The same after a restart; from then on every write lasts so many seconds.
    async fn restart_with_slow_writes(self, write_duration_s: i64) -> Self {
        let settings = Settings { write_duration_s, ..self.acme.world.settings().clone() };
        Self { acme: self.acme.restart_with(settings).await, ..self }
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.acme.world.app
    }

    fn advance_s(&self, seconds: i64) {
        self.acme.world.advance_s(seconds);
    }

    pub(crate) async fn add(&self, address: &str) {
        self.add_to(self.acme.organization.id, address).await;
    }

    pub(crate) async fn add_to(&self, organization: OrganizationId, address: &str) -> UserId {
        let new = NewTeamMember { email: email(address), name: None, role: TeamRole::BillingManager };
        let add = TeamMemberAdd { by: Requester::operator(), organization, new };
        self.app().write(add).await.unwrap().user
    }

    /// Sends what is due; answers how many mails there were.
    async fn send(&self) -> usize {
        let before = self.sent().len();
        send_due(&self.worker()).await;
        self.sent().len() - before
    }

    pub(crate) fn worker(&self) -> MailWorker {
        self.worker_with(|_| {})
    }

    pub(crate) fn worker_with(&self, change: impl FnOnce(&mut Stationery)) -> MailWorker {
        let mailer = Mailer::Directory(self.directory.path().join("mail"));
        let from = "Tenantry <no-reply@x.dev>";
        let mut stationery = Stationery::of_sender(from);
        change(&mut stationery);
        MailWorker::new(Arc::clone(self.app()), mailer, from, stationery)
    }

    /// The caller that this secret authenticates.
    async fn by(&self, secret: &str) -> Requester {
        Requester::caller(&self.app().authenticate(secret).await.unwrap(), None)
    }

    /// A customer requests another e-mail address.
    async fn request_address(&self, address: &str) {
        self.request_address_with(address, None).await;
    }

    /// A customer with a locale requests another e-mail address.
    pub(crate) async fn request_address_with(&self, address: &str, locale: Option<&str>) {
        let (organization, hash_key) = (self.acme.organization.id, self.app().hash_key().clone());
        let by = self.by(&self.acme.client().secret()).await;
        let allowed = PortalCustomer { allow_email_change: Some(true) };
        let settings =
            CustomerPortalSettings { customer: Some(allowed), ..CustomerPortalSettings::default() };
        let change = OrganizationChange {
            customer_portal_settings: Patch::Value(settings),
            ..OrganizationChange::default()
        };
        self.app().write(OrganizationUpdate { by: by.clone(), id: organization, change }).await.unwrap();
        let new = NewCustomer {
            locale: locale.map(|tag| tag.parse().unwrap()),
            ..NewCustomer::new(CustomerKind::Individual, email("ada@x.dev"))
        };
        let create = CustomerCreate { by: by.clone(), organization: None, new };
        let customer = CustomerRef::Id(self.app().write(create).await.unwrap().id);
        let begin =
            SessionCreate { by, customer, member: None, return_url: None, hash_key: hash_key.clone() };
        let session = self.app().write(begin).await.unwrap();
        let by = self.by(session.secret.expose()).await;
        self.app().write(EmailUpdateRequest { by, email: email(address), hash_key }).await.unwrap();
    }

    /// The sent mails, by file name.
    pub(crate) fn sent(&self) -> Vec<(String, String)> {
        let Ok(files) = std::fs::read_dir(self.directory.path().join("mail")) else { return Vec::new() };
        let mut mails: Vec<(String, String)> = files
            .map(|file| file.unwrap())
            // A mail that is being written has another extension.
            .filter(|file| file.path().extension().is_some_and(|kind| kind == "eml"))
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(file.path()).unwrap())
            })
            .collect();
        mails.sort();
        mails
    }

    /// Puts a file in the place of the directory, so that sending fails.
    fn block(&self) {
        std::fs::write(self.directory.path().join("mail"), "").unwrap();
    }

    fn unblock(&self) {
        std::fs::remove_file(self.directory.path().join("mail")).unwrap();
    }

    async fn has_queued(&self) -> bool {
        self.next_due().await.is_some()
    }

    /// The time of the organization's next mail.
    async fn next_due(&self) -> Option<Timestamp> {
        self.app().next_mail_due_of(self.acme.organization.id).await.unwrap()
    }
}

#[tokio::test]
async fn a_queued_mail_is_sent_once_and_deleted() {
    let mailing = Mailing::new().await;
    for number in 0..20 {
        mailing.add(&format!("jo{number}@x.dev")).await;
    }
    send_due(&mailing.worker()).await;
    let sent = mailing.sent();
    assert_eq!(sent.len(), 20);
    let (name, mail) = &sent[0];
    let id = name.strip_suffix(".eml").unwrap();
    assert!(mail.contains(&format!("Message-ID: <{id}@x.dev>")), "{mail}");
    assert!(mail.contains("acme") && mail.contains("Billing manager"), "{mail}");
    assert!(!mailing.has_queued().await);
    std::fs::remove_dir_all(mailing.directory.path().join("mail")).unwrap();
    send_due(&mailing.worker()).await;
    assert!(mailing.sent().is_empty());
}

#[tokio::test]
async fn an_invitation_has_its_secret_in_the_fragment_of_a_link() {
    for (console, expected) in [
        (Some("https://t.example"), "    https://t.example/console/invitation#tenantry_inv_"),
        (None, "    tenantry_inv_"),
    ] {
        let mailing = Mailing::new().await;
        let path = format!("{}/invitations", mailing.acme.path_v1());
        let body = serde_json::json!({"email": "Jo@x.dev", "role": "admin"});
        mailing.acme.client().post(&path, body).await.expect(201);
        let console = console.map(|url| HttpUrl::parse(url).unwrap());
        send_due(&mailing.worker_with(|stationery| stationery.console = console)).await;
        let sent = mailing.sent();
        let [(_, mail)] = sent.as_slice() else { panic!("{sent:?}") };
        let mail = decoded(mail);
        assert!(mail.contains(expected) && mail.contains("Administrator"), "{mail}");
        assert!(mail.contains("Valid until: 8 January 2026, 00:00 UTC"), "{mail}");
        let secret = mail.split("tenantry_inv_").nth(1).unwrap();
        let token = format!("tenantry_inv_{}", secret.split_whitespace().next().unwrap());
        let found = mailing.acme.world.anonymous();
        let found = found.post("/v1/invitations/lookup", serde_json::json!({"token": token})).await;
        assert_eq!(found.expect(200)["status"], "pending");
    }
}

#[tokio::test]
async fn a_failed_mail_is_retried_when_it_is_due() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    mailing.block();
    send_due(&mailing.worker()).await;
    assert!(mailing.has_queued().await);
    let first = mailing.next_due().await;
    mailing.unblock();
    // The retry is not due yet.
    send_due(&mailing.worker()).await;
    assert!(mailing.sent().is_empty());
    assert_eq!(mailing.next_due().await, first);
    mailing.advance_s(40);
    send_due(&mailing.worker()).await;
    assert_eq!(mailing.sent().len(), 1);
    assert!(!mailing.has_queued().await);
}

#[tokio::test]
async fn pauses_grow_and_end() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    mailing.block();
    let mut waits = Vec::new();
    loop {
        send_due(&mailing.worker()).await;
        let Some(due) = mailing.next_due().await else { break };
        let wait = mailing.app().now().seconds_until(due);
        waits.push(wait);
        mailing.advance_s(i64::try_from(wait).unwrap());
    }
    assert_eq!(waits.len(), 9, "{waits:?}");
    for (wait, plain) in waits.iter().zip([30, 60, 120, 240, 480, 960, 1920, 3600, 3600]) {
        assert!((plain..=plain + plain / 4 + 1).contains(wait), "{waits:?}");
    }
}

#[tokio::test]
async fn a_mail_leased_by_a_crashed_process_is_sent_when_the_lease_ends() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    let taken = mailing.app().lease_mails(None).await.unwrap();
    let id = taken[0].id;
    let mailing = mailing.restart_with_slow_writes(0).await;
    // The lease of the closed process has not ended.
    send_due(&mailing.worker()).await;
    assert!(mailing.sent().is_empty() && mailing.has_queued().await);
    mailing.advance_s(19);
    send_due(&mailing.worker()).await;
    assert!(mailing.sent().is_empty() && mailing.has_queued().await);
    mailing.advance_s(1);
    send_due(&mailing.worker()).await;
    let sent = mailing.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, format!("{id}.eml"));
}

#[tokio::test]
async fn a_lease_without_an_attempt_does_not_count_as_one() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    for _ in 0..12 {
        assert_eq!(mailing.app().lease_mails(None).await.unwrap().len(), 1);
        mailing.advance_s(20);
    }
    mailing.block();
    send_due(&mailing.worker()).await;
    assert_eq!(mailing.app().now().seconds_until(mailing.next_due().await.unwrap()) / 10, 3);
}

#[tokio::test]
async fn a_mail_is_left_to_the_next_lease_when_too_little_of_the_lease_is_left() {
    let mut mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    mailing.advance_s(60);
    // An attempt may take 15 s, and the lease lasts 20 s.
    for (seconds, sent) in [(6, 0), (4, 1)] {
        mailing = mailing.restart_with_slow_writes(seconds).await;
        send_due(&mailing.worker()).await;
        assert_eq!(mailing.sent().len(), sent);
        mailing.advance_s(20);
    }
}

#[tokio::test]
async fn a_worker_whose_lease_has_ended_changes_nothing() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    let mut lost = mailing.app().lease_mails(None).await.unwrap();
    mailing.advance_s(20);
    assert_eq!(mailing.app().lease_mails(None).await.unwrap().len(), 1, "by another worker");
    let lease_end = mailing.next_due().await;
    mailing.app().postpone_mail(lost.remove(0)).await.unwrap();
    assert_eq!(mailing.next_due().await, lease_end);
}

#[tokio::test]
async fn a_mail_of_a_newer_version_delays_no_other() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    mailing.add("mo@x.dev").await;
    let rewrite = |from: &str, to: &str| {
        let of = "WHERE recipient = 'jo@x.dev'";
        let sql = format!("UPDATE mails SET content = replace(content, '{from}', '{to}') {of}");
        mailing.acme.world.database().execute(&sql);
    };
    rewrite("team_member_added", "team_member_invented");
    send_due(&mailing.worker()).await;
    assert_eq!(mailing.sent().len(), 1);
    assert!(mailing.sent()[0].1.contains("To: mo@x.dev"));
    rewrite("team_member_invented", "team_member_added");
    send_due(&mailing.worker()).await;
    assert_eq!(mailing.sent().len(), 1, "an unreadable mail is retried after PUT_OFF_S");
    mailing.advance_s(60);
    send_due(&mailing.worker()).await;
    assert_eq!(mailing.sent().len(), 2);
    assert!(!mailing.has_queued().await);
}

#[tokio::test]
async fn a_mail_with_a_permanent_error_is_given_up() {
    let mailing = Mailing::new().await;
    mailing.add("jo@x.dev").await;
    let mailer = Mailer::Directory(mailing.directory.path().join("mail"));
    let worker = MailWorker::new(Arc::clone(mailing.app()), mailer, "no sender", Stationery::of_sender(""));
    let meters = Arc::new(WorkerMeters::default());
    send_due(&worker.with_meters(Arc::clone(&meters))).await;
    assert_eq!(meters.reading().mails, [("sent", 0), ("postponed", 0), ("given_up", 1), ("expired", 0)]);
    assert!(mailing.sent().is_empty() && !mailing.has_queued().await);
}

#[tokio::test]
async fn a_commit_wakes_the_worker_and_the_stop_signal_ends_it() {
    let mailing = Mailing::new().await;
    let (stop, stopped) = watch::channel(false);
    let worker = mailing.worker();
    let work = async {
        for number in 1..=10 {
            mailing.add(&format!("jo{number}@x.dev")).await;
            // Only the signal of the commit is fast enough: polling would exceed the timeout below.
            while mailing.sent().len() < number || mailing.has_queued().await {
                tokio::task::yield_now().await;
            }
        }
        stop.send_replace(true);
    };
    let done = async { tokio::join!(worker.run(stopped), work) };
    tokio::time::timeout(Duration::from_secs(20), done).await.unwrap();
    assert_eq!(mailing.sent().len(), 10);
}

/// The mail with the quoted-printable line breaks and equals signs decoded.
pub(crate) fn decoded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn a_mail_contains_the_token_or_a_link_with_it() {
    for (portal, form) in [
        (None, "\r\n    tenantry_cev_"),
        (
            Some("https://portal.example/"),
            "https://portal.example/acme/portal/email-update#token=tenantry_cev_",
        ),
    ] {
        let mailing = Mailing::new().await;
        mailing.request_address("new@x.dev").await;
        assert!(!mailing.acme.world.database().traces("tenantry_cev_"));
        let portal = portal.map(|url| HttpUrl::parse(url).unwrap());
        send_due(&mailing.worker_with(|stationery| stationery.portal = portal)).await;
        let sent = mailing.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].1.contains("To: new@x.dev"));
        assert!(decoded(&sent[0].1).contains(form), "{}", sent[0].1);
    }
}

#[tokio::test]
async fn an_expired_mail_is_not_sent() {
    let mailing = Mailing::new().await;
    mailing.request_address("new@x.dev").await;
    mailing.advance_s(30 * 60);
    send_due(&mailing.worker()).await;
    assert!(mailing.sent().is_empty() && !mailing.has_queued().await);
}

fn mails(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[tokio::test]
async fn an_address_that_is_added_again_and_again_gets_a_few_mails() {
    let mailing = Mailing::new().await;
    let organization = mailing.acme.organization.id;
    let add_and_remove = async |mailing: &Mailing| {
        let user = mailing.add_to(organization, "jo@x.dev").await;
        let by = Requester::operator();
        let remove = TeamMemberRemove { by, organization, user, may_leave: false };
        mailing.app().write(remove).await.unwrap();
    };
    for _ in 0..60 {
        add_and_remove(&mailing).await;
    }
    assert_eq!(mailing.send().await, 10);
    assert!(!mailing.has_queued().await, "the others are dropped");
    // The limit outlasts a restart, is of this recipient alone, and refills over a day.
    let mailing = mailing.restart_with_slow_writes(0).await;
    add_and_remove(&mailing).await;
    assert_eq!(mailing.send().await, 0);
    mailing.add("mo@x.dev").await;
    assert_eq!(mailing.send().await, 1);
    mailing.advance_s(24 * 60 * 60 / 10);
    add_and_remove(&mailing).await;
    add_and_remove(&mailing).await;
    assert_eq!(mailing.send().await, 1);
}

#[tokio::test]
async fn the_mails_of_an_account_over_its_limit_wait_and_delay_no_other() {
    let limits = MailLimits { of_account: mails(6), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    for number in 0..20 {
        mailing.add(&format!("jo{number}@x.dev")).await;
    }
    assert_eq!(mailing.send().await, 6);
    assert!(mailing.has_queued().await);
    let other = mailing.acme.world.organization("other").await;
    mailing.add_to(other.id, "mo@x.dev").await;
    assert_eq!(mailing.send().await, 1);
    for _ in 0..14 {
        mailing.advance_s(9 * 60);
        assert_eq!(mailing.send().await, 0);
        mailing.advance_s(60);
        assert_eq!(mailing.send().await, 1);
    }
    assert!(!mailing.has_queued().await);
}

#[tokio::test]
async fn the_mails_of_sub_accounts_count_for_their_parent() {
    let limits = MailLimits { of_account: mails(5), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    for number in 0..10 {
        let world = &mailing.acme.world;
        let child = world.sub_account(&mailing.acme.organization, &format!("child {number}")).await;
        mailing.add_to(child, &format!("jo{number}@x.dev")).await;
    }
    assert_eq!(mailing.send().await, 5);
}

#[tokio::test]
async fn a_recipient_gets_a_few_mails_from_all_accounts_together() {
    let limits = MailLimits { to_recipient: mails(3), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    for (number, spelling) in ["jo@x.dev", "JO@x.dev", "Jo@X.dev", "jO@x.dev", "jo@X.DEV"].iter().enumerate()
    {
        let other = mailing.acme.world.organization(&format!("other-{number}")).await;
        mailing.add_to(other.id, spelling).await;
    }
    assert_eq!(mailing.send().await, 3);
    assert!(!mailing.has_queued().await);
    mailing.advance_s(24 * 60 * 60);
    mailing.app().sweep().await.unwrap();
    let kept = mailing.acme.world.database().texts("SELECT 'kept' FROM mail_budgets");
    assert_eq!(kept, [""; 0], "a budget that is full again is not kept");
}

/// Otherwise a clock that was ahead once would silence an owner for as long.
#[tokio::test]
async fn a_budget_that_was_used_while_the_clock_was_wrong_does_not_stay_empty() {
    const YEAR_S: i64 = 365 * 24 * 60 * 60;
    let limits = MailLimits { of_account: mails(2), to_recipient: mails(2), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    mailing.advance_s(YEAR_S);
    mailing.add("jo@x.dev").await;
    assert_eq!(mailing.send().await, 1);
    mailing.advance_s(-YEAR_S);
    let other = mailing.acme.world.organization("other").await;
    mailing.add_to(other.id, "jo@x.dev").await;
    mailing.add("mo@x.dev").await;
    assert_eq!(mailing.send().await, 2);
}

#[tokio::test]
async fn a_retry_is_not_counted_again() {
    let limits = MailLimits { of_account_to_recipient: mails(1), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    mailing.add("jo@x.dev").await;
    mailing.block();
    send_due(&mailing.worker()).await;
    mailing.unblock();
    mailing.advance_s(40);
    assert_eq!(mailing.send().await, 1);
}

/// The recipients of the mails that are sent, one in each period of `wait_s` seconds.
async fn recipients_in_turn(mailing: &Mailing, count: usize, wait_s: i64) -> Vec<String> {
    let recipient = |mail: &str| mail.split_once("To: ").unwrap().1.split_once('\r').unwrap().0.to_owned();
    let mut recipients: Vec<String> = mailing.sent().iter().map(|(_, mail)| recipient(mail)).collect();
    for _ in 0..count {
        mailing.advance_s(wait_s);
        assert_eq!(mailing.send().await, 1);
        let sent = mailing.sent().iter().map(|(_, mail)| recipient(mail)).collect::<Vec<_>>();
        recipients.extend(sent.into_iter().find(|to| !recipients.contains(to)));
    }
    recipients
}

#[tokio::test]
async fn mails_over_the_limit_keep_their_order() {
    let limits = MailLimits { of_account: mails(1), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    let expected: Vec<String> = (0..12).map(|number| format!("jo{number}@x.dev")).collect();
    for address in &expected {
        mailing.add(address).await;
        mailing.send().await;
        mailing.advance_s(1);
    }
    let others = recipients_in_turn(&mailing, 11, 60 * 60).await;
    assert_eq!(others, expected);
}

#[tokio::test]
async fn a_retry_does_not_wait_for_the_limit() {
    let limits = MailLimits { of_account: mails(1), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    mailing.add("jo@x.dev").await;
    mailing.block();
    send_due(&mailing.worker()).await;
    mailing.unblock();
    for number in 0..12 {
        mailing.add(&format!("mo{number}@x.dev")).await;
    }
    mailing.advance_s(40);
    assert_eq!(mailing.send().await, 1);
    assert!(mailing.sent()[0].1.contains("To: jo@x.dev"));
}

#[tokio::test]
async fn organizations_of_one_owner_share_the_limit() {
    let limits = MailLimits { of_account: mails(5), ..MailLimits::default() };
    let mailing = Mailing::with_limits(limits).await;
    let owner = mailing.acme.organization.owner.clone();
    for number in 0..10 {
        let world = &mailing.acme.world;
        let other = world.organization_owned_by(&format!("other-{number}"), &owner).await;
        mailing.add_to(other.id, &format!("jo{number}@x.dev")).await;
    }
    assert_eq!(mailing.send().await, 5);
}

#[tokio::test]
async fn invitations_use_up_no_limit_of_proofs_and_notices() {
    let one = MailLimits { of_account: mails(1), to_recipient: mails(3), ..MailLimits::default() };
    let mailing = Mailing::with_limits(one).await;
    for number in 0..5 {
        let other = mailing.acme.world.organization(&format!("other-{number}")).await;
        mailing.add_to(other.id, &format!("new+{number}@x.dev")).await;
    }
    assert_eq!(mailing.send().await, 3, "a tag makes no other recipient");
    mailing.add("mo@x.dev").await;
    mailing.add("so@x.dev").await;
    assert_eq!(mailing.send().await, 1, "the account has its limit of invitations");
    mailing.request_address("new@x.dev").await;
    assert_eq!(mailing.send().await, 1);
    let proof = mailing.sent().into_iter().find(|(_, mail)| mail.contains("To: new@x.dev"));
    assert!(proof.is_some());
}

#[tokio::test]
async fn a_deleted_person_gets_no_mail_that_still_waits() {
    let mailing = Mailing::new().await;
    for address in ["jo@x.dev", "mo@x.dev", "jo2@x.dev"] {
        mailing.add(address).await;
    }
    // As after a crash in the middle of two deletions.
    mailing.acme.world.database().execute("DELETE FROM users WHERE email_key LIKE 'jo%'");
    assert_eq!(mailing.send().await, 1);
    assert!(mailing.sent()[0].1.contains("mo@x.dev"));
    assert!(!mailing.has_queued().await);
}

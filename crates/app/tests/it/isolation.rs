//! Isolation of organizations from each other: shared users, and the order of mails.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use tenantry_app::console::{SignInComplete, SignInRequest};
use tenantry_app::email_updates::EmailUpdateVerify;
use tenantry_app::invitations::{InvitationDecline, InvitationKey};
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::tokens::UserTokenCreate;
use tenantry_app::{App, Error, Requester};
use tenantry_core::ExecutionContext;
use tenantry_core::audit::Client;
use tenantry_core::console::Browser;
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::MailQueue;
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::token::Scopes;
use tenantry_core::user::Language;
use tenantry_store::{Party, Tx, UseCase};

use crate::archive::{Database, Mail};
use crate::deletion::organization;

async fn second_organization(app: &App) -> OrganizationId {
    let create = OrganizationCreate {
        by: Requester::operator(),
        owner: OwnerRef::Email("second@example.com".parse().unwrap()),
        new: NewOrganization {
            name: "Second".parse().unwrap(),
            slug: "second".parse().unwrap(),
            change: OrganizationChange::default(),
        },
        initial: InitialState::for_operator(FeatureSettings::for_new_organization()),
    };
    app.write(create).await.unwrap().id
}

#[tokio::test]
async fn an_organization_does_not_decide_how_a_person_appears_to_others() {
    let database = Database::new();
    let (app, first, _) = organization(&database).await;
    let second = second_organization(&app).await;
    let add = async |organization, email: &str, name: Option<&str>| {
        let new = NewTeamMember {
            email: email.parse().unwrap(),
            name: name.map(|name| name.parse().unwrap()),
            role: TeamRole::Developer,
        };
        app.write(TeamMemberAdd { by: Requester::operator(), organization, new }).await.unwrap()
    };
    let (odd, plain) = ("\u{ff23}\u{ff26}\u{ff2f}@bank.example", "cfo@bank.example");
    let in_first = add(first, odd, Some("EVIL NAME")).await;
    let in_second = add(second, plain, None).await;
    assert_eq!(in_first.user, in_second.user, "one person");
    let shown = app.team_oldest_first(&Requester::operator(), second).await.unwrap();
    let shown = shown.iter().find(|member| member.user == in_second.user).unwrap();
    assert_eq!((shown.email.as_str(), &shown.name), (plain, &None));
    let mails = app.lease_mails(None).await.unwrap();
    let recipients: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(recipients, [plain, plain], "mail goes to the normalized address");
}

/// SQLite reads on the thread of its caller. The single thread for other work is taken here, so a read that needs it
/// cannot end.
#[test]
fn reads_of_a_person_leave_the_threads_of_requests_free() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let database = Database::new();
        let (app, organization, _) = organization(&database).await;
        let issued = app.write(UserTokenCreate {
            by: Requester::operator(),
            email: "cfo@bank.example".parse().unwrap(),
            scopes: Scopes::everything(),
            expires_in_s: None,
            hash_key: app.hash_key().clone(),
        });
        let secret = issued.await.unwrap().secret;
        let (free, taken) = std::sync::mpsc::channel::<()>();
        let other_work = tokio::task::spawn_blocking(move || taken.recv());
        let operator = Requester::operator();
        let mut authenticate = pin!(app.authenticate(secret.expose()));
        let mut team = pin!(app.team(&operator, organization));
        let context = &mut Context::from_waker(Waker::noop());
        assert!(authenticate.as_mut().poll(context).is_pending());
        assert!(team.as_mut().poll(context).is_pending());
        drop(free);
        authenticate.await.unwrap();
        assert_eq!(team.await.unwrap().len(), 1);
        assert!(other_work.await.unwrap().is_err());
    });
}

/// A thousand mails.
struct Mails(OrganizationId);

impl UseCase for Mails {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        for _ in 0..1_000 {
            Mail(self.0).run(tx, context).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn mails_that_nobody_sends_do_not_pile_up_and_fail_no_change() {
    let database = Database::new();
    let (app, first, _) = organization(&database).await;
    app.write(Mails(first)).await.unwrap();
    let new =
        NewTeamMember { email: "jo@example.com".parse().unwrap(), name: None, role: TeamRole::Developer };
    app.write(TeamMemberAdd { by: Requester::operator(), organization: first, new }).await.unwrap();
    let mut reader = app.store().reader().unwrap();
    assert_eq!(
        reader.tx().unwrap().mails_pending(first, MailQueue::Invitations, 2_000).await.unwrap(),
        1_000
    );
}

#[tokio::test]
async fn mails_that_wait_keep_nobody_from_signing_in() {
    let database = Database::new();
    let (app, first, _) = organization(&database).await;
    app.write(Mails(first)).await.unwrap();
    app.sign_in("owner@example.com".parse().unwrap(), Language::English).await.unwrap();
    let mut codes = 0;
    for _ in 0..2 {
        let leased = app.lease_mails(Some(first)).await.unwrap();
        codes += leased.iter().filter(|mail| mail.content.queue() == MailQueue::SignIns).count();
    }
    assert_eq!(codes, 1);
}

/// On SQLite the server's own use cases have a line of their own, on PostgreSQL every place.
#[tokio::test]
async fn requests_without_a_credential_do_not_run_as_the_server_itself() {
    let database = Database::new();
    let (app, ..) = organization(&database).await;
    let hash_key = app.hash_key().clone();
    let ask = SignInRequest {
        email: "owner@example.com".parse().unwrap(),
        language: Language::English,
        hash_key: hash_key.clone(),
    };
    let enter = SignInComplete {
        secret: String::new(),
        code: String::new(),
        browser: Browser::default(),
        language: Language::English,
        request_id: None,
        hash_key: hash_key.clone(),
    };
    let decline = InvitationDecline {
        by: Requester::anonymous(None),
        key: InvitationKey::Secret(String::new()),
        hash_key: hash_key.clone(),
    };
    let verify = EmailUpdateVerify {
        token: String::new(),
        portal_of: None,
        request_id: None,
        client: Client::default(),
        hash_key,
    };
    for party in [ask.party(), enter.party(), decline.party(), verify.party()] {
        assert_eq!(party, Party::STRANGERS);
    }
    assert_ne!(Party::STRANGERS, Party::default());
}

#[tokio::test]
async fn many_mails_of_one_organization_do_not_delay_those_of_another() {
    let database = Database::new();
    let (app, first, _) = organization(&database).await;
    let second = second_organization(&app).await;
    for _ in 0..20 {
        app.write(Mail(first)).await.unwrap();
    }
    app.write(Mail(second)).await.unwrap();
    let leased = app.lease_mails(None).await.unwrap();
    assert!(leased.iter().any(|mail| mail.organization == second));
    // Also one that is queued later, while the first is being served.
    app.write(Mail(second)).await.unwrap();
    let leased = app.lease_mails(None).await.unwrap();
    assert!(leased.iter().any(|mail| mail.organization == second));
    assert!(leased.iter().any(|mail| mail.organization == first));
}

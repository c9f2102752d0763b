//! The language of mails.

use tenantry_core::user::Language;

use crate::mail::{Mailing, decoded, send_due};

/// The language of the only mail that is sent, to a person without an account.
async fn language_of_mail(mailing: &Mailing, default: Language) -> Language {
    mailing.add("jo@x.dev").await;
    send_due(&mailing.worker_with(|stationery| stationery.language = default)).await;
    let sent = mailing.sent();
    let [(_, mail)] = sent.as_slice() else { panic!("{sent:?}") };
    language(mail)
}

/// The language of both parts of a mail.
fn language(mail: &str) -> Language {
    let mail = decoded(mail);
    let is = |word: &str, tag: &str| {
        let html = format!("<html lang=\"{tag}\"");
        assert_eq!(mail.contains(word), mail.contains(&html), "{mail}");
        mail.contains(word)
    };
    match (is("You get this mail", "en"), is("Sie bekommen diese E-Mail", "de")) {
        (true, false) => Language::English,
        (false, true) => Language::German,
        _ => panic!("{mail}"),
    }
}

fn set(mailing: &Mailing, person: &str, language: Language) {
    let tag = language.as_str();
    let sql = format!("UPDATE users SET language = '{tag}' WHERE email_key = '{person}'");
    mailing.acme.world.database().execute(&sql);
}

#[tokio::test]
async fn a_mail_is_in_the_language_of_the_installation_without_another() {
    for default in Language::ALL {
        assert_eq!(language_of_mail(&Mailing::new().await, default).await, default);
    }
}

#[tokio::test]
async fn a_mail_to_somebody_without_a_language_is_in_the_owners() {
    let mailing = Mailing::new().await;
    set(&mailing, &mailing.acme.organization.owner.to_lowercase(), Language::German);
    assert_eq!(language_of_mail(&mailing, Language::English).await, Language::German);
}

#[tokio::test]
async fn a_mail_is_in_the_language_of_its_recipient() {
    let mailing = Mailing::new().await;
    let owner = mailing.acme.organization.owner.clone();
    set(&mailing, &owner.to_lowercase(), Language::German);
    let jo = mailing.add_to(mailing.acme.organization.id, "jo@x.dev").await;
    set(&mailing, "jo@x.dev", Language::English);
    let path = format!("{}/transfer", mailing.acme.path_v1());
    let owner = mailing.acme.world.user(&owner, "*").await;
    owner.post(&path, serde_json::json!({"user_id": jo})).await.expect(202);
    send_due(&mailing.worker_with(|stationery| stationery.language = Language::German)).await;
    let offered = |(_, mail): &&(String, String)| mail.contains("Subject: You are offered");
    assert_eq!(language(&mailing.sent().iter().find(offered).unwrap().1), Language::English);
}

#[tokio::test]
async fn a_mail_to_a_customer_is_in_the_customers_locale() {
    for (locale, expected) in [
        (Some("de-AT"), Language::German),
        (Some("en-GB"), Language::English),
        (Some("fr"), Language::German),
    ] {
        let mailing = Mailing::new().await;
        set(&mailing, &mailing.acme.organization.owner.to_lowercase(), Language::German);
        mailing.request_address_with("new@x.dev", locale).await;
        send_due(&mailing.worker()).await;
        assert_eq!(language(&mailing.sent()[0].1), expected, "{locale:?}");
    }
}

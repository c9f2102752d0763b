use std::collections::BTreeSet;

use tenantry_core::mail::MailContent;
use tenantry_core::team::TeamRole;
use uuid::Uuid;

use super::*;

fn stationery() -> Stationery {
    let url = |text: &str| Some(HttpUrl::parse(text).unwrap());
    Stationery {
        sender: "Acme Cloud".into(),
        language: Language::English,
        portal: url("https://portal.example/"),
        console: url("https://tenantry.example"),
    }
}

fn bare() -> Stationery {
    Stationery { portal: None, console: None, ..stationery() }
}

fn written(content: &MailContent, secret: &str, language: Option<Language>, on: &Stationery) -> Message {
    let to = EmailAddress::parse("ada@x.dev").unwrap();
    let organization = OrganizationId::new(Uuid::from_u128(7));
    write(&Draft { to, content, secret, language, organization, sender: None }, on).unwrap()
}

fn confirmation(minutes: u32) -> MailContent {
    let slug = tenantry_core::values::Slug::parse("acme").unwrap();
    MailContent::EmailChangeRequest { organization: "Acme".into(), slug, minutes }
}

fn added(organization: &str, inviter: Option<&str>) -> MailContent {
    let inviter = inviter.map(str::to_owned);
    MailContent::TeamMemberAdded { organization: organization.into(), role: TeamRole::Analyst, inviter }
}

#[test]
fn every_kind_has_samples_in_each_language() {
    let names: BTreeSet<_> = samples(&stationery()).unwrap().into_iter().map(|sample| sample.name).collect();
    for kind in MailContent::KINDS {
        for language in Language::ALL.map(Language::as_str) {
            for variant in ["", "-hostile"] {
                assert!(names.contains(&format!("{kind}{variant}-{language}")), "{kind} {language}");
            }
        }
    }
}

#[test]
fn no_text_lacks_a_value_or_is_in_another_language() {
    for Sample { name, message } in samples(&stationery()).unwrap() {
        let Message { subject, text, html, .. } = &message;
        if name.contains("hostile") {
            continue;
        }
        for text in [subject, text, html] {
            assert!(!text.contains(['{', '}']) && !text.contains("  ,"), "{name}: {text}");
        }
        let lines: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert!(lines.len() > 4 && !subject.is_empty(), "{name}: {text}");
        let is_german =
            [" Sie ", "Sie ", "Ihr", " wird ", " wurde ", " ist "].iter().any(|word| text.contains(word));
        assert_eq!(is_german, name.ends_with("-de"), "{name}: {text}");
        assert!(html.contains(&format!("<html lang=\"{}\"", if is_german { "de" } else { "en" })), "{name}");
    }
}

/// The text of an HTML part without markup, as a reader sees it, in words.
fn words_of(html: &str) -> Vec<String> {
    let body = html.split_once("<body").unwrap().1;
    let mut shown = String::new();
    for part in body.split('<') {
        shown.push(' ');
        shown.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    let entities = [("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'")];
    for (entity, character) in entities {
        shown = shown.replace(entity, character);
    }
    shown.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn both_parts_say_the_same() {
    for Sample { name, message } in samples(&stationery()).unwrap() {
        let html = words_of(&message.html);
        for word in message.text.split_whitespace().filter(|word| *word != "--") {
            let word = word.trim_end_matches(':');
            assert!(
                html.iter().any(|shown| shown.trim_end_matches(':') == word),
                "{name}: {word} in {html:?}"
            );
        }
    }
}

const HOSTILE: &str = "A&B <b>\"x\"</b>\r\nBcc: eve@x.dev {organization}";
const LINE: &str = "A&B <b>\"x\"</b> Bcc: eve@ x. dev {organization}";
const ESCAPED: &str = "A&#38;B &#60;b&#62;&#34;x&#34;&#60;/b&#62; Bcc: eve@ x. dev {organization}";

#[test]
fn names_are_escaped_in_html_alone_and_stay_on_one_line() {
    for language in Language::ALL {
        let message = written(&added(HOSTILE, Some(HOSTILE)), "", Some(language), &stationery());
        assert!(message.html.contains(ESCAPED) && !message.html.contains("<b>"), "{}", message.html);
        assert!(message.text.contains(LINE) && !message.text.contains("&#"), "{}", message.text);
        assert!(message.subject.contains(LINE) && !message.subject.contains(['\r', '\n']));
    }
}

#[test]
fn no_name_makes_a_link_or_a_line() {
    let own = ["https://portal.example.com/", "https://tenantry.example.com/"];
    for Sample { name, message } in samples(&stationery()).unwrap() {
        let html = message.html.split_once("<body").unwrap().1.to_owned();
        for text in [&message.subject, &message.text, &html] {
            let text = own.iter().fold(text.clone(), |text, own| text.replace(own, ""));
            for link in ["://", "evil.e", "www.e", "mailto:e", "@evil", "javascript:a", "\u{202e}"] {
                assert!(!text.contains(link), "{name}: {link} in {text}");
            }
        }
        assert!(!message.text.lines().any(|line| line.starts_with("Bcc")), "{}", message.text);
    }
}

#[test]
fn the_only_markup_is_that_of_the_layout_and_it_loads_nothing() {
    let known = [
        "!doctype", "html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "p", "span",
        "strong", "a", "code", "br",
    ];
    for Sample { name, message } in samples(&stationery()).unwrap() {
        for element in message.html.split('<').skip(1) {
            let tag = element.trim_start_matches('/').split([' ', '>']).next().unwrap();
            assert!(known.contains(&tag), "{name}: {tag}");
            let attributes = element.split_once('>').unwrap().0;
            assert!(!attributes.contains("url(") && !attributes.contains(" on"), "{name}: {attributes}");
        }
    }
}

#[test]
fn no_link_has_a_secret_outside_its_fragment() {
    for Sample { name, message } in samples(&stationery()).unwrap() {
        for link in message.html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let requested = link.split('#').next().unwrap();
            assert!(!requested.contains("tenantry_") && !requested.contains('?'), "{name}: {link}");
        }
    }
}

#[test]
fn a_proof_is_a_link_to_the_portal_or_a_text_to_enter() {
    let message = written(&confirmation(1), "tok_1\"&", None, &stationery());
    assert!(message.text.contains("\n    https://portal.example/acme/portal/email-update#token=tok_1"));
    assert!(message.html.contains("href=\"https://portal.example/acme/portal/email-update#token=tok_1"));
    assert!(message.text.contains("1 minute."), "{}", message.text);
    assert_eq!(message.subject, "Confirm your new e-mail address for Acme");
    let message = written(&confirmation(30), "tok_1", None, &bare());
    assert!(
        message.text.contains("\n    tok_1\n") && message.text.contains("30 minutes."),
        "{}",
        message.text
    );
    assert!(message.html.contains(">tok_1</code>") && !message.html.contains("href"), "{}", message.html);
}

#[test]
fn a_code_is_in_the_subject_and_in_both_parts_and_nothing_is_a_link() {
    for (language, word) in [(Language::English, "is your code"), (Language::German, "ist Ihr Code")] {
        let code = MailContent::SignInCode { minutes: 10 };
        let message = written(&code, "12345678", Some(language), &stationery());
        assert!(message.subject.contains(word), "{}", message.subject);
        for text in [&message.subject, &message.text, &message.html] {
            assert!(text.contains("1234 5678") && !text.contains("href"), "{text}");
        }
        assert!(message.text.contains("10 min") || message.text.contains("10 Min"), "{}", message.text);
    }
}

#[test]
fn a_mail_that_can_be_switched_off_says_where_and_no_other_does() {
    let topics =
        ["tokens_expiring", "own_tokens_expiring", "webhook_endpoint_failing", "webhook_endpoint_disabled"];
    for Sample { name, message } in samples(&stationery()).unwrap() {
        let kind = name.split('-').next().unwrap();
        for text in [&message.text, &message.html] {
            let says = text.contains("https://tenantry.example.com/console/notices");
            assert_eq!(says, topics.contains(&kind), "{name}: {text}");
        }
    }
    let endpoint = "hooks.example".to_owned();
    let disabled =
        MailContent::WebhookEndpointDisabled { organization: "Acme".into(), endpoint, failures: 10 };
    let message = written(&disabled, "", None, &bare());
    assert!(message.text.ends_with("under Notices."), "{}", message.text);
    assert!(message.html.contains("under Notices.") && !message.html.contains("href"), "{}", message.html);
}

#[test]
fn a_mail_about_no_organization_names_the_sender() {
    let message = written(&MailContent::SignInCode { minutes: 10 }, "12345678", None, &stationery());
    assert!(message.text.contains("Acme Cloud") && message.html.contains("Acme Cloud"));
    let message = written(&added("Acme", None), "", None, &stationery());
    assert!(!message.text.contains("Acme Cloud") && !message.html.contains("Acme Cloud"));
}

#[test]
fn a_person_without_a_language_gets_the_one_of_the_installation() {
    let german = Stationery { language: Language::German, ..stationery() };
    assert!(written(&added("Acme", None), "", None, &german).text.contains("Sie wurden"));
    assert!(written(&added("Acme", None), "", Some(Language::English), &german).text.contains("You were"));
}

#[test]
fn the_notice_masks_the_new_address() {
    let new_address = EmailAddress::parse("grace.hopper@y.dev").unwrap();
    let content = MailContent::EmailChanged { organization: "Acme".into(), new_address };
    let message = written(&content, "", None, &stationery());
    assert!(message.text.contains("g***@ y. dev") && message.html.contains("g***@ y. dev"));
    assert!(!message.text.contains("grace") && !message.html.contains("grace"));
}

#[test]
fn the_name_of_the_inviter_is_optional() {
    let text = written(&added("Acme", Some("Grace")), "", None, &stationery()).text;
    assert!(text.contains("Grace added you to the team"), "{text}");
    for inviter in [None, Some(" \n")] {
        let text = written(&added("Acme", inviter), "", None, &stationery()).text;
        assert!(text.contains("You were added to the team"), "{text}");
    }
}

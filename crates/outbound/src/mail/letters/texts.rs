//! The words of all mails, in each language. A text that a language lacks does not compile.
//!
//! `{name}` stands for a value, which [`filled`] puts in.

use tenantry_core::team::TeamRole;
use tenantry_core::user::Language;

/// Declares the texts, each in English and then in German.
macro_rules! texts {
    ($($text:ident: $english:literal, $german:literal;)*) => {
        /// The words of all mails in one language.
        pub(super) struct Texts {
            $(pub(super) $text: &'static str,)*
        }

        const ENGLISH: Texts = Texts { $($text: $english,)* };
        const GERMAN: Texts = Texts { $($text: $german,)* };
    };
}

texts! {
    // For all mails.
    months: "January February March April May June July August September October November December", "Januar Februar März April Mai Juni Juli August September Oktober November Dezember";
    day: "{day} {month} {year}", "{day}. {month} {year}";
    time: "{day}, {clock} UTC", "{day}, {clock} Uhr UTC";
    open_instead: "Or open this address:", "Oder öffnen Sie diese Adresse:";
    organization: "Organization", "Organisation";
    role: "Your role", "Ihre Rolle";
    reason_code: "You get this mail because somebody entered your address. Nobody reads answers to it.", "Sie bekommen diese E-Mail, weil jemand Ihre Adresse eingegeben hat. Antworten darauf liest niemand.";
    reason_team: "You get this mail because of the team of {organization}. Nobody reads answers to it.", "Sie bekommen diese E-Mail wegen des Teams von {organization}. Antworten darauf liest niemand.";
    reason_administrator: "You get this mail because you help to manage {organization}. Nobody reads answers to it.", "Sie bekommen diese E-Mail, weil Sie {organization} mit verwalten. Antworten darauf liest niemand.";
    reason_account: "You get this mail because of your account. Nobody reads answers to it.", "Sie bekommen diese E-Mail wegen Ihres Kontos. Antworten darauf liest niemand.";
    reason_customer: "You get this mail because of your account with {organization}. Nobody reads answers to it.", "Sie bekommen diese E-Mail wegen Ihres Kontos bei {organization}. Antworten darauf liest niemand.";
    switch_off: "You can switch off such mails in the console, under Notices.", "Solche E-Mails können Sie in der Konsole unter Mitteilungen abschalten.";
    // Roles of a team.
    owner: "Owner", "Inhaber";
    administrator: "Administrator", "Verwaltung";
    developer: "Developer", "Entwicklung";
    analyst: "Analyst", "Auswertung";
    billing_manager: "Billing manager", "Buchhaltung";
    // Codes for signing in, and for a new address of a person.
    code_subject: "{code} is your code", "{code} ist Ihr Code";
    sign_in: "Your code to sign in", "Ihr Code zum Anmelden";
    sign_in_lead: "Enter it on the page where you asked for it:", "Geben Sie ihn auf der Seite ein, auf der Sie ihn angefordert haben:";
    code_works: "It works for {minutes} minutes, once, and only in the browser that asked for it. Nobody who helps you ever needs it.", "Er gilt {minutes} Minuten, einmal und nur in dem Browser, der ihn angefordert hat. Wer Ihnen hilft, braucht ihn nie.";
    sign_in_not_you: "If you did not ask for it, you need not do anything: nobody signs in without it.", "Haben Sie ihn nicht angefordert, müssen Sie nichts tun: ohne ihn meldet sich niemand an.";
    new_address: "Your code for the new address", "Ihr Code für die neue Adresse";
    new_address_not_you: "If you did not mean to change your address, you need not do anything: it stays as it is.", "Wollten Sie Ihre Adresse nicht ändern, müssen Sie nichts tun: sie bleibt, wie sie ist.";
    address_changed: "You now sign in with another address", "Sie melden sich jetzt mit einer anderen Adresse an";
    address_changed_lead: "The address of your account was changed. Mails for you go to the new one from now on.", "Die Adresse Ihres Kontos wurde geändert. E-Mails an Sie gehen von nun an dorthin.";
    new_address_label: "New address", "Neue Adresse";
    tell_operator: "If this was not you, tell the operator of this server or an administrator of your team at once.", "Waren Sie das nicht, sagen Sie es sofort dem Betreiber dieses Servers oder jemandem aus der Verwaltung Ihres Teams.";
    new_sign_in: "New sign-in to your account", "Neue Anmeldung bei Ihrem Konto";
    new_sign_in_lead: "Somebody signed in as you, from a browser that was not used for it before.", "Jemand hat sich als Sie angemeldet, in einem Browser, der dafür noch nicht benutzt wurde.";
    browser: "Browser", "Browser";
    unknown_browser: "Unknown", "Unbekannt";
    from_address: "Address", "Adresse";
    at: "Time", "Zeit";
    new_sign_in_ok: "If this was you, you need not do anything.", "Waren Sie das, müssen Sie nichts tun.";
    new_sign_in_not_you: "If not, end the session, and check who can read your mail: whoever reads it gets your codes.", "Sonst beenden Sie die Sitzung und prüfen Sie, wer Ihre E-Mails lesen kann: mit ihnen bekommt man Ihre Codes.";
    show_sessions: "Show my sessions", "Meine Sitzungen zeigen";
    // Codes for the portal of an organization.
    portal_subject: "{code} is your code for {organization}", "{code} ist Ihr Code für {organization}";
    portal_sign_in: "Your code for {organization}", "Ihr Code für {organization}";
    portal_works: "It works once, for {minutes} minutes. Nobody who helps you ever needs it.", "Er gilt einmal, {minutes} Minuten lang. Wer Ihnen hilft, braucht ihn nie.";
    // Addresses of customers.
    confirm_subject: "Confirm your new e-mail address for {organization}", "Bestätigen Sie Ihre neue E-Mail-Adresse bei {organization}";
    confirm: "Confirm your new e-mail address", "Bestätigen Sie Ihre neue E-Mail-Adresse";
    confirm_lead: "{organization} was asked to use this address for your account.", "{organization} soll diese Adresse für Ihr Konto verwenden.";
    confirm_token: "To confirm, enter this text where you asked for the change:", "Geben Sie zum Bestätigen diesen Text dort ein, wo Sie die Änderung gewünscht haben:";
    confirm_button: "Confirm the address", "Adresse bestätigen";
    confirm_one_minute: "That works once, for 1 minute. Do not pass it on.", "Das geht einmal, 1 Minute lang. Geben Sie es nicht weiter.";
    confirm_works: "That works once, for {minutes} minutes. Do not pass it on.", "Das geht einmal, {minutes} Minuten lang. Geben Sie es nicht weiter.";
    confirm_not_you: "If you did not ask for this, you need not do anything: the account stays as it is.", "Haben Sie das nicht gewünscht, müssen Sie nichts tun: das Konto bleibt, wie es ist.";
    changed_subject: "Your e-mail address for {organization} was changed", "Ihre E-Mail-Adresse bei {organization} wurde geändert";
    changed: "Your e-mail address was changed", "Ihre E-Mail-Adresse wurde geändert";
    changed_lead: "Your account with {organization} has another address. Mails about it no longer come here.", "Ihr Konto bei {organization} hat eine andere Adresse. E-Mails dazu kommen nicht mehr hierher.";
    changed_not_you: "If this was not you, tell {organization} at once.", "Waren Sie das nicht, sagen Sie es sofort {organization}.";
    // The team of an organization.
    added_subject: "You are now on the team of {organization}", "Sie sind jetzt im Team von {organization}";
    added_by: "{person} added you to the team.", "{person} hat Sie in das Team aufgenommen.";
    added: "You were added to the team.", "Sie wurden in das Team aufgenommen.";
    added_then: "Sign in with this e-mail address. If you do not know {organization}, you need not do anything.", "Melden Sie sich mit dieser E-Mail-Adresse an. Kennen Sie {organization} nicht, müssen Sie nichts tun.";
    open_console: "Open the console", "Konsole öffnen";
    invited_subject: "Invitation to the team of {organization}", "Einladung in das Team von {organization}";
    invited: "Join the team of {organization}", "Kommen Sie in das Team von {organization}";
    invited_by: "{person} invites you to the team.", "{person} lädt Sie in das Team ein.";
    invited_lead: "You are invited to the team.", "Sie sind in das Team eingeladen.";
    until: "Valid until", "Gültig bis";
    invited_button: "See the invitation", "Einladung ansehen";
    invited_token: "To accept or decline, use this text:", "Zum Annehmen oder Ablehnen verwenden Sie diesen Text:";
    invited_then: "You decide on the next page, so that opening it accepts nothing. The invitation is for this address alone. Do not pass it on.", "Sie entscheiden auf der nächsten Seite. Das Öffnen nimmt nichts an. Die Einladung gilt nur für diese Adresse. Geben Sie sie nicht weiter.";
    invited_token_then: "The invitation is for this address alone. Do not pass it on.", "Die Einladung gilt nur für diese Adresse. Geben Sie sie nicht weiter.";
    invited_unknown: "If you do not know {organization}, you need not do anything: nobody joins a team without accepting.", "Kennen Sie {organization} nicht, müssen Sie nichts tun: ohne Annahme kommt niemand in ein Team.";
    offered_subject: "You are offered the ownership of {organization}", "Ihnen wird die Übergabe von {organization} angeboten";
    offered: "Become the owner of {organization}", "Werden Sie Inhaber von {organization}";
    offered_by: "{person} offers you the ownership.", "{person} möchte Ihnen die Organisation übergeben.";
    offered_lead: "You are offered the ownership.", "Ihnen wird die Organisation angeboten.";
    offered_then: "The owner may do everything, and answers for the organization. Nothing changes unless you accept within {days} days.", "Wer Inhaber ist, darf alles und steht für die Organisation ein. Ohne Ihre Annahme binnen {days} Tagen ändert sich nichts.";
    offered_unwanted: "If you do not want that, decline, or do nothing.", "Möchten Sie das nicht, lehnen Sie ab oder tun Sie nichts.";
    open_organization: "Open the organization", "Organisation öffnen";
    moved_subject: "{organization} has a new owner", "{organization} hat einen neuen Inhaber";
    moved_to_you_subject: "You are now the owner of {organization}", "{organization} gehört jetzt Ihnen";
    moved_to_you: "The former owner stays in the team as an administrator.", "Der frühere Inhaber bleibt in der Verwaltung.";
    moved: "The ownership of the organization has moved. You stay in the team as an administrator.", "Die Organisation wurde übergeben. Sie bleiben in der Verwaltung.";
    new_owner: "New owner", "Neuer Inhaber";
    moved_not_you: "If this is a surprise, tell the operator of this server at once.", "Überrascht Sie das, sagen Sie es sofort dem Betreiber dieses Servers.";
    // Programs of an organization.
    networks_subject: "Allowed addresses of an API key of {organization}", "Erlaubte Adressen eines API-Schlüssels von {organization}";
    networks: "The allowed addresses of an API key were changed", "Die erlaubten Adressen eines API-Schlüssels wurden geändert";
    networks_lead: "From now on the key is refused from all other IP addresses.", "Von allen anderen IP-Adressen aus wird der Schlüssel von nun an abgelehnt.";
    key: "Key", "Schlüssel";
    networks_not_you: "If nobody of you made this change, delete the key.", "Hat das niemand von Ihnen geändert, löschen Sie den Schlüssel.";
    show_tokens: "Show the tokens", "Tokens zeigen";
    failing_subject: "Deliveries to a webhook endpoint of {organization} fail", "Zustellungen an einen Webhook-Endpunkt von {organization} schlagen fehl";
    failing: "Deliveries to a webhook endpoint fail", "Zustellungen an einen Webhook-Endpunkt schlagen fehl";
    failing_lead: "The last {failures} events could not be delivered.", "Die letzten {failures} Ereignisse konnten nicht zugestellt werden.";
    endpoint: "Endpoint", "Endpunkt";
    failing_then: "After {most} failed events in a row the endpoint is switched off, and gets no further events. The list of deliveries shows the errors.", "Nach {most} fehlgeschlagenen Ereignissen in Folge wird der Endpunkt abgeschaltet und bekommt keine weiteren. Die Liste der Zustellungen zeigt die Fehler.";
    disabled_subject: "A webhook endpoint of {organization} was switched off", "Ein Webhook-Endpunkt von {organization} wurde abgeschaltet";
    disabled: "A webhook endpoint was switched off", "Ein Webhook-Endpunkt wurde abgeschaltet";
    disabled_then: "It gets no more events, and those that waited were skipped. Repair the receiver, then switch the endpoint on again.", "Er bekommt keine Ereignisse mehr, und wartende wurden übersprungen. Reparieren Sie den Empfänger und schalten Sie den Endpunkt dann wieder ein.";
    show_webhooks: "Show the webhooks", "Webhooks zeigen";
    expiring_subject: "API tokens of {organization} expire soon", "API-Tokens von {organization} laufen bald ab";
    expiring: "API tokens expire soon", "API-Tokens laufen bald ab";
    expiring_lead: "These tokens work until the time given with each. Programs that use them stop then.", "Diese Tokens gelten nur noch bis zur genannten Zeit. Programme, die sie benutzen, bleiben dann stehen.";
    own_expiring_subject: "Your API tokens expire soon", "Ihre API-Tokens laufen bald ab";
    token_until: "Expires {time}", "Läuft ab am {time}";
    more_tokens: "And {more} more.", "Und {more} weitere.";
    expiring_then: "If you still need one of them, make a new token in time.", "Brauchen Sie eines davon noch, legen Sie rechtzeitig ein neues Token an.";
    own_expiring_then: "If you still need one of them, make a new token in time.", "Brauchen Sie eines davon noch, legen Sie rechtzeitig ein neues Token an.";
}

impl Texts {
    /// The words of a language.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
        }
    }

    /// The name of a role.
    pub(super) const fn role_name(&self, role: TeamRole) -> &'static str {
        match role {
            TeamRole::Owner => self.owner,
            TeamRole::Administrator => self.administrator,
            TeamRole::Developer => self.developer,
            TeamRole::Analyst => self.analyst,
            TeamRole::BillingManager => self.billing_manager,
        }
    }
}

/// A text with its values. A value that looks like a place for another one stays as it is.
pub(super) fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut parts = text.split('{');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        whole.push_str(value.unwrap_or_default());
        whole.push_str(rest);
    }
    whole
}

//! Words of the page about a person's mails.

use super::words;

words! {
    /// The mails that a person gets.
    Notices {
        title: "Notices", "Mitteilungen";
        lead: "Mails that tell you when something happens. They go to {}.", "E-Mails, die Ihnen sagen, wenn etwas geschieht. Sie gehen an {}.";
        optional: "Mails that you can switch off", "E-Mails, die Sie abschalten können";
        token_expiry: "API tokens that expire", "API-Tokens, die ablaufen";
        token_expiry_text: "14, 7 and 1 days before: your own tokens, and those of organizations that you help to manage.", "14, 7 und 1 Tag vorher: Ihre eigenen Tokens und die der Organisationen, die Sie mit verwalten.";
        webhooks: "Webhook endpoints that fail", "Webhook-Endpunkte mit Fehlern";
        webhooks_text: "When deliveries fail, and when an endpoint was switched off for it, in organizations that you help to manage.", "Wenn Zustellungen fehlschlagen und wenn ein Endpunkt deshalb abgeschaltet wurde, in Organisationen, die Sie mit verwalten.";
        always: "Always sent", "Immer gesendet";
        always_text: "These mails protect your account and your organizations, so they cannot be switched off.", "Diese E-Mails schützen Ihr Konto und Ihre Organisationen. Sie lassen sich nicht abschalten.";
        new_sign_in: "New sign-in", "Neue Anmeldung";
        new_sign_in_text: "Somebody signs in as you, in a browser that you have not used before.", "Jemand meldet sich als Sie an, in einem Browser, den Sie noch nicht benutzt haben.";
        ownership: "New owner", "Neuer Inhaber";
        ownership_text: "You become the owner of an organization, or somebody else in your place.", "Sie werden Inhaber einer Organisation, oder jemand anders an Ihrer Stelle.";
        address: "New e-mail address", "Neue E-Mail-Adresse";
        address_text: "You sign in with another address from now on. This mail goes to the old one.", "Sie melden sich von nun an mit einer anderen Adresse an. Diese E-Mail geht an die alte.";
        networks: "Allowed networks of an API token", "Erlaubte Netze eines API-Tokens";
        networks_text: "The IP addresses from which a token works were changed, in an organization that you help to manage.", "Die IP-Adressen, von denen aus ein Token gilt, wurden geändert, in einer Organisation, die Sie mit verwalten.";
    }
}

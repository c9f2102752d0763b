//! Words of the pages about an organization as a whole.

use super::words;

words! {
    /// The settings of an organization.
    Settings {
        title: "Settings", "Einstellungen";
        lead: "How {} appears, and what its people and customers can do.", "Wie {} erscheint und was Team und Kunden tun können.";
        slug_hint: "The slug {} stands in addresses and never changes.", "Der Kurzname {} steht in Adressen und ändert sich nie.";
        website: "Website", "Website";
        email: "Contact address", "Kontaktadresse";
        email_hint: "Customers see it in the portal and in mails.", "Kunden sehen sie im Portal und in E-Mails.";
        switches: "What is switched on", "Was eingeschaltet ist";
        members: "Members of customers", "Mitglieder von Kunden";
        members_text: "A customer can be a team of people with roles.", "Ein Kunde kann ein Team mit Rollen sein.";
        delete: "Delete the organization", "Organisation löschen";
        delete_text: "Tokens, sessions and the portal stop at once. The owner can bring it back for a while.", "Tokens, Sitzungen und Portal enden sofort. Der Inhaber kann sie eine Zeit lang zurückholen.";
        delete_button: "Delete…", "Löschen…";
        access_ends: "Every token, session and webhook of it stops at once.", "Jedes Token, jede Sitzung und jeder Webhook endet sofort.";
        data_stay: "All data stay for a while, then they are removed for good.", "Alle Daten bleiben eine Weile, dann werden sie endgültig entfernt.";
        owner_restores: "Until then, the owner can bring it back.", "Bis dahin kann der Inhaber sie zurückholen.";
        transfer_text: "Another person of the team becomes the owner.", "Eine andere Person aus dem Team wird Inhaber.";
    }
}

words! {
    /// A new organization.
    NewOrganization {
        title: "Create an organization", "Organisation anlegen";
        lead: "It has its own team, customers and tokens. You are its owner.", "Sie hat ein eigenes Team, eigene Kunden und Tokens. Sie sind Inhaber.";
        create: "Create organization", "Organisation anlegen";
        slug_hint: "It stands in addresses and cannot be changed or reused.", "Er steht in Adressen und lässt sich weder ändern noch neu vergeben.";
    }
}

words! {
    /// A deleted organization.
    Deleted {
        title: "Bring an organization back", "Organisation zurückholen";
        lead: "The owner can do this for a while after the deletion.", "Das kann der Inhaber eine Zeit lang nach der Löschung.";
        id_hint: "The id of the deleted organization.", "Die Kennung der gelöschten Organisation.";
        submit: "Bring it back", "Zurückholen";
        unknown: "You own no deleted organization with this id, or its data are gone.", "Ihnen gehört keine gelöschte Organisation mit dieser Kennung, oder ihre Daten sind weg.";
        just_now: "The organization is deleted", "Die Organisation ist gelöscht";
        just_now_text: "It was a mistake? Keep its id: {}", "Ein Versehen? Behalten Sie ihre Kennung: {}";
    }
}

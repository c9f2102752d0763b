//! Words of the pages about customers.

use super::words;

words! {
    /// The customers of an organization.
    Customers {
        title: "Customers", "Kunden";
        lead: "People and companies that {} serves.", "Personen und Firmen, die {} bedient.";
        export: "Export", "Exportieren";
        export_runs: "An export of yours is still running.", "Ein Export von Ihnen läuft noch.";
        add: "Add customer", "Kunde anlegen";
        search: "Search name, address or id", "Name, Adresse oder Kennung suchen";
        newest: "Newest first", "Neueste zuerst";
        oldest: "Oldest first", "Älteste zuerst";
        by_name: "By name", "Nach Name";
        by_email: "By address", "Nach Adresse";
        kind: "Kind", "Art";
        any_kind: "Any kind", "Jede Art";
        individual: "One person", "Einzelperson";
        individual_text: "The owner is the only member.", "Der Inhaber ist das einzige Mitglied.";
        team: "Team", "Team";
        team_text: "Several people with roles.", "Mehrere Personen mit Rollen.";
        customer: "Customer", "Kunde";
        external_id: "External id", "Externe Kennung";
        external_id_hint: "The id of this customer in your own system. It cannot be changed once it is set.", "Die Kennung dieses Kunden in Ihrem System. Einmal gesetzt bleibt sie.";
        none: "No customers yet", "Noch keine Kunden";
        none_text: "Usually your program adds them by the API, when somebody signs up. You can also begin by hand.", "Meist legt Ihr Programm sie über die API an, wenn sich jemand registriert. Sie können auch von Hand beginnen.";
        nothing_found: "No customer matches this search.", "Kein Kunde passt zu dieser Suche.";
        one: "1 customer", "1 Kunde";
        many: "{} customers", "{} Kunden";
        form_lead: "All fields but the external id can be changed later.", "Alle Felder außer der externen Kennung lassen sich später ändern.";
        language: "Language", "Sprache";
        language_hint: "For mails and pages, such as en or de-AT.", "Für E-Mails und Seiten, etwa en oder de-AT.";
        language_wrong: "Enter a language such as en or de-AT.", "Geben Sie eine Sprache ein, etwa en oder de-AT.";
        metadata: "Metadata", "Metadaten";
        metadata_hint: "One key = value a line.", "Eine Zeile je Schlüssel = Wert.";
        billing_name: "Name on invoices", "Name auf Rechnungen";
        billing_address: "Billing address", "Rechnungsadresse";
        tax_id: "Tax id", "Steuernummer";
        changed: "Changed", "Geändert";
        open_portal: "Portal session", "Portal-Sitzung";
        session: "Portal session", "Portal-Sitzung";
        session_lead: "With this secret, {} uses the portal for an hour. You see it once.", "Mit diesem Geheimnis nutzt {} das Portal eine Stunde lang. Sie sehen es einmal.";
        sessions: "Sessions of the portal", "Sitzungen im Portal";
        sessions_text: "Whoever holds the secret of a session acts for the customer.", "Wer das Geheimnis einer Sitzung hat, handelt für den Kunden.";
        session_until: "ends {}", "endet {}";
        end_session: "End", "Beenden";
        end_sessions: "End all", "Alle beenden";
        session_try: "This call answers with the customer.", "Dieser Aufruf antwortet mit dem Kunden.";
        delete: "Delete the customer", "Kunde löschen";
        delete_text: "Its members go with it. You can bring it back.", "Die Mitglieder gehen mit. Sie können ihn wiederherstellen.";
        delete_button: "Delete…", "Löschen…";
        forget: "Forget the customer", "Kunde vergessen";
        forget_text: "Names and addresses are replaced everywhere, also in the audit log. This is for good.", "Namen und Adressen werden überall ersetzt, auch im Protokoll. Das ist endgültig.";
        forget_button: "Forget…", "Vergessen…";
        members_go: "All members of the customer are deleted as well.", "Alle Mitglieder des Kunden werden mit gelöscht.";
        sessions_end: "Sessions of the portal end at once.", "Sitzungen im Portal enden sofort.";
        comes_back: "You can bring it back with everything it had.", "Sie können ihn mit allem wiederherstellen.";
        names_go: "Names and addresses are replaced, also in the audit log and in webhooks that wait.", "Namen und Adressen werden ersetzt, auch im Protokoll und in wartenden Webhooks.";
        for_good: "Nobody can take this back.", "Niemand kann das zurücknehmen.";
        restore: "Bring it back", "Wiederherstellen";
        restore_text: "It was a mistake? The customer comes back with its members.", "Ein Versehen? Der Kunde kommt mit seinen Mitgliedern zurück.";
    }
}

words! {
    /// The members of a customer.
    Members {
        title: "Members", "Mitglieder";
        add: "Add member", "Mitglied anlegen";
        one: "1 member", "1 Mitglied";
        many: "{} members", "{} Mitglieder";
        form_lead: "Members act for the customer in the portal.", "Mitglieder handeln im Portal für den Kunden.";
        owner: "Owner", "Inhaber";
        owner_text: "Everything. The owner until now becomes a billing manager.", "Alles. Der bisherige Inhaber wird zur Buchhaltung.";
        billing_manager: "Billing manager", "Buchhaltung";
        billing_manager_text: "Manages billing details and members.", "Verwaltet Rechnungsdaten und Mitglieder.";
        member: "Member", "Mitglied";
        member_text: "Uses what the customer has.", "Nutzt, was der Kunde hat.";
        remove: "Remove the member", "Mitglied entfernen";
        remove_button: "Remove", "Entfernen";
        remove_text: "The person's sessions of the portal end at once.", "Die Portal-Sitzungen der Person enden sofort.";
        may_return: "The same address can be added again.", "Dieselbe Adresse kann wieder angelegt werden.";
    }
}

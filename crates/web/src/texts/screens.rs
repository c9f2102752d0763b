//! Words that many screens share: actions that succeeded, refusals, confirmations.

use super::words;

words! {
    /// Parts of every screen.
    Screens {
        developers: "Developers", "Entwicklung";
        organization: "Organization", "Organisation";
        details: "Details", "Einzelheiten";
        cancel: "Cancel", "Abbrechen";
        save: "Save", "Speichern";
        edit: "Edit", "Bearbeiten";
        actions: "Actions", "Aktionen";
        actions_of: "Actions for {}", "Aktionen für {}";
        yes: "yes", "ja";
        no: "no", "nein";
        never: "never", "nie";
        order: "Order", "Reihenfolge";
        name: "Name", "Name";
        email: "E-mail address", "E-Mail-Adresse";
        state: "State", "Zustand";
        created: "Created", "Angelegt";
        confirm: "To confirm, type {}", "Zur Bestätigung {} eingeben";
        confirm_wrong: "This is not the name above.", "Das ist nicht der Name oben.";
        no_overlap: "not at all", "gar nicht";
        one_hour: "for 1 hour", "1 Stunde";
        one_day: "for 1 day", "1 Tag";
        seven_days: "for 7 days", "7 Tage";
        thirty_days: "for 30 days", "30 Tage";
        never_expires: "never", "nie";
        in_30_days: "in 30 days", "in 30 Tagen";
        in_90_days: "in 90 days", "in 90 Tagen";
        in_a_year: "in a year", "in einem Jahr";
    }
}

words! {
    /// Actions that succeeded.
    Done {
        created: "Created.", "Angelegt.";
        saved: "Saved.", "Gespeichert.";
        deleted: "Deleted.", "Gelöscht.";
        restored: "It is back.", "Wiederhergestellt.";
        forgotten: "Forgotten.", "Vergessen.";
        removed: "Removed.", "Entfernt.";
        revoked: "Revoked.", "Zurückgezogen.";
        sent: "On its way.", "Unterwegs.";
        offered: "Offered. The person decides within 7 days.", "Angeboten. Die Person entscheidet binnen 7 Tagen.";
        withdrawn: "The offer has ended.", "Das Angebot ist beendet.";
        accepted: "Accepted.", "Angenommen.";
        left: "You have left the team.", "Sie haben das Team verlassen.";
        declined: "Declined.", "Abgelehnt.";
        suspended: "Suspended.", "Gesperrt.";
        unsuspended: "It is open again.", "Wieder geöffnet.";
        ended: "The session has ended.", "Die Sitzung ist beendet.";
        all_ended: "All sessions have ended.", "Alle Sitzungen sind beendet.";
        started: "The check has begun.", "Die Prüfung hat begonnen.";
    }
}

words! {
    /// Refusals.
    Faults {
        refused: "That is not possible", "Das geht nicht";
        busy: "The server is busy", "Der Server ist ausgelastet";
        busy_text: "Nothing was changed. Please try again in a moment.", "Nichts wurde geändert. Bitte versuchen Sie es gleich noch einmal.";
        name: "Use up to 256 visible characters.", "Höchstens 256 sichtbare Zeichen.";
        organization_name: "Enter a name with 3 to 1000 visible characters.", "Geben Sie einen Namen mit 3 bis 1000 sichtbaren Zeichen ein.";
        email: "Enter an e-mail address, such as jane@example.com.", "Geben Sie eine E-Mail-Adresse ein, etwa jana@example.com.";
        slug: "Use 3 to 64 small letters, digits and hyphens.", "3 bis 64 Kleinbuchstaben, Ziffern und Bindestriche.";
        slug_taken: "This slug is taken.", "Dieser Kurzname ist vergeben.";
        website: "Enter an address that begins with https://.", "Geben Sie eine Adresse ein, die mit https:// beginnt.";
        choice: "Choose one of these.", "Wählen Sie eines davon.";
        external_id: "Use up to 1024 characters.", "Höchstens 1024 Zeichen.";
        metadata: "Write one key = value a line: at most 50, keys of up to 40 characters, values of up to 500.", "Je Zeile Schlüssel = Wert: höchstens 50, Schlüssel bis 40 Zeichen, Werte bis 500.";
        customer_email_taken: "Another customer has this address.", "Ein anderer Kunde hat diese Adresse.";
        member_email_taken: "Another member has this address.", "Ein anderes Mitglied hat diese Adresse.";
        external_id_taken: "Another one has this external id.", "Diese externe Kennung ist vergeben.";
        external_id_fixed: "The external id is set and cannot change.", "Die externe Kennung ist gesetzt und bleibt.";
        team_stays: "A team cannot become one person again.", "Aus einem Team wird keine einzelne Person mehr.";
        tax_id: "The billing details do not allow this.", "Die Rechnungsdaten lassen das nicht zu.";
        forgotten: "Its personal data are being removed.", "Die persönlichen Daten werden entfernt.";
        members_disabled: "Members are not enabled for this organization.", "Mitglieder sind für diese Organisation nicht eingeschaltet.";
        individual: "This customer is one person. Change the kind to a team first.", "Dieser Kunde ist eine einzelne Person. Machen Sie ihn zuerst zum Team.";
        email_follows: "The address of one person changes together with the customer's.", "Die Adresse einer einzelnen Person ändert sich mit der des Kunden.";
        owner_required: "A customer has exactly one owner. Make another member the owner first.", "Ein Kunde hat genau einen Inhaber. Machen Sie zuerst ein anderes Mitglied dazu.";
        already_member: "This person is in the team already.", "Diese Person ist schon im Team.";
        team_owner: "The owner stays. Hand the organization over first.", "Der Inhaber bleibt. Übergeben Sie die Organisation zuerst.";
        owner_cannot_leave: "You own the organization. Hand it over first.", "Ihnen gehört die Organisation. Übergeben Sie sie zuerst.";
        cannot_remove_self: "You cannot remove yourself. Leave the team instead.", "Sie können sich nicht selbst entfernen. Verlassen Sie das Team.";
        last_manager: "Somebody must be able to manage the organization.", "Jemand muss die Organisation verwalten können.";
        already_owner: "This person is the owner already.", "Diese Person ist schon Inhaber.";
        not_offered: "The offer has ended.", "Das Angebot ist beendet.";
        scopes: "Choose at least one scope. Each line below must be the name of one.", "Wählen Sie mindestens einen Bereich. Jede Zeile darunter muss einer sein.";
        scopes_exceed: "You do not hold all of these scopes yourself.", "Sie haben nicht alle diese Bereiche selbst.";
        networks: "Write one network a line, such as 203.0.113.0/24.", "Schreiben Sie ein Netz je Zeile, etwa 203.0.113.0/24.";
        token_expired: "The token has expired. Create another one.", "Das Token ist abgelaufen. Legen Sie ein anderes an.";
        expiry_exceeds: "It would last longer than your own credential.", "Es würde länger gelten als Ihr eigener Zugang.";
        no_change: "Nothing was changed.", "Nichts wurde geändert.";
        label: "Enter a name of up to 255 characters.", "Geben Sie einen Namen mit bis zu 255 Zeichen ein.";
        url: "Enter an address that begins with https:// and is reachable from the internet.", "Geben Sie eine Adresse ein, die mit https:// beginnt und aus dem Internet erreichbar ist.";
        url_not_allowed: "Nothing may be sent to this URL. Change it first.", "An diese URL darf nichts gesendet werden. Ändern Sie sie zuerst.";
        masked: "Enter user name and password in full: the masked ones belong to another host.", "Geben Sie Benutzername und Passwort ganz ein: die verdeckten gehören zu einem anderen Rechner.";
        endpoint_off: "The endpoint is switched off. Switch it on first.", "Der Endpunkt ist abgeschaltet. Schalten Sie ihn zuerst ein.";
        endpoints: "An organization has at most {} endpoints. Delete one first.", "Eine Organisation hat höchstens {} Endpunkte. Löschen Sie zuerst einen.";
        webhook_bytes: "Too much is being sent to the webhooks. Please wait an hour.", "Es wird zu viel an die Webhooks gesendet. Bitte warten Sie eine Stunde.";
        team_members: "A team has at most {} people.", "Ein Team hat höchstens {} Personen.";
        organizations: "This person cannot be added to another team.", "Diese Person kann keinem weiteren Team beitreten.";
        organizations_of_owner: "The organizations of one owner have the same person in at most {} teams.", "Die Organisationen eines Inhabers haben dieselbe Person in höchstens {} Teams.";
        access_tokens: "An organization has at most {} tokens. Revoke one first.", "Eine Organisation hat höchstens {} Tokens. Sperren Sie zuerst eines.";
        passkeys: "A person has at most {} passkeys. Remove one first.", "Eine Person hat höchstens {} Passkeys. Entfernen Sie zuerst einen.";
        sessions: "A customer has at most {} sessions at a time.", "Ein Kunde hat höchstens {} Sitzungen zugleich.";
        member_required: "Choose a member.", "Wählen Sie ein Mitglied.";
        setting: "This setting cannot be changed like this.", "Diese Einstellung lässt sich so nicht ändern.";
        has_sub_accounts: "The organization has sub-accounts. Delete them first.", "Die Organisation hat Unterkonten. Löschen Sie diese zuerst.";
        parent_deleted: "The parent of the sub-account is deleted. Bring it back first.", "Die übergeordnete Organisation ist gelöscht. Stellen Sie diese zuerst wieder her.";
        purged: "It was deleted too long ago: its data are being removed.", "Die Löschung ist zu lange her: Die Daten werden entfernt.";
        owner_suspended: "An organization of yours is suspended. Until the operator reopens it, you cannot create another.", "Eine Ihrer Organisationen ist gesperrt. Bis sie wieder offen ist, können Sie keine weitere anlegen.";
        uuid: "Enter an id such as 0d8f4b0e-0000-4000-8000-000000000000.", "Geben Sie eine Kennung ein, etwa 0d8f4b0e-0000-4000-8000-000000000000.";
    }
}

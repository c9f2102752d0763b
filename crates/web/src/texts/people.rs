//! Words of the pages about the team of an organization.

use super::words;

words! {
    /// The people of the team.
    People {
        members: "Members", "Mitglieder";
        roles: "Roles", "Rollen";
        add: "Add a person", "Person hinzufügen";
        add_lead: "The person is in the team at once, and gets a mail that says so.", "Die Person ist sofort im Team und erfährt es per E-Mail.";
        name_hint: "As the team knows the person. It can stay empty.", "Wie das Team die Person nennt. Darf leer bleiben.";
        role_lead: "It applies at once, also to open sessions.", "Sie gilt sofort, auch in offenen Sitzungen.";
        change_role: "Change role", "Rolle ändern";
        remove: "Remove from the team", "Aus dem Team entfernen";
        remove_button: "Remove…", "Entfernen…";
        remove_text: "Sessions and tokens of this person lose the organization at once.", "Sitzungen und Tokens dieser Person verlieren die Organisation sofort.";
        tokens_stop: "API tokens that this person made stop, because they never outlast the role of their maker.", "API-Tokens dieser Person enden, denn sie überdauern die Rolle nicht, aus der sie kommen.";
        may_return: "The person can be added again.", "Die Person kann wieder hinzugefügt werden.";
        leave: "Leave the team", "Team verlassen";
        leave_text: "You lose the organization at once. Somebody in it must add you to come back.", "Sie verlieren die Organisation sofort. Zurück kommen Sie nur, wenn jemand aus dem Team Sie hinzufügt.";
        leave_button: "Leave…", "Verlassen…";
        offered: "ownership offered", "Übergabe angeboten";
        owner_text: "Everything, and handing the organization over.", "Alles, auch die Übergabe der Organisation.";
        administrator_text: "Team, settings, tokens and everything below.", "Team, Einstellungen, Tokens und alles darunter.";
        developer_text: "Customers and what the API can do with them.", "Kunden und was die API mit ihnen kann.";
        analyst_text: "Reads everything, changes nothing.", "Liest alles, ändert nichts.";
        billing_manager_text: "Reads customers and their billing details.", "Liest Kunden und ihre Rechnungsdaten.";
    }
}

words! {
    /// The transfer of the ownership.
    Offer {
        hand_over: "Hand over…", "Übergeben…";
        title: "Hand the organization over", "Organisation übergeben";
        lead: "You offer {} to another person of the team, who accepts or declines within 7 days.", "Sie bieten {} einer anderen Person im Team an, die binnen 7 Tagen annimmt oder ablehnt.";
        who: "New owner", "Neuer Inhaber";
        nobody: "There is nobody else in the team. Add the person first.", "Sonst ist niemand im Team. Fügen Sie die Person zuerst hinzu.";
        hint: "Then you stay as an administrator, and only the new owner can hand it back.", "Danach bleiben Sie in der Verwaltung, und nur der neue Inhaber kann sie zurückgeben.";
        submit: "Offer", "Anbieten";
        first_many: "Of a large team, the list shows the first 100 people.", "Von einem großen Team zeigt die Liste die ersten 100 Personen.";
        stands: "The organization is offered to {}", "Die Organisation ist {} angeboten";
        stands_text: "Until the offer is accepted, nothing changes. It ends {}.", "Bis zur Annahme ändert sich nichts. Das Angebot endet {}.";
        withdraw: "Withdraw", "Zurückziehen";
        yours: "You can become the owner", "Sie können Inhaber werden";
        yours_text: "The owner hands the organization over to you, with everything in it. The offer ends {}.", "Der Inhaber übergibt Ihnen die Organisation mit allem darin. Das Angebot endet {}.";
        accept: "Accept", "Annehmen";
        decline: "Decline", "Ablehnen";
    }
}

words! {
    /// The rights of each role.
    Roles {
        lead: "The API and these pages ask for the same rights.", "Die API und diese Seiten verlangen dieselben Rechte.";
        right: "Right", "Recht";
        read_customers: "Read customers and export them", "Kunden lesen und exportieren";
        manage_customers: "Change customers and their members", "Kunden und ihre Mitglieder ändern";
        read_team: "See the team", "Das Team sehen";
        manage_team: "Add, remove, change roles", "Hinzufügen, entfernen, Rollen ändern";
        manage_organization: "Settings, tokens and webhooks", "Einstellungen, Tokens und Webhooks";
        transfer: "Hand the organization over", "Die Organisation übergeben";
    }
}

words! {
    /// Invitations.
    Invitations {
        title: "Invitations", "Einladungen";
        invite: "Invite people", "Personen einladen";
        invite_lead: "Each person gets a mail with a link. Nobody joins without accepting.", "Jede Person bekommt eine E-Mail mit einem Link. Niemand tritt ohne Zusage bei.";
        invite_lead_link: "Nobody joins without accepting.", "Niemand tritt ohne Zusage bei.";
        no_mail: "There is no mail server", "Es gibt keinen Mailserver";
        no_mail_text: "Nothing is sent. You get a link for each person to pass on yourself.", "Es wird nichts gesendet. Sie bekommen je Person einen Link zum Weitergeben.";
        addresses: "Addresses", "Adressen";
        addresses_hint: "One a line, or separated by commas. At most 100.", "Eine je Zeile oder durch Kommas getrennt. Höchstens 100.";
        addresses_wrong: "Enter 1 to 100 addresses.", "Geben Sie 1 bis 100 Adressen ein.";
        valid: "The invitation works", "Die Einladung gilt";
        one_day: "for 1 day", "1 Tag";
        days: "for {} days", "{} Tage";
        submit: "Send invitations", "Einladungen senden";
        one_invited: "1 person is invited", "1 Person ist eingeladen";
        many_invited: "{} people are invited", "{} Personen sind eingeladen";
        none_invited: "Nobody new is invited", "Niemand Neues ist eingeladen";
        invited_lead: "Repeating an invitation changes nothing. A link is shown once.", "Eine Einladung zu wiederholen ändert nichts. Ein Link wird einmal gezeigt.";
        more: "Invite more", "Weitere einladen";
        invited: "Invited", "Eingeladen";
        invited_before: "Invited before", "Schon eingeladen";
        in_team: "In the team already", "Schon im Team";
        refused: "Not invited", "Nicht eingeladen";
        search: "Search address", "Adresse suchen";
        any_state: "Any state", "Alle Zustände";
        by: "Invited by", "Eingeladen von";
        expires: "Expires", "Gültig bis";
        ends: "It ends {}.", "Sie endet {}.";
        none: "Nobody is invited", "Niemand ist eingeladen";
        none_text: "An invited person proves the address, then chooses whether to join.", "Eine eingeladene Person bestätigt ihre Adresse und entscheidet dann, ob sie beitritt.";
        nothing_found: "No invitation matches these filters.", "Keine Einladung passt zu diesen Filtern.";
        one: "1 invitation", "1 Einladung";
        many: "{} invitations", "{} Einladungen";
        resend: "Send again", "Noch einmal senden";
        revoke: "Revoke", "Zurückziehen";
        pending: "Waits", "Wartet";
        accepted: "Accepted", "Angenommen";
        declined: "Declined", "Abgelehnt";
        revoked: "Revoked", "Zurückgezogen";
        expired: "Expired", "Abgelaufen";
        link: "The link of the invitation", "Der Link der Einladung";
        link_lead: "Pass it on to {}. It replaces the link before, and you see it once.", "Geben Sie ihn an {} weiter. Er ersetzt den vorigen, und Sie sehen ihn einmal.";
        link_done: "I have passed it on", "Ich habe ihn weitergegeben";
        gate: "Invitation", "Einladung";
        link_page: "You are invited into a team.", "Sie sind in ein Team eingeladen.";
        token: "Invitation code", "Einladungscode";
        token_hint: "The part after the # of the link in the mail.", "Der Teil nach dem # des Links in der E-Mail.";
        look: "Show the invitation", "Einladung ansehen";
        unknown: "There is no such invitation. Perhaps it was sent again: then the newest mail has the link that works.", "Diese Einladung gibt es nicht. Wurde sie noch einmal gesendet, gilt der Link der neuesten E-Mail.";
        gate_title: "Join {}", "{} beitreten";
        gate_lead: "{} invites you to the team, as {}.", "{} lädt Sie in das Team ein, als {}.";
        gate_expired: "This invitation has expired", "Diese Einladung ist abgelaufen";
        gate_expired_text: "Ask {} to send another one. That makes a new link.", "Bitten Sie {}, eine neue zu senden. Das ergibt einen neuen Link.";
        gate_accepted: "This invitation is accepted", "Diese Einladung ist angenommen";
        gate_accepted_text: "The organization is in the console.", "Die Organisation ist in der Konsole.";
        gate_declined: "This invitation is declined", "Diese Einladung ist abgelehnt";
        gate_revoked: "This invitation was revoked", "Diese Einladung wurde zurückgezogen";
        declined_thanks: "The organization sees that you do not want to join.", "Die Organisation sieht, dass Sie nicht beitreten möchten.";
        accept: "Accept", "Annehmen";
        decline: "Decline", "Ablehnen";
        sign_in: "Sign in to accept", "Zum Annehmen anmelden";
        invited_address: "The invitation is for", "Die Einladung ist für";
        you_are: "You are signed in as", "Sie sind angemeldet als";
        other_address: "This invitation is for another address", "Diese Einladung ist für eine andere Adresse";
        other_address_text: "Sign in with the invited address, or ask for an invitation to this one.", "Melden Sie sich mit der eingeladenen Adresse an, oder bitten Sie um eine Einladung an diese.";
        change: "Sign out", "Abmelden";
        waiting_lead: "Teams that wait for your answer.", "Teams, die auf Ihre Antwort warten.";
        nothing_waits: "Nothing waits for you", "Nichts wartet auf Sie";
        nothing_waits_text: "Invitations to your proved address appear here, also without the mail.", "Einladungen an Ihre bestätigte Adresse erscheinen hier, auch ohne die E-Mail.";
        too_many_pending: "An organization has at most {} open invitations. Revoke some first.", "Eine Organisation hat höchstens {} offene Einladungen. Ziehen Sie zuerst einige zurück.";
        too_many: "Too many people were invited in the last hour. Please wait.", "In der letzten Stunde wurden zu viele Personen eingeladen. Bitte warten Sie.";
        too_many_mails: "This address got too many invitations today.", "Diese Adresse hat heute zu viele Einladungen bekommen.";
        sent_just_now: "It was sent a moment ago. Please wait a minute.", "Sie wurde gerade erst gesendet. Bitte warten Sie eine Minute.";
        sent_too_often: "It was sent too often. Revoke it and invite again.", "Sie wurde zu oft gesendet. Ziehen Sie sie zurück und laden Sie neu ein.";
        other_role: "This address is invited with another role. Revoke that invitation first.", "Diese Adresse ist mit einer anderen Rolle eingeladen. Ziehen Sie jene Einladung zuerst zurück.";
        settled: "The invitation is settled already.", "Die Einladung ist schon erledigt.";
        unproved: "Prove your address first: sign in once with a code from a mail.", "Bestätigen Sie zuerst Ihre Adresse: Melden Sie sich einmal mit einem Code aus einer E-Mail an.";
        suspended: "The organization is suspended: nobody can join it now.", "Die Organisation ist gesperrt: Zurzeit kann niemand beitreten.";
        too_long: "An invitation works for at most 30 days.", "Eine Einladung gilt höchstens 30 Tage.";
        only_invitation: "Into this team, people come by invitation only.", "In dieses Team kommt man nur mit Einladung.";
        admission: "Invitation only", "Nur mit Einladung";
        admission_text: "Nobody is in the team before accepting. Adding directly is refused, also by the API.", "Niemand ist im Team, bevor er zugesagt hat. Direktes Hinzufügen wird abgelehnt, auch über die API.";
    }
}

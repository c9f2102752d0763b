//! Words of the portal: the pages for customers, and the page of the console that sets them up.

use super::words;

words! {
    /// The frame of the portal, and how people come in.
    Portal {
        sections: "Sections of the portal", "Bereiche des Portals";
        overview: "Overview", "Übersicht";
        back_to: "Back to {}", "Zurück zu {}";
        contact: "Questions? Write to", "Fragen? Schreiben Sie an";
        sign_in_lead: "No password needed. We send a code to your address.", "Kein Passwort nötig. Wir senden einen Code an Ihre Adresse.";
        code_title: "Enter the code", "Code eingeben";
        code_lead: "If {} knows the address, a mail with six characters is on its way. The code works for 30 minutes, in this browser.", "Wenn {} die Adresse kennt, ist eine E-Mail mit sechs Zeichen unterwegs. Der Code gilt 30 Minuten, in diesem Browser.";
        code_hint: "Letters and digits, such as K7Q2MX", "Buchstaben und Ziffern, etwa K7Q2MX";
        ended: "Your session has ended. Please sign in again.", "Ihre Sitzung ist zu Ende. Bitte melden Sie sich neu an.";
        no_cookie: "Your browser did not keep the cookie of this sign-in. Inside another site, some browsers do so: open the portal in a window of its own.", "Ihr Browser hat das Cookie der Anmeldung nicht behalten. In einer anderen Website tun das manche Browser: Öffnen Sie das Portal in einem eigenen Fenster.";
        own_window: "Open in a window of its own", "In eigenem Fenster öffnen";
        sign_in_off: "You come in from the site of {}", "Sie kommen über die Website von {} hinein";
        sign_in_off_text: "This portal has no sign-in by mail. Open it from there, where you are signed in.", "Dieses Portal hat keine Anmeldung per E-Mail. Öffnen Sie es von dort, wo Sie angemeldet sind.";
        choose: "For whom?", "Für wen?";
        choose_lead: "Your address belongs to several customers of {}. You can switch by signing in again.", "Ihre Adresse gehört zu mehreren Kunden von {}. Wechseln können Sie, indem Sie sich neu anmelden.";
        choose_nothing: "This choice is over. Please ask for a new code.", "Diese Auswahl ist vorbei. Bitte fordern Sie einen neuen Code an.";
        unnamed: "Without a name", "Ohne Namen";
        link_title: "Open the portal", "Portal öffnen";
        link_lead: "This link opens the customer portal of {} and signs you in.", "Dieser Link öffnet das Kundenportal von {} und meldet Sie an.";
        link_other: "You are signed in as {}. The link is for another person or customer, who takes their place in this browser.", "Sie sind als {} angemeldet. Der Link gilt für eine andere Person oder einen anderen Kunden, die danach in diesem Browser angemeldet sind.";
        link_token: "Code of the link", "Code des Links";
        link_token_hint: "The part after customer_session_token= of the link.", "Der Teil nach customer_session_token= des Links.";
        link_open: "Continue", "Weiter";
        link_over: "This link no longer works", "Dieser Link gilt nicht mehr";
        link_over_text: "Its hour is over, or it was ended. Open the portal again from the site of {}, or sign in with a code.", "Seine Stunde ist um, oder er wurde beendet. Öffnen Sie das Portal noch einmal über die Website von {}, oder melden Sie sich mit einem Code an.";
        no_portal: "There is no portal here", "Hier ist kein Portal";
        no_portal_text: "Please check the address. Perhaps the organization has closed it.", "Bitte prüfen Sie die Adresse. Vielleicht hat die Organisation es geschlossen.";
        foreign: "Please try again from the portal", "Bitte versuchen Sie es vom Portal aus";
        foreign_text: "This form was sent by another site, so nothing was changed.", "Dieses Formular kam von einer anderen Website. Nichts wurde geändert.";
        not_allowed: "This is not open to you", "Das steht Ihnen nicht offen";
        not_allowed_text: "Your role does not include it, or {} has switched it off. Ask the owner of your team, or {}.", "Ihre Rolle umfasst es nicht, oder {} hat es abgeschaltet. Fragen Sie den Inhaber Ihres Teams oder {}.";
        home: "To the portal", "Zum Portal";
        too_many: "Too many attempts from your network. Please wait {} minutes.", "Zu viele Versuche aus Ihrem Netz. Bitte warten Sie {} Minuten.";
        you: "you", "Sie";
    }
}

words! {
    /// The sections of the portal.
    PortalPages {
        welcome: "Hello {}", "Hallo {}";
        welcome_nobody: "Hello", "Hallo";
        lead: "Your account with {}.", "Ihr Konto bei {}.";
        account: "Account", "Konto";
        account_name: "Account name", "Name des Kontos";
        signed_in_as: "Signed in as", "Angemeldet als";
        role: "Your role", "Ihre Rolle";
        address: "E-mail address", "E-Mail-Adresse";
        until: "Session ends", "Sitzung endet";
        nothing: "Nothing to do here", "Hier gibt es nichts zu tun";
        nothing_text: "Billing and team are with the owner of your account.", "Rechnungen und Team liegen beim Inhaber Ihres Kontos.";
        billing: "Billing details", "Rechnungsdaten";
        billing_lead: "They appear on your next invoice.", "Sie erscheinen auf Ihrer nächsten Rechnung.";
        billing_none: "No address yet. Invoices need one.", "Noch keine Adresse. Rechnungen brauchen eine.";
        billing_name: "Name on invoices", "Name auf Rechnungen";
        billing_name_hint: "Empty: {}", "Leer: {}";
        line1: "Street and number", "Straße und Hausnummer";
        line2: "Addition", "Zusatz";
        postal_code: "Postal code", "Postleitzahl";
        city: "Town", "Ort";
        state: "State or region", "Bundesland oder Region";
        state_hint: "Needed in the United States and Canada, such as NY.", "Nötig in den USA und Kanada, etwa NY.";
        state_wrong: "In the United States and Canada, enter a state such as NY.", "Geben Sie in den USA und Kanada einen Staat ein, etwa NY.";
        country: "Country", "Land";
        country_none: "Choose a country", "Land wählen";
        country_missing: "Choose the country of the address.", "Wählen Sie das Land der Adresse.";
        address_stays: "An address can be changed, but not removed. Choose its country.", "Eine Adresse lässt sich ändern, aber nicht entfernen. Wählen Sie ihr Land.";
        text_wrong: "Use visible characters only.", "Nur sichtbare Zeichen.";
        tax_id: "Tax id", "Steuernummer";
        tax_id_hint: "Such as a VAT number. Empty if you have none.", "Etwa eine USt-IdNr. Leer, wenn Sie keine haben.";
        tax_id_wrong: "This is not a tax id of the chosen country.", "Das ist keine Steuernummer des gewählten Landes.";
        change: "Change", "Ändern";
        email: "Change your address", "Adresse ändern";
        email_lead: "We send a mail to the new address. Yours changes when you confirm it there.", "Wir senden eine E-Mail an die neue Adresse. Ihre ändert sich, sobald Sie sie dort bestätigen.";
        email_new: "New address", "Neue Adresse";
        email_now: "Now it is {}.", "Jetzt ist es {}.";
        email_send: "Send the mail", "E-Mail senden";
        email_sent: "Look into your mailbox", "Sehen Sie in Ihr Postfach";
        email_sent_text: "If the mail does not come, check the address and send it again. The link in it works for 30 minutes.", "Kommt die E-Mail nicht, prüfen Sie die Adresse und senden Sie noch einmal. Der Link darin gilt 30 Minuten.";
        email_confirm: "Confirm your new address", "Neue Adresse bestätigen";
        email_confirm_text: "Your address with {} becomes the one that got this mail. You stay signed in here, and nowhere else.", "Ihre Adresse bei {} wird die, die diese E-Mail bekam. Sie bleiben hier angemeldet, und sonst nirgends.";
        email_token: "Code from the mail", "Code aus der E-Mail";
        email_token_hint: "The part after token= of the link in the mail.", "Der Teil nach token= des Links in der E-Mail.";
        email_confirm_button: "Confirm", "Bestätigen";
        email_over: "This link has expired, was used, or a newer one was sent. Sign in and ask for another mail.", "Dieser Link ist abgelaufen, benutzt, oder es gibt einen neueren. Melden Sie sich an und fordern Sie eine neue E-Mail an.";
        email_taken: "Another account has taken this address in the meantime. Yours stays as it was.", "Diese Adresse gehört inzwischen zu einem anderen Konto. Ihre bleibt, wie sie war.";
        email_same: "This is your address already.", "Das ist schon Ihre Adresse.";
        email_team: "The address of a team is changed by the organization.", "Die Adresse eines Teams ändert die Organisation.";
        team: "Team", "Team";
        team_lead: "The people who use the account.", "Die Personen, die das Konto nutzen.";
        add: "Add a person", "Person hinzufügen";
        add_lead: "They sign in here with a code that is mailed to their address.", "Sie melden sich hier mit einem Code an, der an ihre Adresse geht.";
        edit_lead: "The address of a person does not change. Remove the person and add the new one.", "Die Adresse einer Person ändert sich nicht. Entfernen Sie die Person und fügen Sie die neue hinzu.";
        one: "1 person", "1 Person";
        many: "{} people", "{} Personen";
        since: "Added", "Hinzugefügt";
        hand_over: "Hand over the account", "Konto übergeben";
        hand_over_lead: "{} becomes the owner of the account.", "{} wird Inhaber des Kontos.";
        hand_over_new: "The new owner can do everything, also remove you.", "Der neue Inhaber kann alles, auch Sie entfernen.";
        hand_over_you: "You become a billing manager.", "Sie werden zur Buchhaltung.";
        hand_over_back: "Only the new owner can hand the account back.", "Zurückgeben kann es nur der neue Inhaber.";
        sessions: "Sessions", "Sitzungen";
        sessions_lead: "Where you are signed in. A session ends after an hour.", "Wo Sie angemeldet sind. Eine Sitzung endet nach einer Stunde.";
        session: "Session", "Sitzung";
        session_this: "this one", "diese";
        session_end: "End", "Beenden";
        sign_out: "Sign out", "Abmelden";
        signed_out: "You are signed out.", "Sie sind abgemeldet.";
        own_role: "Your own role stays. The owner can change it.", "Ihre eigene Rolle bleibt. Der Inhaber kann sie ändern.";
        own_removal: "You cannot remove yourself. Ask another person of your team.", "Sie können sich nicht selbst entfernen. Fragen Sie eine andere Person Ihres Teams.";
        only_owner: "Only the owner hands the account over.", "Nur der Inhaber übergibt das Konto.";
    }
}

words! {
    /// The page of the console that sets the portal up.
    PortalSetup {
        title: "Customer portal", "Kundenportal";
        lead: "Your customers see it at {}.", "Ihre Kunden sehen es unter {}.";
        text: "Name, colour, what customers do there, and where it is embedded.", "Name, Farbe, was Kunden dort tun, und wo es eingebettet ist.";
        logo: "Logo", "Logo";
        logo_hint: "The https:// address of a picture. The browsers of your customers load it from there.", "Die https://-Adresse eines Bildes. Die Browser Ihrer Kunden laden es von dort.";
        logo_wrong: "Enter an address that begins with https://, without a user name and password.", "Geben Sie eine Adresse ein, die mit https:// beginnt, ohne Benutzername und Passwort.";
        color: "Colour", "Farbe";
        color_hint: "Such as #0a7c4a. It is made lighter or darker until all text can be read. Empty: the usual blue.", "Etwa #0a7c4a. Sie wird heller oder dunkler, bis jeder Text lesbar ist. Leer: das übliche Blau.";
        color_wrong: "Enter a colour such as #0a7c4a.", "Geben Sie eine Farbe ein, etwa #0a7c4a.";
        sender: "Sender's name of mails", "Absendername der E-Mails";
        sender_hint: "Your customers see it in their mailbox. Empty: the name of this server.", "Ihre Kunden sehen ihn im Postfach. Leer: der Name dieses Servers.";
        sender_wrong: "Enter a short name without special characters.", "Geben Sie einen kurzen Namen ohne Sonderzeichen ein.";
        switches: "What customers do there", "Was Kunden dort tun";
        sign_in: "Sign in by a mailed code", "Anmelden mit Code per E-Mail";
        sign_in_text: "Off: they come by links of your product alone.", "Aus: Sie kommen nur über Links Ihres Produkts.";
        billing: "Billing details", "Rechnungsdaten";
        billing_text: "Name, address and tax id on invoices.", "Name, Anschrift und Steuernummer auf Rechnungen.";
        email_change: "Change of address", "Adresswechsel";
        email_change_text: "Customers of one person can change their own address.", "Einzelpersonen können ihre eigene Adresse ändern.";
        team: "Team", "Team";
        team_text: "Owners and billing managers change roles and remove people.", "Inhaber und Buchhaltung ändern Rollen und entfernen Personen.";
        add_members: "Adding people", "Personen hinzufügen";
        add_members_text: "They also add people to their team.", "Sie fügen auch Personen zu ihrem Team hinzu.";
        sessions: "Sessions", "Sitzungen";
        sessions_text: "They see where they are signed in, and end it.", "Sie sehen, wo sie angemeldet sind, und beenden es.";
        embed: "Sites that may embed it", "Websites, die es einbetten dürfen";
        embed_hint: "One host a line, such as app.example.com or *.example.com. Empty: no site.", "Ein Rechner je Zeile, etwa app.example.com oder *.example.com. Leer: keine Website.";
        embed_wrong: "One host a line, without https:// and path, such as app.example.com; at most 2,000 characters together.", "Ein Rechner je Zeile, ohne https:// und Pfad, etwa app.example.com; zusammen höchstens 2.000 Zeichen.";
        preview: "Preview", "Vorschau";
        preview_text: "What you have entered, in both colour schemes. Nothing is saved yet.", "Ihre Eingaben in beiden Farbschemata. Noch ist nichts gespeichert.";
        preview_saved: "How your customers see it, in both colour schemes.", "So sehen es Ihre Kunden, in beiden Farbschemata.";
        preview_light: "Light", "Hell";
        preview_dark: "Dark", "Dunkel";
        preview_link: "A link in a sentence", "Ein Link in einem Satz";
        open: "Open the portal", "Portal öffnen";
        docs: "docs/PORTAL.md says how a product embeds and opens it.", "docs/PORTAL.md beschreibt, wie ein Produkt es einbettet und öffnet.";
    }
}

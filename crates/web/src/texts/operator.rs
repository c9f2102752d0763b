//! Words of the operator's pages.

use super::words;

words! {
    /// The organizations of the installation.
    Operator {
        operator: "Operator", "Betreiber";
        all: "All organizations", "Alle Organisationen";
        lead: "Every organization on this installation. You see who owns them, not what they store.", "Jede Organisation dieser Installation. Sie sehen, wem sie gehören, nicht was sie speichern.";
        search: "Search name, slug, id or owner's address", "Name, Kurzname, Kennung oder Adresse des Inhabers";
        state: "State", "Zustand";
        live: "All that exist", "Alle vorhandenen";
        suspended: "Suspended", "Gesperrt";
        deleted: "Deleted", "Gelöscht";
        active: "Active", "Aktiv";
        blocked: "Blocked", "Blockiert";
        in_purge: "Being removed", "Wird entfernt";
        owner: "Owner", "Inhaber";
        no_owner: "unknown", "unbekannt";
        none: "No organizations yet", "Noch keine Organisationen";
        none_text: "Create one for a customer of yours. Its owner signs in with a code by mail.", "Legen Sie eine für einen Ihrer Kunden an. Der Inhaber meldet sich mit einem Code per Mail an.";
        nothing_found: "No organization matches these filters.", "Keine Organisation passt zu diesen Filtern.";
        create: "Create organization", "Organisation anlegen";
        create_lead: "It has its own team, customers and tokens. Its owner signs in with the address below.", "Sie hat ein eigenes Team, eigene Kunden und Tokens. Der Inhaber meldet sich mit der Adresse unten an.";
        owner_email: "Owner's e-mail address", "E-Mail-Adresse des Inhabers";
        owner_hint: "A mailed code proves it at the first sign-in.", "Ein Code per Mail bestätigt sie bei der ersten Anmeldung.";
        sub_account: "Sub-account", "Unterkonto";
        sub_account_of: "sub-account of {}", "Unterkonto von {}";
        sub_accounts: "Sub-accounts", "Unterkonten";
        sub_accounts_text: "Organizations that this one administers.", "Organisationen, die von dieser verwaltet werden.";
        parent: "Parent", "Übergeordnet";
        people: "People", "Personen";
        reason: "Reason", "Grund";
        reason_hint: "It goes into the audit log of the organization.", "Er steht dann im Protokoll der Organisation.";
        reason_wrong: "Enter a reason of up to 255 characters.", "Geben Sie einen Grund mit bis zu 255 Zeichen ein.";
        suspended_at: "Suspended", "Gesperrt";
        deleted_at: "Deleted", "Gelöscht";
        kept_until: "Kept until", "Aufbewahrt bis";
        suspend: "Suspend the organization", "Organisation sperren";
        suspend_text: "Its people, tokens and portal are refused until you reopen it. Nothing is lost.", "Personen, Tokens und Portal werden abgewiesen, bis Sie sie wieder öffnen. Nichts geht verloren.";
        suspend_button: "Suspend…", "Sperren…";
        shut_out: "Every person, token and session of it is refused within half a second.", "Jede Person, jedes Token und jede Sitzung wird binnen einer halben Sekunde abgewiesen.";
        sub_accounts_too: "Its sub-accounts are shut out as well. Its tokens can still administer them.", "Auch ihre Unterkonten sind ausgesperrt. Ihre Tokens können sie weiter verwalten.";
        data_stay: "All data stay. You can reopen it at any time.", "Alle Daten bleiben. Sie können sie jederzeit wieder öffnen.";
        unsuspend: "Reopen the organization", "Organisation wieder öffnen";
        unsuspend_lead: "{} was suspended: {}", "{} wurde gesperrt: {}";
        works_again: "Its people, tokens and portal work again at once.", "Personen, Tokens und Portal arbeiten sofort wieder.";
        undelete: "Bring the organization back", "Organisation zurückholen";
        undelete_lead: "{} was deleted. It comes back with everything it had.", "{} wurde gelöscht. Sie kommt mit allem zurück.";
        purging: "The data of this organization are being removed. It cannot come back.", "Die Daten dieser Organisation werden entfernt. Sie kann nicht zurückkommen.";
        is_suspended: "This organization is suspended", "Diese Organisation ist gesperrt";
        is_deleted: "This organization is deleted", "Diese Organisation ist gelöscht";
    }
}

words! {
    /// The health of the installation.
    Health {
        title: "Health", "Zustand";
        lead: "The server, its database, and the work that waits.", "Der Server, seine Datenbank und die wartende Arbeit.";
        version: "Version", "Version";
        database: "Database", "Datenbank";
        size: "Size", "Größe";
        backlog: "Work that waits", "Wartende Arbeit";
        webhooks: "Webhooks", "Webhooks";
        mails: "Mails", "E-Mails";
        imports: "Imports of customers", "Importe von Kunden";
        nothing_waits: "Nothing waits", "Nichts wartet";
        waits_one: "1 queue is due", "1 Warteschlange ist fällig";
        waits: "{} queues are due", "{} Warteschlangen sind fällig";
        waits_more: "more than {} queues are due", "mehr als {} Warteschlangen sind fällig";
        in_work: "In work", "In Arbeit";
        behind: "Behind", "Im Rückstand";
        server: "Server and backups", "Server und Sicherungen";
        clock: "Clock", "Uhr";
        clock_text: "It differs from the clock of the database by {} ms.", "Sie weicht um {} ms von der Uhr der Datenbank ab.";
        clock_own: "The database has no clock of its own.", "Die Datenbank hat keine eigene Uhr.";
        servers: "Servers of the database", "Server der Datenbank";
        servers_lost: "{} do not answer", "{} antworten nicht";
        backup: "Last backup", "Letzte Sicherung";
        backup_text: "By tenantry backup. Backups by other programs are not known here.", "Durch tenantry backup. Sicherungen anderer Programme sind hier nicht bekannt.";
        backup_none: "None known", "Keine bekannt";
        good: "Good", "Gut";
        differs: "Differs", "Weicht ab";
        old: "Old", "Alt";
        doctor: "Doctor", "Prüfung";
        doctor_text: "Checks that the stored data satisfy every invariant. Each check may take a few seconds; other requests go first.", "Prüft, ob die gespeicherten Daten jede Regel erfüllen. Jede Prüfung darf einige Sekunden dauern; andere Anfragen gehen vor.";
        check: "Check now", "Jetzt prüfen";
        never: "The data have not been checked here yet.", "Die Daten wurden hier noch nicht geprüft.";
        runs: "The check is running. Reload this page to see its result.", "Die Prüfung läuft. Laden Sie die Seite neu, um das Ergebnis zu sehen.";
        lost: "The last check did not end: its server was stopped.", "Die letzte Prüfung endete nicht: Ihr Server wurde angehalten.";
        sound: "No findings", "Keine Befunde";
        sound_text: "{} checks of {} invariants", "{} Prüfungen von {} Regeln";
        one_finding: "1 finding", "1 Befund";
        findings: "{} findings", "{} Befunde";
        named: "Findings", "Befunde";
        findings_text: "Each is a row that breaks an invariant. Keep a backup, and report it.", "Jeder ist eine Zeile, die eine Regel verletzt. Sichern Sie die Daten und melden Sie es.";
        unfinished: "Some checks took too long", "Einige Prüfungen dauerten zu lange";
        unfinished_text: "Run tenantry doctor on the machine of the server: it takes as long as it needs.", "Führen Sie tenantry doctor auf dem Server aus: Der Befehl nimmt sich die Zeit, die er braucht.";
        invariant: "Invariant", "Regel";
        checks: "Checks", "Prüfungen";
        result: "Result", "Ergebnis";
        holds: "Holds", "Erfüllt";
        broken_by_one: "1 row breaks it", "1 Zeile verletzt sie";
        broken: "{} rows break it", "{} Zeilen verletzen sie";
        not_finished: "Not finished", "Nicht fertig";
    }
}

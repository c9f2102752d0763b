//! The texts of the pages of the audit log.

/// Declares the texts, each in English and then in German.
macro_rules! audit_texts {
    ($($text:ident: $english:literal, $german:literal;)*) => {
        pub(crate) struct AuditTexts {
            $(pub(crate) $text: &'static str,)*
        }

        pub(super) const ENGLISH: AuditTexts = AuditTexts { $($text: $english,)* };
        pub(super) const GERMAN: AuditTexts = AuditTexts { $($text: $german,)* };
    };
}

audit_texts! {
    title: "Audit log", "Protokoll";
    lead: "Every change, who made it, and what it was before.", "Jede Änderung, wer sie gemacht hat und was vorher war.";
    entry_lead: "{} made this change.", "{} hat das geändert.";
    action: "Action", "Aktion";
    any_action: "All actions", "Alle Aktionen";
    actor: "By", "Von";
    actor_hint: "Id of a person or token", "Id einer Person oder eines Tokens";
    subject: "Object", "Objekt";
    subject_hint: "Id of an object", "Id eines Objekts";
    address: "Address", "Adresse";
    agent: "Program", "Programm";
    credential: "Token or session", "Token oder Sitzung";
    request: "Request", "Anfrage";
    entry: "Entry", "Eintrag";
    when: "When", "Wann";
    from: "From", "Von";
    to: "To", "Bis";
    details: "Details", "Einzelheiten";
    changes: "Changes", "Änderungen";
    no_changes: "The values of this change are not kept any more.", "Die Werte dieser Änderung sind nicht mehr aufbewahrt.";
    field: "Field", "Feld";
    before: "Before", "Vorher";
    after: "After", "Nachher";
    history: "History", "Verlauf";
    whole_history: "Whole history", "Ganzer Verlauf";
    nothing_found: "No change matches these filters.", "Keine Änderung passt zu diesen Filtern.";
    export: "Export as CSV", "Als CSV exportieren";
    retention: "Retention", "Aufbewahrung";
    retention_lead: "Older changes are deleted for good. Export them first if you need them.", "Ältere Änderungen werden endgültig gelöscht. Exportieren Sie sie vorher, wenn Sie sie brauchen.";
    days: "Days for which changes are kept", "Tage, die Änderungen aufbewahrt werden";
    days_at_most: "Empty: {} days, as long as this server keeps them.", "Leer: {} Tage, so lange dieser Server sie aufbewahrt.";
    days_for_good: "Empty: they are kept for good.", "Leer: Sie werden nie gelöscht.";
    days_wrong: "Enter a number from {} to {}, or nothing.", "Geben Sie eine Zahl von {} bis {} ein, oder nichts.";
    operator: "the operator", "der Betreiber";
    system: "the server", "der Server";
    user: "a person", "eine Person";
    access_token: "an API token", "ein API-Token";
    customer: "a customer", "ein Kunde";
    member: "a member of a customer", "ein Mitglied eines Kunden";
}

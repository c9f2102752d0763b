//! Words of the pages about tokens and webhooks.

use super::words;

words! {
    /// The access tokens of an organization.
    Tokens {
        title: "API tokens", "API-Tokens";
        lead: "Programs act for the organization with a token, as far as its scopes go.", "Programme handeln mit einem Token für die Organisation, so weit seine Bereiche reichen.";
        create: "Create token", "Token anlegen";
        token: "Token", "Token";
        scopes: "Scopes", "Bereiche";
        all_scopes: "everything", "alle";
        some_scopes: "{} scopes", "{} Bereiche";
        networks: "Networks", "Netze";
        everywhere: "from everywhere", "von überall";
        last_use: "Last use", "Zuletzt benutzt";
        active: "Active", "Aktiv";
        expired: "Expired", "Abgelaufen";
        expires_soon: "Expires soon", "Läuft bald ab";
        none: "No tokens yet", "Noch keine Tokens";
        none_text: "A token lets your program call the API. Give it the scopes that it needs and no more.", "Mit einem Token ruft Ihr Programm die API auf. Geben Sie ihm die Bereiche, die es braucht, und keine weiteren.";
        one: "1 token", "1 Token";
        many: "{} tokens", "{} Tokens";
        form_lead: "You see its secret once, on the next page.", "Sie sehen das Geheimnis einmal, auf der nächsten Seite.";
        label_hint: "Name the program that uses it.", "Nennen Sie das Programm, das es benutzt.";
        expires: "Expires", "Gültig bis";
        more_scopes: "More scopes", "Weitere Bereiche";
        more_scopes_hint: "One a line, such as api-keys:read. Leave it empty if you do not need them.", "Einer je Zeile, etwa api-keys:read. Meist bleibt das leer.";
        networks_hint: "One network a line. Elsewhere the token is refused. Empty: from everywhere.", "Ein Netz je Zeile. Anderswo wird das Token abgelehnt. Leer: von überall.";
        rotate: "New secret", "Neues Geheimnis";
        rotate_lead: "The old secret works on for a while, so that nothing stops.", "Das alte Geheimnis gilt eine Weile weiter, damit nichts stehen bleibt.";
        overlap: "The old secret works on", "Das alte Geheimnis gilt weiter";
        rotate_button: "Make a new secret", "Neues Geheimnis erzeugen";
        two_secrets: "Two secrets work", "Zwei Geheimnisse gelten";
        two_secrets_text: "The secret before the last rotation still works. It ends {}.", "Das vorige Geheimnis gilt noch. Es endet {}.";
        revoke: "Revoke the token", "Token sperren";
        revoke_text: "Programs that use it are refused within half a second. This is for good.", "Programme, die es benutzen, werden binnen einer halben Sekunde abgelehnt. Das ist endgültig.";
        revoke_button: "Revoke…", "Sperren…";
        refused_soon: "Programs that use it are refused within half a second.", "Programme, die es benutzen, werden binnen einer halben Sekunde abgelehnt.";
        for_good: "Its secret never works again. You can create another token.", "Sein Geheimnis gilt nie wieder. Sie können ein anderes Token anlegen.";
        secret: "The secret of {}", "Das Geheimnis von {}";
        secret_lead: "Copy it now: you do not see it again.", "Kopieren Sie es jetzt: Sie sehen es nicht wieder.";
        try_it: "Try it", "Ausprobieren";
        try_text: "This call should answer with your organization.", "Dieser Aufruf sollte mit Ihrer Organisation antworten.";
        stored: "I have stored it", "Ich habe es gespeichert";
        scope_everything: "Everything", "Alles";
        scope_organizations_read: "Read the organization", "Organisation lesen";
        scope_organizations_write: "Change the organization and its team", "Organisation und Team ändern";
        scope_customers_read: "Read customers", "Kunden lesen";
        scope_customers_write: "Change customers", "Kunden ändern";
        scope_members_read: "Read members of customers", "Mitglieder von Kunden lesen";
        scope_members_write: "Change members of customers", "Mitglieder von Kunden ändern";
        scope_sessions: "Start portal sessions", "Portal-Sitzungen beginnen";
        scope_webhooks_read: "Read webhooks", "Webhooks lesen";
        scope_webhooks_write: "Change webhooks", "Webhooks ändern";
        scope_tokens_read: "Read tokens", "Tokens lesen";
        scope_tokens_write: "Create and revoke tokens", "Tokens anlegen und sperren";
        scope_audit: "Read the audit log", "Protokoll lesen";
    }
}

words! {
    /// The webhook endpoints of an organization.
    Webhooks {
        title: "Webhooks", "Webhooks";
        lead: "Your own servers hear of changes as they happen.", "Ihre Server erfahren von Änderungen, sobald sie geschehen.";
        create: "Add endpoint", "Endpunkt anlegen";
        endpoint: "Endpoint", "Endpunkt";
        format: "Format", "Format";
        events: "Events", "Ereignisse";
        on: "On", "Ein";
        off: "Off", "Aus";
        switched_off: "Switched off", "Abgeschaltet";
        none: "No endpoints yet", "Noch keine Endpunkte";
        none_text: "Add a URL of your server. You can send a test event before anything real happens.", "Geben Sie eine URL Ihres Servers an. Sie können ein Testereignis senden, bevor etwas Echtes geschieht.";
        one: "1 endpoint", "1 Endpunkt";
        many: "{} endpoints", "{} Endpunkte";
        form_lead: "Requests are signed, repeated until your server accepts them, and come in order.", "Anfragen sind signiert, werden bis zur Annahme wiederholt und kommen der Reihe nach.";
        url: "URL", "URL";
        url_hint: "It must be reachable by HTTPS from the internet.", "Sie muss per HTTPS aus dem Internet erreichbar sein.";
        raw: "JSON", "JSON";
        enabled: "Deliveries", "Zustellungen";
        enabled_on: "Events are delivered", "Ereignisse werden zugestellt";
        enabled_off: "Nothing is delivered. Events that happen meanwhile are skipped", "Nichts wird zugestellt. Ereignisse in dieser Zeit entfallen";
        disabled: "This endpoint was switched off", "Dieser Endpunkt wurde abgeschaltet";
        disabled_text: "Too many events in a row could not be delivered. Mend the receiver, then switch it on again.", "Zu viele Ereignisse hintereinander waren nicht zustellbar. Bringen Sie den Empfänger in Ordnung und schalten Sie dann wieder ein.";
        off_text: "Events are skipped until you switch it on.", "Ereignisse entfallen, bis Sie ihn einschalten.";
        enable: "Switch on", "Einschalten";
        test: "Send test event", "Testereignis senden";
        secret: "Signing secret", "Signaturgeheimnis";
        secret_text: "Your server checks with it that requests come from here. After a change, requests carry both signatures for a while.", "Damit prüft Ihr Server, dass Anfragen von hier kommen. Nach einem Wechsel tragen Anfragen eine Weile beide Signaturen.";
        secret_button: "Make a new secret", "Neues Geheimnis erzeugen";
        secret_of: "The signing secret of the endpoint", "Das Signaturgeheimnis des Endpunkts";
        secret_lead: "Store it with your server, which checks signatures with it.", "Hinterlegen Sie es bei Ihrem Server, der damit Signaturen prüft.";
        delete: "Delete the endpoint", "Endpunkt löschen";
        delete_text: "Events that wait for it are dropped.", "Wartende Ereignisse werden verworfen.";
        delete_button: "Delete…", "Löschen…";
        deliveries_go: "Its list of deliveries goes with it.", "Die Liste der Zustellungen geht mit.";
    }
}

words! {
    /// The deliveries of an endpoint.
    Deliveries {
        search: "Search event id or status", "Kennung oder Status suchen";
        event: "Event", "Ereignis";
        any_event: "Any event", "Alle Ereignisse";
        result: "Result", "Ergebnis";
        any_result: "Any result", "Alle Ergebnisse";
        succeeded: "Accepted", "Angenommen";
        failed: "Failed", "Gescheitert";
        no_answer: "No answer", "Keine Antwort";
        event_id: "Event id", "Kennung";
        when: "When", "Wann";
        none: "Nothing was delivered yet", "Noch nichts zugestellt";
        none_text: "Send a test event to see that your server answers.", "Senden Sie ein Testereignis, um zu sehen, ob Ihr Server antwortet.";
        nothing_found: "No delivery matches these filters.", "Keine Zustellung passt zu diesen Filtern.";
        one: "1 delivery", "1 Zustellung";
        many: "{} deliveries", "{} Zustellungen";
        redeliver: "Send again", "Noch einmal senden";
        lead: "An event of {}.", "Ein Ereignis von {}.";
        request: "Request body", "Inhalt der Anfrage";
        response: "Response of the last attempt", "Antwort auf den letzten Versuch";
        archived: "The body was deleted after its time.", "Der Inhalt wurde nach seiner Zeit gelöscht.";
        empty: "Empty.", "Leer.";
        attempts: "Attempts", "Versuche";
        pending: "Waits", "Wartet";
        skipped: "Skipped", "Entfallen";
    }
}

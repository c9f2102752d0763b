//! The queries of customers, their members and their imports.

use super::*;

pub(super) async fn all(tx: &mut Tx<'_>) {
    let one = customer();
    call!(tx.customer_insert(&one));
    call!(tx.member_insert(&member(), CustomerKind::Team));
    call!(tx.customer_for_share(ORGANIZATION, CUSTOMER));
    call!(tx.customer(ORGANIZATION, CUSTOMER));
    call!(tx.customer_for_update(ORGANIZATION, CUSTOMER));
    call!(tx.customer_by_external_id(ORGANIZATION, "c1"));
    call!(tx.customer_email_taken(ORGANIZATION, &member().email, None));
    call!(tx.customer_by_email(ORGANIZATION, &member().email));
    let metadata = serde_json::from_str(r#"{"a":2}"#).unwrap();
    let changed = Customer { metadata, kind: CustomerKind::Individual, ..one.clone() };
    call!(tx.customer_update(&one, &changed));
    let of = |organizations: &[OrganizationId]| CustomerFilter {
        organizations: organizations.to_vec(),
        ..CustomerFilter::default()
    };
    let one = of(&[ORGANIZATION]);
    for filter in [
        one.clone(),
        of(&[ORGANIZATION, CHILD]),
        CustomerFilter { email_key: Some("a@b.example".to_owned()), ..one.clone() },
        CustomerFilter { in_brief: true, ..one.clone() },
        CustomerFilter { query: Some("a".to_owned()), ..one.clone() },
        CustomerFilter { kind: Some(CustomerKind::Team), ..one.clone() },
        CustomerFilter { metadata: vec![("a".to_owned(), vec!["2".to_owned()])], ..one.clone() },
        CustomerFilter {
            metadata: vec![("a".to_owned(), vec!["2".to_owned(), "3".to_owned()])],
            ..one.clone()
        },
        CustomerFilter { order: vec![Order { by: CustomerKey::CreatedAt, descending: false }], ..one },
    ] {
        call!(tx.customers(&filter, PAGE));
    }
    call!(tx.customers_after(ORGANIZATION, None, 10));
    call!(tx.deleted_customer(ORGANIZATION, CUSTOMER));
    call!(tx.deleted_members(ORGANIZATION, CUSTOMER, None, 10));
    call!(tx.first_members_of_customer(ORGANIZATION, CUSTOMER, 10));
    let deletion = CustomerDeletion {
        organization: ORGANIZATION,
        customer: CUSTOMER,
        created_at: at(1),
        request_id: None,
        step: DeletionStep::Members,
        anonymize: true,
        seed: vec![1; 32],
        member: None,
        entry: None,
    };
    call!(tx.customer_deletion_save(&deletion));
    call!(tx.customer_deletion(ORGANIZATION, CUSTOMER));
    call!(tx.customer_deletions(None, 10));
    call!(tx.customer_deletion_finish(ORGANIZATION, CUSTOMER));
}

pub(super) async fn members(tx: &mut Tx<'_>) {
    let one = member();
    call!(tx.member(ORGANIZATION, MEMBER));
    call!(tx.member_by_email(ORGANIZATION, CUSTOMER, &one.email));
    call!(tx.member_by_external_id(ORGANIZATION, CUSTOMER, "m1"));
    call!(tx.member_conflicts(ORGANIZATION, CUSTOMER, &one.email, Some("m1")));
    call!(tx.customer_owner(ORGANIZATION, CUSTOMER));
    call!(tx.members_of_customer(ORGANIZATION, CUSTOMER));
    call!(tx.members_by_email(ORGANIZATION, CUSTOMER, PAGE));
    call!(tx.members_with_email(ORGANIZATION, "new@example.com", 10));
    call!(tx.members_after(ORGANIZATION, None, 10));
    call!(tx.member_update(&one));
    let all = MemberFilter { organizations: vec![ORGANIZATION], ..MemberFilter::default() };
    for filter in [
        all.clone(),
        MemberFilter { organizations: vec![ORGANIZATION, CHILD], ..all.clone() },
        MemberFilter { customer: Some(CUSTOMER), ..all.clone() },
        MemberFilter { customer: Some(CUSTOMER), role: Some(MemberRole::Owner), ..all.clone() },
        MemberFilter { external_customer: Some("c1".to_owned()), ..all.clone() },
        MemberFilter { oldest_first: true, ..all },
    ] {
        call!(tx.members(&filter, PAGE));
    }
}

pub(super) async fn imports(tx: &mut Tx<'_>) {
    let import = CustomerImport {
        organization: ORGANIZATION,
        id: IMPORT,
        owner: USER,
        created_at: at(1),
        finished_at: None,
        secret: Some(TokenHash([1; 32])),
        request_id: None,
        state: ImportState::Running,
        stop_reason: None,
        format: ImportFormat::Csv,
        columns: "email".to_owned(),
        on_match: OnMatch::Skip,
        is_dry_run: false,
        bytes: 0,
        rows: 2,
        counts: ImportCounts::default(),
        stored_bytes: 0,
        attempts: 0,
        due_at: Some(at(1)),
        expires_at: None,
    };
    let key = (ORGANIZATION, IMPORT);
    call!(tx.customer_import_insert(&import));
    call!(tx.customer_import_start(&import));
    call!(tx.customer_import_save(&import));
    call!(tx.customer_import(ORGANIZATION, IMPORT));
    call!(tx.customer_import_for_update(ORGANIZATION, IMPORT));
    call!(tx.customer_import_chunk_insert(key, 1, b"a"));
    call!(tx.customer_import_chunk(ORGANIZATION, IMPORT));
    call!(tx.customer_import_failure_insert(key, 1, "[]"));
    call!(tx.customer_import_failures(ORGANIZATION, IMPORT, PAGE));
    call!(tx.customer_import_key_insert(key, "e:a"));
    call!(tx.customer_import_has_key(key, "e:a"));
    call!(tx.customer_imports_unfinished(USER, ImportState::Running, at(1)));
    call!(tx.customer_imports_stored(USER));
    call!(tx.customer_imports_due(at(1), 10));
    call!(tx.customer_imports_due_of(ORGANIZATION, at(1)));
    call!(tx.customer_import_next_due_of(ORGANIZATION));
    call!(tx.customer_import_lease(key, at(1), at(2)));
    call!(tx.customer_imports_expired(at(1), 10));
    call!(tx.customer_import_chunk_delete(key, 2));
    call!(tx.customer_imports_fail_all("restored", at(3), at(4)));
    call!(tx.customer_imports_expire(USER, at(5), (0, 10)));
    call!(tx.customer_import_chunks_delete(key, 10));
    call!(tx.customer_import_delete(ORGANIZATION, IMPORT, 10));
}

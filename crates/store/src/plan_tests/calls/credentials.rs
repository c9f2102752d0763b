//! The queries of tokens, sessions and passkeys.

use super::*;

pub(super) async fn all(tx: &mut Tx<'_>) {
    let token = AccessToken {
        id: TOKEN,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        last_used_at: None,
        previous_secret: None,
        label: "token".to_owned(),
        grants: ScopeGrants::new(Scopes::everything(), at(1)),
        ip_allow_list: Default::default(),
        expires_at: None,
        created_by: None,
    };
    let of_child =
        AccessToken { id: TokenId::new(Uuid::from_u128(14)), organization: CHILD, ..token.clone() };
    call!(tx.access_token_insert(&token, &TokenHash([1; 32])));
    call!(tx.api_key_insert(&of_child, &TokenHash([2; 32])));
    let of_user = UserToken {
        id: USER_TOKEN,
        user: USER,
        created_at: at(1),
        scopes: Scopes::everything(),
        expires_at: None,
        last_used_at: None,
        previous_secret: None,
    };
    call!(tx.user_token_insert(&of_user, &TokenHash([3; 32])));
    for hash in [1, 2, 3] {
        assert!(call!(tx.credential_owner(&TokenHash([hash; 32]), at(1))).is_some());
    }
    call!(tx.access_token(ORGANIZATION, TOKEN));
    call!(tx.access_token_for_update(ORGANIZATION, TOKEN));
    call!(tx.organization_of_token(TOKEN));
    call!(tx.access_token_update(&token));
    call!(tx.user_token(USER_TOKEN));
    let session = ConsoleSession {
        id: UserTokenId::new(Uuid::from_u128(31)),
        user: USER,
        created_at: at(1),
        expires_at: at(9),
        last_used_at: None,
        proof: Proof::Code,
        proved_at: at(1),
        browser: Browser::default(),
    };
    call!(tx.console_session_insert(&session, &TokenHash([31; 32])));
    call!(tx.console_session_for_update(USER, session.id));
    call!(tx.console_session_update_proof(&session));
    call!(tx.console_sessions(USER, at(1)));
    assert!(call!(tx.credential_owner(&TokenHash([31; 32]), at(1))).is_some());
    assert!(call!(tx.console_session_delete(USER, session.id)).is_some());
    call!(tx.console_session_insert(&session, &TokenHash([31; 32])));
    let sign_in = SignIn {
        user: Some(USER),
        email_key: None,
        new_email: None,
        created_at: at(1),
        expires_at: at(9),
        code_hash: TokenHash([32; 32]),
        failed_tries: 0,
    };
    let browser = TokenHash([33; 32]);
    call!(tx.sign_in_insert(&browser, &sign_in));
    call!(tx.sign_in_for_update(&browser));
    call!(tx.sign_in_count_failure(&browser));
    passkeys(tx).await;
    call!(tx.console_delete_expired(at(10), 10));
    call!(tx.sign_in_delete(&browser));
    call!(tx.user_mark_verified(USER, at(1)));
    call!(tx.organization_numbers(ORGANIZATION));
    call!(tx.user_tokens(None, 10));
    call!(tx.tokens_of_user(USER));
    let previous = Some(PreviousSecret { expires_at: at(9), last_used_at: None });
    for (token, kind, n) in [
        (TokenRef::Organization(ORGANIZATION, TOKEN), SecretKind::OrganizationToken, 1),
        (TokenRef::User(USER_TOKEN), SecretKind::UserToken, 3),
    ] {
        call!(tx.secret_subject(&TokenHash([n; 32])));
        call!(tx.token_secrets(token));
        call!(tx.token_secret_kind(token));
        call!(tx.token_secret_replace(token, (kind, &TokenHash([20 + n; 32])), previous));
        for is_previous in [false, true] {
            call!(tx.token_record_use(&TokenUse { token, is_previous, at: at(2) }));
        }
        call!(tx.token_previous_secret_end(token, &TokenHash([n; 32])));
    }
    for organizations in [vec![ORGANIZATION], vec![ORGANIZATION, CHILD]] {
        let order = [Order { by: AccessTokenKey::CreatedAt, descending: true }];
        for expires_before in [None, Some(at(1))] {
            call!(tx.access_tokens(&organizations, expires_before, &order, PAGE));
        }
    }
    for edge in EDGES {
        call!(tx.access_tokens_by_cursor(ORGANIZATION, Keyset { edge, limit: 10 }));
    }
}

async fn passkeys(tx: &mut Tx<'_>) {
    let passkey = Passkey {
        id: PasskeyId::new(Uuid::from_u128(34)),
        user: USER,
        created_at: at(1),
        modified_at: None,
        last_used_at: None,
        name: "Laptop".parse().unwrap(),
        credential_id: vec![34],
        credential: "{}".to_owned(),
    };
    call!(tx.passkey_insert(&passkey));
    call!(tx.passkeys(USER));
    call!(tx.passkey_for_update(passkey.id));
    assert!(call!(tx.passkey_by_credential(&[34])).is_some());
    call!(tx.passkey_update(&passkey));
    call!(tx.passkey_delete(passkey.id));
    let ceremony =
        Ceremony { purpose: CeremonyPurpose::SignIn, user: None, expires_at: at(9), state: "{}".to_owned() };
    call!(tx.passkey_ceremony_insert(&TokenHash([35; 32]), &ceremony));
    assert!(call!(tx.passkey_ceremony_take(&TokenHash([35; 32]))).is_some());
    // The sweep finds it.
    call!(tx.passkey_ceremony_insert(&TokenHash([35; 32]), &ceremony));
    call!(tx.recovery_codes_replace(USER, &[TokenHash([36; 32])], at(1)));
    call!(tx.recovery_code_count(USER));
    assert!(call!(tx.recovery_code_user(&TokenHash([36; 32]))).is_some());
    call!(tx.recovery_code_delete(&TokenHash([36; 32])));
    call!(tx.passkeys_oldest(10));
    call!(tx.recovery_codes_delete(USER));
    call!(tx.known_browser_save(USER, &TokenHash([37; 32]), at(1)));
    call!(tx.known_browsers(USER));
    call!(tx.known_browser_delete(USER, &TokenHash([37; 32])));
    call!(tx.organization_passkey_required_at(ORGANIZATION));
    call!(tx.organization_update_passkey_required_at(ORGANIZATION, None));
}

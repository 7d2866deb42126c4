//! Accounts, users, tokens, settings, plans.

use aipress_store::*;
use serde_json::Value;
use serde_json::json;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    the_first_run_happens_once,
    a_token_is_found_by_its_hash_alone,
    a_use_is_kept_to_the_minute,
    a_token_is_taken_back_once,
    logins_are_unique_and_users_have_accounts,
    settings_and_plans_are_read_back,
);

fn admin() -> AdminBootstrap {
    let account = account("platform");
    let user = user(account.id, "admin");
    let token = token(user.id, [7; 32]);
    AdminBootstrap { account, user, token }
}

async fn bootstrapped(store: &Store) -> AdminBootstrap {
    let admin = admin();
    let mut txn = store.begin().await.unwrap();
    assert!(txn.bootstrap_admin(&admin).await.unwrap());
    txn.commit().await.unwrap();
    admin
}

async fn the_first_run_happens_once(registry: &Registry) {
    let store = registry.open().await;
    let first = bootstrapped(&store).await;
    let mut txn = store.begin().await.unwrap();
    assert!(!txn.bootstrap_admin(&admin()).await.unwrap());
    txn.commit().await.unwrap();
    let account = store.account_fetch(first.account.id).await.unwrap();
    assert_eq!(account.as_ref(), Some(&first.account));
    assert_eq!(store.account_list().await.unwrap(), [first.account]);
    let user = store.user_fetch(first.user.id).await.unwrap();
    assert_eq!(user.as_ref(), Some(&first.user));
    assert_eq!(store.user_list(None).await.unwrap(), [first.user]);
}

async fn a_token_is_found_by_its_hash_alone(registry: &Registry) {
    let store = registry.open().await;
    let admin = bootstrapped(&store).await;
    let found = store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(found.token, admin.token.token);
    assert_eq!(found.user, admin.user);
    assert_eq!(found.account, admin.account);
    assert_eq!(store.token_by_hash(&[8; 32]).await.unwrap(), None);
    assert_eq!(store.token_list(admin.user.id).await.unwrap(), [admin.token.token]);
}

async fn a_use_is_kept_to_the_minute(registry: &Registry) {
    let store = registry.open().await;
    let admin = bootstrapped(&store).await;
    let id = admin.token.token.id;
    let used = |token: Option<TokenRecord>| token.unwrap().last_used_at;
    let before = store.token_fetch(id).await.unwrap().unwrap();
    store.token_touch(&before, at(10)).await.unwrap();
    assert_eq!(used(store.token_fetch(id).await.unwrap()), Some(at(10)));
    // Somebody who still has the token as it was before, and somebody who has it as it is.
    store.token_touch(&before, at(30)).await.unwrap();
    let after = store.token_fetch(id).await.unwrap().unwrap();
    store.token_touch(&after, at(69)).await.unwrap();
    assert_eq!(used(store.token_fetch(id).await.unwrap()), Some(at(10)));
    store.token_touch(&after, at(70)).await.unwrap();
    assert_eq!(used(store.token_fetch(id).await.unwrap()), Some(at(70)));
}

async fn a_token_is_taken_back_once(registry: &Registry) {
    let store = registry.open().await;
    let id = bootstrapped(&store).await.token.token.id;
    let mut txn = store.begin().await.unwrap();
    assert!(txn.token_revoke(id, at(5)).await.unwrap());
    assert!(!txn.token_revoke(id, at(6)).await.unwrap());
    let unknown = aipress_types::TokenId(uuid::Uuid::new_v4());
    let error = txn.token_revoke(unknown, at(6)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: "token", .. }), "{error:?}");
    txn.commit().await.unwrap();
    let identity = store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(identity.token.revoked_at, Some(at(5)));
}

async fn logins_are_unique_and_users_have_accounts(registry: &Registry) {
    let store = registry.open().await;
    let admin = bootstrapped(&store).await;
    let refused = async |user: &UserRecord| {
        let mut txn = store.begin().await.unwrap();
        match txn.user_insert(user).await.unwrap_err() {
            StoreError::Conflict { rule } => rule,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&user(admin.account.id, "admin")).await, ConflictRule::UserLogin);
    let nowhere = aipress_types::AccountId(uuid::Uuid::new_v4());
    assert_eq!(refused(&user(nowhere, "other")).await, ConflictRule::Reference);

    let mut txn = store.begin().await.unwrap();
    txn.user_set_disabled(admin.user.id, Some(at(9))).await.unwrap();
    txn.commit().await.unwrap();
    let identity = store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(identity.user.disabled_at, Some(at(9)));
}

async fn settings_and_plans_are_read_back(registry: &Registry) {
    let store = registry.open().await;
    let plan = PlanRecord {
        id: "sha256:1".to_owned(),
        account: None,
        actor: "user:somebody".to_owned(),
        body: json!({ "create": ["bakery"] }),
        created_at: at(0),
        expires_at: at(60),
    };
    let again = PlanRecord { created_at: at(30), expires_at: at(90), ..plan.clone() };
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("federation", &json!({ "size": 2 }), at(0)).await.unwrap();
    txn.setting_put("federation", &json!({ "size": 3 }), at(1)).await.unwrap();
    txn.plan_insert(&plan).await.unwrap();
    txn.plan_insert(&again).await.unwrap();
    txn.commit().await.unwrap();
    let size: Option<Value> = store.setting_fetch("federation").await.unwrap();
    assert_eq!(size, Some(json!({ "size": 3 })));
    assert_eq!(store.setting_fetch("nothing").await.unwrap(), None);
    let kept = store.plan_fetch("sha256:1").await.unwrap();
    assert_eq!(kept, Some(PlanRecord { expires_at: at(90), ..plan }));
    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.plans_sweep(at(90), 10).await.unwrap(), 0);
    assert_eq!(txn.plans_sweep(at(91), 10).await.unwrap(), 1);
    txn.commit().await.unwrap();
    assert_eq!(store.plan_fetch("sha256:1").await.unwrap(), None);
}

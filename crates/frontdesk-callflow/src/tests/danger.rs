//! Danger, and companies that cannot be loaded.

use frontdesk_domain::alert::AlertCode;
use frontdesk_domain::decision::Source;
use frontdesk_twilio::form::Form;
use serde_json::json;

use super::document::said;
use super::scene::{COMPANY, Scene};
use crate::Route;
use crate::Webhook;
use crate::flow::Unanswerable;
use crate::settings::TURN_DEADLINE;

#[tokio::test]
async fn danger_is_answered_before_everything_whatever_is_switched_off() {
    for change in [
        json!({}),
        json!({ "status": "suspended" }),
        json!({ "status": "forward", "forwardNumber": "+19375550188" }),
        json!({ "aiAgentSettings": { "templateReferences": [] } }),
        json!({ "aiAgentLogic": { "thresholds": { "companyQnA": 1, "tradeQnA": 1 },
            "templateGatekeeper": { "enabled": false, "enableLLMFallback": false, "monthlyBudget": 0, "tier1Threshold": 1 } } }),
    ] {
        let scene = Scene::new(change.clone()).await;
        let document = scene.call("CA1").says("I smell gas in my kitchen").await;
        assert!(said(&document).contains("leave the building"), "{change} {document}");
        assert!(scene.alerts().contains(&AlertCode::EmergencyCall), "{change}");
        let decision = scene.decide("I smell gas in my kitchen").await;
        assert_eq!(
            (decision.source, decision.threshold),
            (Source::Safety, None),
            "{change}"
        );
        assert!(decision.emergency && decision.safety_id.is_some());
    }
}

#[tokio::test]
async fn danger_is_answered_although_the_company_cannot_be_loaded() {
    let scene = Scene::empty();
    let form: Form = [("CallSid", "CA1"), ("SpeechResult", "I smell gas in my kitchen")]
        .into_iter()
        .collect();
    for why in [
        Unanswerable::NoSuchCompany,
        Unanswerable::NotLoaded,
        Unanswerable::NotVerifiable,
    ] {
        let webhook = Webhook {
            route: Route::Respond,
            deadline: tokio::time::Instant::now() + TURN_DEADLINE,
            target: "/",
            form: &form,
            arrived: frontdesk_domain::time::Timestamp::UNIX_EPOCH,
        };
        let document = scene
            .flow
            .respond_without_company(COMPANY.parse().ok(), &webhook, why)
            .await;
        assert!(said(&document).contains("leave the building"), "{why:?} {document}");
    }
    let emergencies = scene
        .alerts()
        .into_iter()
        .filter(|code| *code == AlertCode::EmergencyCall)
        .count();
    assert_eq!(emergencies, 2, "who cannot be verified calls out nobody");
}

#[tokio::test]
async fn an_unknown_company_apologises_and_tells_the_operator() {
    let scene = Scene::empty();
    let form: Form = [("CallSid", "CA1"), ("SpeechResult", "hello")].into_iter().collect();
    let webhook = Webhook {
        route: Route::Respond,
        deadline: tokio::time::Instant::now() + TURN_DEADLINE,
        target: "/",
        form: &form,
        arrived: frontdesk_domain::time::Timestamp::UNIX_EPOCH,
    };
    let document = scene
        .flow
        .respond_without_company(None, &webhook, Unanswerable::NoSuchCompany)
        .await;
    assert!(
        said(&document).contains("can't take your call") && document.contains("<Hangup/>"),
        "{document}"
    );
    assert_eq!(scene.alerts(), [AlertCode::CompanyNotFound]);
}

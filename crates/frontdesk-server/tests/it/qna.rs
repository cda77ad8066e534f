//! Q&A of companies and trades.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_qna_goes_round() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    for (qna, owner) in [
        (format!("{company}/qna"), "companyId"),
        ("/api/v1/trades/Air%20care/qna".to_owned(), "trade"),
    ] {
        let made = app.post(&qna, json!({ "question": "when", "answer": "now" })).await;
        let document = made.ok(201);
        let path = format!("{qna}/{}", document["id"].as_str().unwrap());
        assert_eq!(made.header("location"), Some(path.as_str()));
        assert!(document[owner].is_string() && document["active"] == true, "{document}");
        assert_eq!(app.get(&path).await.ok(200), document);
        let put = app
            .put(&path, json!({ "question": "when", "answer": "later", "active": false }))
            .await
            .ok(200);
        assert_eq!((&put["rev"], &put["answer"]), (&json!(2), &json!("later")));
        assert_eq!(app.get(&qna).await.ok(200)["items"], json!([put]));
        assert_eq!(
            app.call("DELETE", &path, &[("if-match", "\"1\"")], None)
                .await
                .problem(412),
            "stale-revision"
        );
        assert_eq!(app.delete(&path).await.status, 204);
        assert_eq!(app.get(&path).await.problem(404), "qna-not-found");
        assert_eq!(
            app.put(&path, json!({ "question": "q", "answer": "a" }))
                .await
                .problem(404),
            "qna-not-found"
        );
    }
}

#[tokio::test]
async fn a_companys_qna_is_not_found_under_another_company() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.company("+15551234567").await, app.company("+15551234568").await);
    app.post(
        &format!("{theirs}/qna"),
        json!({ "id": "q1", "question": "secret", "answer": "a" }),
    )
    .await
    .ok(201);
    let path = format!("{ours}/qna/q1");
    let valid = json!({ "question": "q", "answer": "a" });
    for reply in [
        app.get(&path).await,
        app.put(&path, valid).await,
        app.delete(&path).await,
    ] {
        assert_eq!(reply.problem(404), "qna-not-found");
        assert!(!reply.text().contains("secret"));
    }
    assert_eq!(app.get(&format!("{ours}/qna")).await.json()["items"], json!([]));
    app.get(&format!("{theirs}/qna/q1")).await.ok(200);
}

#[tokio::test]
async fn ids_are_slugs_and_unique_within_their_owner() {
    let app = TestApp::start().await;
    let (one, two) = (app.company("+15551234567").await, app.company("+15551234568").await);
    let qna = json!({ "id": "qna-hours", "question": "q", "answer": "a" });
    for company in [&one, &two] {
        app.post(&format!("{company}/qna"), qna.clone()).await.ok(201);
    }
    assert_eq!(app.post(&format!("{one}/qna"), qna).await.problem(409), "id-taken");
    let blank = json!({ "id": "not a slug", "question": "q", "answer": "a" });
    assert_eq!(app.post(&format!("{one}/qna"), blank).await.refused(), ["/id"]);
}

#[tokio::test]
async fn a_qna_of_another_owner_is_refused() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let foreign = json!({ "companyId": "507f1f77bcf86cd799439011", "question": "q", "answer": "a" });
    assert_eq!(
        app.post(&format!("{company}/qna"), foreign).await.refused(),
        ["/companyId"]
    );
    let foreign = json!({ "trade": "Other", "question": "q", "answer": "a" });
    assert_eq!(
        app.post("/api/v1/trades/Dental/qna", foreign).await.refused(),
        ["/trade"]
    );
}

#[tokio::test]
async fn trades_are_compared_without_case() {
    let app = TestApp::start().await;
    app.post(
        "/api/v1/trades/Dental/qna",
        json!({ "id": "q", "question": "q", "answer": "a" }),
    )
    .await
    .ok(201);
    app.get("/api/v1/trades/DENTAL/qna/q").await.ok(200);
    assert_eq!(app.get("/api/v1/trades/nobody/qna").await.ok(200)["items"], json!([]));
    assert_eq!(
        app.get(&format!("/api/v1/trades/{}/qna", "x".repeat(101)))
            .await
            .problem(404),
        "trade-not-found"
    );
}

#[tokio::test]
async fn a_question_that_two_qna_of_an_owner_have_is_told_to_whoever_writes_it() {
    let app = TestApp::start().await;
    let (company, other) = (app.company("+15551234567").await, app.company("+15551234568").await);
    for at in [format!("{company}/qna"), "/api/v1/trades/Air%20care/qna".to_owned()] {
        let first = json!({ "id": "first", "question": "Do you take cards?", "answer": "Yes." });
        assert!(app.post(&at, first.clone()).await.ok(201).get("warnings").is_none());
        let second =
            json!({ "id": "second", "question": "Who are you?", "variants": ["do you take cards"], "answer": "Us." });
        let told = json!([{ "pointer": "/variants/0",
            "detail": "says the same as \"Do you take cards?\" of Q&A \"first\"; of the two, \"first\" answers" }]);
        assert_eq!(app.post(&at, second.clone()).await.ok(201)["warnings"], told);
        let again = app.put(&format!("{at}/second"), second.clone()).await.ok(200);
        assert_eq!(again["warnings"], told);
        let elsewhere = app
            .post(
                &format!("{other}/qna"),
                json!({ "question": "Do you take cards?", "answer": "No." }),
            )
            .await;
        if at.starts_with("/api/v1/companies") {
            assert!(
                elsewhere.ok(201).get("warnings").is_none(),
                "another company's are no concern"
            );
        }
        let off = json!({ "question": "Do you take cards?", "answer": "Yes.", "active": false });
        app.put(&format!("{at}/first"), off).await.ok(200);
        assert!(
            app.put(&format!("{at}/second"), second)
                .await
                .ok(200)
                .get("warnings")
                .is_none()
        );
    }
}

//! `frontdesk doctor`: what is missing, and what to do about it.

use std::{fs, path::Path};

use anyhow::{Result, bail};

use frontdesk_domain::{clock::Clock as _, time::TimeZone};
use frontdesk_encoder::{bert::Bert, files};
use frontdesk_llm::prices::PriceTable;
use frontdesk_store::{mongo_url::MongoUrl, system::SystemClock};
use serde_json::Value;

use super::{
    Context, admin_of, doctor_calls, doctor_servers,
    doctor_store::{self, Server},
    doctor_twilio, runtime,
};
use crate::{
    admin::{AdminError, text},
    cli::DoctorArguments,
    config::{Config, DEFAULT_FILE, StoreUrl},
    http_client::BaseUrl,
    output::Output,
    readiness::{self, Finding, Severity},
    wiring::{self, encoder, open_files},
};

pub(super) fn run(context: &Context, doctor: &DoctorArguments) -> Result<()> {
    let arguments = &doctor.server;
    let output = context.output;
    let mut worst = Severity::Fine;
    let config = context.config()?;
    report(output, &mut worst, &[configuration(context)])?;
    let url = arguments
        .url
        .clone()
        .unwrap_or_else(|| BaseUrl::of_listener(config.http.listen));
    report(output, &mut worst, &public_url(&config, &url))?;
    let admin = admin_of(&config, url.clone(), arguments.token.clone().map(Into::into));
    let runtime = runtime()?;
    let (server, listens) = runtime.block_on(listener(&config, url, arguments.url.is_some()));
    let runs = server.readiness.is_some();
    report(output, &mut worst, &listens)?;
    report(
        output,
        &mut worst,
        &[if runs {
            runtime.block_on(token(&admin))
        } else {
            token_file(&config)
        }],
    )?;
    if runs {
        report(output, &mut worst, &runtime.block_on(calls(&admin)))?;
    } else {
        let unseen = Finding::fine(format!(
            "no server answers at {}: fallbacks, LLM, budgets, arrivals and slow turns were not looked at",
            server.url
        ));
        report(output, &mut worst, &[unseen])?;
    }
    report(output, &mut worst, &[encoder_files(&config), llm(&config)])?;
    if let Some(url) = &config.cache {
        report(output, &mut worst, &runtime.block_on(doctor_servers::cache(url)))?;
    }
    report(output, &mut worst, open_files::inspect().as_slice())?;
    let is_there = match &config.store {
        StoreUrl::Sqlite(path) => {
            report(output, &mut worst, &doctor_store::files(&config, path, &server))?;
            path.exists()
        }
        StoreUrl::Mongo(url) => {
            report(output, &mut worst, &shared_secrets(&config))?;
            let found = runtime.block_on(database(url));
            report(output, &mut worst, &found)?;
            doctor_servers::is_usable(&found)
        }
    };
    if is_there {
        let base = webhooks_base(&config, &server);
        runtime.block_on(store(&config, output, &mut worst, &base, doctor.twilio))?;
    }
    match worst {
        Severity::Fine => Ok(output.line(output.good("everything is as it should be"))?),
        Severity::Warning => Ok(output.line("calls are answered; the marks above say what could be better")?),
        Severity::Failure => bail!("something is missing; the crosses above say what to do"),
    }
}

fn report(output: Output, worst: &mut Severity, findings: &[Finding]) -> Result<()> {
    for finding in findings {
        *worst = (*worst).max(finding.severity);
        let mark = match finding.severity {
            Severity::Fine => output.good("✓"),
            Severity::Warning => output.bold("!"),
            Severity::Failure => output.bad("✗"),
        };
        output.line(format_args!("{mark} {}", finding.text))?;
        if !finding.remedy.is_empty() {
            output.line(output.dim(format_args!("    → {}", finding.remedy)))?;
        }
    }
    Ok(())
}

fn configuration(context: &Context) -> Finding {
    let origins = &context.origins;
    let file = match &origins.file {
        Some(file) => file.display().to_string(),
        None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.to_owned(),
        None => "no file".to_owned(),
    };
    let mut variables: Vec<_> = origins.environment.iter().map(|(name, _)| name.as_str()).collect();
    variables.sort_unstable();
    let variables = if variables.is_empty() {
        "no variables".to_owned()
    } else {
        variables.join(", ")
    };
    Finding::fine(format!("the configuration is well formed: {file}, {variables}"))
}

/// Whether meaning can be asked.
fn encoder_files(config: &Config) -> Finding {
    match files::find(&config.model.folders()) {
        Some(folder) => match Bert::load(&folder) {
            Ok(_) => Finding::fine(format!(
                "the encoder behind tier 2 is in {} (semantic)",
                folder.display()
            )),
            Err(error) => Finding::failure(
                format!(
                    "the encoder in {} cannot be used, so tier 2 goes by words alone (lexical): {}",
                    folder.display(),
                    encoder::in_words(error)
                ),
                "run `frontdesk model install` to get its files anew, or set FRONTDESK_MODEL__PATH to a folder that has them",
            ),
        },
        None => Finding::warning(
            "no encoder is there: tier 2 goes by words alone (lexical)",
            "run `frontdesk model install`, or set FRONTDESK_MODEL__PATH to the folder that has it",
        ),
    }
}

/// Whether an LLM can be asked.
fn llm(config: &Config) -> Finding {
    let llm = &config.llm;
    if !llm.is_usable() {
        return Finding::warning(
            "no LLM is configured: tier 3 is skipped",
            "set OPENAI_API_KEY, or FRONTDESK_LLM__BASE_URL for a server that needs no key; companies need a monthlyBudget",
        );
    }
    let today = TimeZone::UTC.to_datetime(SystemClock.now()).date();
    let prices = PriceTable::embedded().with_rows(llm.prices.clone());
    if prices.of(&llm.model, today).is_none() {
        return Finding::failure(
            format!("the model {} has no price, so it is not asked", llm.model),
            "add its price by FRONTDESK_LLM__PRICES, or name a model that has one by FRONTDESK_LLM__MODEL",
        );
    }
    let key = match &llm.key_origin {
        Some(origin) => format!("with the key of {origin}"),
        None => "without a key".to_owned(),
    };
    Finding::fine(format!("tier 3 asks {} at {} {key}", llm.model, llm.endpoint))
}

fn public_url(config: &Config, server: &BaseUrl) -> Vec<Finding> {
    let mut found = Vec::new();
    match config.http.public_url.as_deref() {
        None => found.push(Finding::warning(
            format!("Twilio cannot reach {server}: no public URL is set"),
            "set FRONTDESK_HTTP__PUBLIC_URL to the URL that leads here, such as https://voice.example.com; trials on this machine need none",
        )),
        Some(url) if url.starts_with("https://") => found.push(Finding::fine(format!("webhooks are signed for {url}"))),
        Some(url) => found.push(Finding::warning(
            format!("webhooks are signed for {url}, which is not encrypted"),
            "put a TLS proxy in front and set FRONTDESK_HTTP__PUBLIC_URL to its https:// URL",
        )),
    }
    if !config.twilio.verify {
        found.push(Finding::warning(
            "signatures are not verified: everybody can speak for Twilio",
            "remove FRONTDESK_TWILIO__VERIFY=false, it is for trials only",
        ));
    }
    found
}

/// Who listens where the server should.
async fn listener(config: &Config, url: BaseUrl, is_named: bool) -> (Server, Vec<Finding>) {
    let listen = config.http.listen;
    let (readiness, found) = match url.send("GET", "/readyz", &[], Vec::new()).await {
        Ok(reply) => {
            let readiness: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            if text(&readiness, "status").is_empty() {
                let other = Finding::failure(
                    format!("something that is no Frontdesk listens at {url}"),
                    "stop it, or choose another address with FRONTDESK_HTTP__LISTEN",
                );
                (None, vec![other])
            } else {
                let found = of_server(&url, &readiness);
                (Some(readiness), found)
            }
        }
        Err(error) if is_named => {
            let absent = Finding::failure(error.to_string(), "start it, or name another with --url");
            (None, vec![absent])
        }
        Err(_) => {
            let place = match std::net::TcpListener::bind(listen) {
                Ok(_) => Finding::fine(format!("{listen} is free; start the server with `frontdesk serve`")),
                Err(error) => Finding::failure(
                    format!("{listen} cannot be listened on: {error}"),
                    "choose another address with FRONTDESK_HTTP__LISTEN",
                ),
            };
            (None, vec![place])
        }
    };
    let server = Server {
        url,
        is_named,
        readiness,
    };
    (server, found)
}

/// What a server says of itself: each part that is not well, in its own words.
fn of_server(url: &BaseUrl, readiness: &Value) -> Vec<Finding> {
    let status = text(readiness, "status");
    let says = format!("a Frontdesk answers at {url}: {status}");
    if status == "ready" {
        return vec![Finding::fine(says)];
    }
    let mut found = vec![Finding::warning(
        says,
        format!("GET {url}/api/v1/health names what helps each part that is not well"),
    )];
    let checks = readiness.get("checks").and_then(Value::as_array);
    let unwell = checks
        .into_iter()
        .flatten()
        .filter(|check| text(check, "status") != "ok");
    found.extend(unwell.map(|check| {
        let [name, status, detail] = ["name", "status", "detail"].map(|field| text(check, field));
        Finding::warning(format!("its {name} is {status}: {detail}"), String::new())
    }));
    found
}

/// The URL that leads to the webhooks, as far as it is known here.
fn webhooks_base(config: &Config, server: &Server) -> String {
    match &config.http.public_url {
        Some(url) => url.to_string(),
        None if server.is_named => server.url.to_string(),
        None => format!("http://{}", config.http.listen),
    }
}

async fn token(admin: &crate::admin::Admin) -> Finding {
    match admin.get("/api/v1/companies?limit=1").await {
        Ok(_) => Finding::fine("the admin token is the server's"),
        Err(AdminError::Token { hint }) => Finding::failure("the server refuses the admin token", hint),
        Err(error) => Finding::failure(
            format!("the admin API does not answer: {error}"),
            "look at the server's log",
        ),
    }
}

/// What the calls of the last days say.
async fn calls(admin: &crate::admin::Admin) -> Vec<Finding> {
    match doctor_calls::ask(admin).await {
        Ok(found) => found,
        Err(error) => vec![Finding::warning(
            format!("what the server knows of its calls cannot be read: {error:#}"),
            "see the reason above; fallbacks, LLM, budgets, arrivals and slow turns were not looked at",
        )],
    }
}

fn token_file(config: &Config) -> Finding {
    if config.token.is_some() {
        return Finding::fine("the admin token is set in the configuration");
    }
    let file = config.token_file();
    match fs::read_to_string(&file) {
        Ok(token) if !token.trim().is_empty() => Finding::fine(format!("the admin token is in {}", file.display())),
        Ok(_) => Finding::failure(
            format!("{} is empty", file.display()),
            "delete it; a new one is made at the next start",
        ),
        Err(_) if !file.exists() => Finding::fine(format!("an admin token will be made in {}", file.display())),
        Err(error) => Finding::failure(
            format!("{} cannot be read: {error}", file.display()),
            "run this as the server's user",
        ),
    }
}

/// What all instances that share a store must have alike.
fn shared_secrets(config: &Config) -> Vec<Finding> {
    let key = match &config.secrets.key {
        Some(_) => Finding::fine("the sealing key is set in the configuration"),
        None => Finding::failure(
            format!(
                "no sealing key is set, which all instances on {} must share",
                config.store
            ),
            "set FRONTDESK_SECRETS__KEY to the same key for each of them: `openssl rand -hex 32`",
        ),
    };
    let mut found = vec![key];
    if config.token.is_none() {
        found.push(Finding::warning(
            "each instance makes an admin token of its own",
            "set FRONTDESK_ADMIN__TOKEN to the same token for each of them",
        ));
    }
    found
}

#[cfg(feature = "mongo")]
async fn database(url: &MongoUrl) -> Vec<Finding> {
    doctor_servers::database(url).await
}

#[cfg(not(feature = "mongo"))]
async fn database(_: &MongoUrl) -> Vec<Finding> {
    Vec::new()
}

/// The store, and each company in it.
async fn store(config: &Config, output: Output, worst: &mut Severity, base: &str, for_twilio: bool) -> Result<()> {
    if config.secrets.key.is_none() && (config.store.is_shared() || !config.key_file().exists()) {
        return Ok(());
    }
    let inspected = match wiring::inspect(config).await {
        Ok(inspected) => inspected,
        Err(error) => {
            let finding = Finding::failure(
                format!("the store cannot be used: {error:#}"),
                match config.store {
                    StoreUrl::Sqlite(_) => "see the reason above; a copy of the file can be opened with sqlite3",
                    StoreUrl::Mongo(_) => "see the reason above; the same address can be tried with mongosh",
                },
            );
            return report(output, worst, &[finding]);
        }
    };
    report(output, worst, &[Finding::fine("the store can be read and written")])?;
    if inspected.is_empty() {
        let remedy = "import some with `frontdesk import FILE`, or try the demo with `frontdesk serve --demo`";
        return report(output, worst, &[Finding::warning("there are no companies", remedy)]);
    }
    let has_platform_token = config.twilio.auth_token.is_some();
    for (settings, documents) in &inspected {
        let company = &settings.company;
        output.line(output.bold(format_args!("\n{} ({})", company.name, company.phone)))?;
        doctor_twilio::addresses(output, base, company)?;
        let mut found = readiness::of_company(settings, documents, has_platform_token);
        if for_twilio {
            found.push(doctor_twilio::self_test(output, config, base, settings)?);
        }
        if found.is_empty() {
            found.push(Finding::fine("it is ready"));
        }
        report(output, worst, &found)?;
    }
    output.line("")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Origins;

    fn server(url: &str) -> BaseUrl {
        url.parse().unwrap()
    }

    #[test]
    fn a_server_names_its_parts_that_are_not_well() {
        let check =
            |name: &str, status: &str, detail: &str| json!({ "name": name, "status": status, "detail": detail });
        let url = server("http://127.0.0.1:8080");
        let degraded = json!({ "status": "degraded", "checks": [
            check("store", "ok", "answers"), check("encoder", "degraded", "config.json is damaged")
        ] });
        let found = of_server(&url, &degraded);
        let texts: Vec<_> = found.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "a Frontdesk answers at http://127.0.0.1:8080: degraded",
                "its encoder is degraded: config.json is damaged"
            ]
        );
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
        let ready = json!({ "status": "ready", "checks": [check("store", "ok", "answers")] });
        let found = of_server(&url, &ready);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Fine));
    }

    #[test]
    fn webhooks_lead_to_the_public_url_else_to_the_server_that_was_asked() {
        let check = |public_url: Option<&str>, is_named: bool, want: &str| {
            let origins = Origins {
                environment: public_url
                    .map(|url| ("FRONTDESK_HTTP__PUBLIC_URL".to_owned(), url.to_owned()))
                    .into_iter()
                    .collect(),
                ..Origins::default()
            };
            let config = Config::load(&origins).unwrap();
            let asked = Server {
                url: server("http://10.0.0.5:9000"),
                is_named,
                readiness: None,
            };
            assert_eq!(webhooks_base(&config, &asked), want);
        };
        check(Some("https://voice.example.com"), true, "https://voice.example.com");
        check(None, true, "http://10.0.0.5:9000");
        check(None, false, "http://127.0.0.1:8080");
        let config = Config::load(&Origins::default()).unwrap();
        let found = public_url(&config, &server("http://10.0.0.5:9000"));
        assert!(found[0].text.contains("http://10.0.0.5:9000"), "{found:?}");
    }
}

//! What tier 3 promises of money and time, held against real processes and a provider that keeps its own bill.
//!
//! - [`race`]: turns at once where only some fit the budget, over several processes.
//! - [`mixed`]: bills below their holds, refused requests and a killed process at once, each refusal held against the ledger.
//! - [`kills`]: processes killed while they hold money.
//! - [`outage`]: a provider that hangs and comes back, turn by turn.
//! - [`hanging`]: a thousand turns that wait for a provider at once.
//! - [`overhead`]: what asking costs beside the provider's own time.
//! - [`injections`]: callers who tell the model what to do.

use std::{net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result};
use frontdesk_llm_double::{Double, Script};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    operator::Operator,
    server::Server,
    twilio::{Call, Caller, Twilio},
};

pub mod hanging;
pub mod injections;
pub mod kills;
pub mod mixed;
pub mod outage;
pub mod overhead;
pub mod race;

/// A hold that its process cannot settle is charged after so many seconds, the least that may be configured.
pub const LEASE_SECONDS: u64 = 5;

/// What a scenario is for, its trigger and its reply.
const SCENARIOS: [(&str, &str, &str); 4] = [
    (
        "visit",
        "i would like to schedule a visit",
        "Gladly, which day suits you?",
    ),
    (
        "leak",
        "there is water under the sink",
        "Please turn the valve off, we are on our way.",
    ),
    ("price", "what does a visit cost", "A visit costs ninety dollars."),
    ("hours", "when are you open", "We are open from eight to five."),
];

/// Servers on one store, and the provider that they ask.
#[derive(Debug)]
pub struct Office {
    /// The processes.
    pub servers: Vec<Server>,
    /// The provider.
    pub provider: Double,
    template: String,
    companies: u32,
    _folder: TempDir,
}

/// A company with a budget.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Who signs its webhooks.
    pub twilio: Twilio,
}

/// A month of a company, pico-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// What may be spent.
    pub limit: i64,
    /// What is spent.
    pub spent: i64,
    /// What is held for questions that are being asked.
    pub held: i64,
}

impl Office {
    /// Starts so many processes on one new store.
    ///
    /// # Errors
    /// One does not start, or refuses the template.
    pub async fn open(frontdesk: &Path, processes: usize, script: Script) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let provider = Double::start((Ipv4Addr::LOCALHOST, 0).into(), script).await?;
        let mut servers = Vec::new();
        for _ in 0..processes {
            let mut server = Server::new(frontdesk, folder.path())?
                .with_setting("LLM__BASE_URL", provider.base_url())
                .with_setting("LLM__API_KEY", "key-of-the-double")
                .with_setting("LLM__LEASE_SECONDS", LEASE_SECONDS.to_string());
            server.start().await?;
            servers.push(server);
        }
        Self::of(servers, provider, folder).await
    }

    /// An office of processes that run already, on one store that has nothing of it; `folder` is removed with it.
    ///
    /// # Errors
    /// One refuses the template.
    pub async fn of(servers: Vec<Server>, provider: Double, folder: TempDir) -> Result<Self> {
        let template = hex(24);
        let scenarios = SCENARIOS.map(|(id, trigger, reply)| json!({ "id": id, "name": id, "status": "live", "triggers": [trigger], "fullReplies": [reply] }));
        let document = json!({
            "_id": template, "name": "Template", "trade": "Testing", "version": "1",
            "categories": [{ "id": "all", "name": "All", "scenarios": scenarios }],
        });
        let office = Self {
            servers,
            provider,
            template,
            companies: 0,
            _folder: folder,
        };
        office
            .operator()?
            .must(Method::POST, "/api/v1/templates", Some(&document))
            .await?;
        Ok(office)
    }

    /// The first process, by the operating system's number.
    ///
    /// # Errors
    /// It does not run.
    pub fn process(&self) -> Result<u32> {
        let server = self.servers.first();
        server.and_then(Server::id).context("the server does not run")
    }

    /// An operator at the first process.
    ///
    /// # Errors
    /// There is no process.
    pub fn operator(&self) -> Result<Operator> {
        Ok(self.servers.first().context("no server runs")?.operator())
    }

    /// Makes a company that rules never answer, with this budget in pico-USD.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn client(&mut self, budget: i64) -> Result<Client> {
        self.companies += 1;
        let client = Client {
            id: hex(24),
            twilio: Twilio {
                account_sid: format!("AC{}", hex(32)),
                auth_token: hex(32),
            },
        };
        let document = json!({
            "_id": client.id,
            "name": "Company",
            "phone": format!("+1202555{:04}", self.companies),
            "industryType": "Testing",
            "timezone": "America/New_York",
            "twilio": { "accountSid": client.twilio.account_sid, "authToken": client.twilio.auth_token },
            "aiAgentLogic": {
                "thresholds": { "companyQnA": 0.99, "tradeQnA": 0.99 },
                "templateGatekeeper": {
                    "tier1Threshold": 0.99, "tier2Threshold": 0.99, "enableLLMFallback": true, "monthlyBudget": usd(budget),
                },
            },
            "aiAgentSettings": { "templateReferences": [self.template] },
        });
        self.operator()?
            .must(Method::POST, "/api/v1/companies", Some(&document))
            .await?;
        Ok(client)
    }

    /// A telephone whose call goes to one of the processes in turn.
    ///
    /// # Errors
    /// There is no process.
    pub fn caller(&self, client: &Client, number: usize) -> Result<Caller> {
        let server = self.servers.get(number % self.servers.len().max(1));
        let mut caller = Caller::new(server.context("no server runs")?.connection());
        caller.take(Call::new(&client.twilio, &client.id, &format!("CA{}", hex(32))));
        Ok(caller)
    }

    /// What a question holds: one is asked, and billed as dearly as it may be.
    ///
    /// # Errors
    /// The server does not answer, or did not ask the provider.
    pub async fn hold(&mut self) -> Result<i64> {
        let client = self.client(PICO).await?;
        self.caller(&client, 0)?.say(&nonsense()).await?;
        let month = settled(&mut self.operator()?, &client).await?;
        anyhow::ensure!(month.spent > 0, "the provider was not asked");
        Ok(month.spent)
    }
}

/// Pico-USD a USD.
pub const PICO: i64 = 1_000_000_000_000;

/// Reads a company's month.
///
/// # Errors
/// The server does not answer, or not with amounts.
pub async fn month(operator: &mut Operator, client: &Client) -> Result<Month> {
    let budget = operator.get(&format!("/api/v1/companies/{}/budget", client.id)).await?;
    Ok(Month {
        limit: pico(&budget, "limit")?,
        spent: pico(&budget, "spent")?,
        held: pico(&budget, "held")?,
    })
}

/// Waits until nothing is held any more; a request whose turn is over may run on for 10 s.
///
/// # Errors
/// Something is still held after 14 s.
pub async fn settled(operator: &mut Operator, client: &Client) -> Result<Month> {
    for _ in 0..280 {
        let now = month(operator, client).await?;
        if now.held == 0 {
            return Ok(now);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("money is still held 14 s after the last turn")
}

/// The sum of a company's settled entries.
///
/// # Errors
/// The server does not answer, or not with amounts.
pub async fn sum_of_entries(operator: &mut Operator, client: &Client) -> Result<i64> {
    let entries = operator.all(&format!("/api/v1/companies/{}/ledger", client.id)).await?;
    let charged = entries
        .iter()
        .filter(|entry| !matches!(entry["kind"].as_str(), Some("held" | "void")));
    charged.map(|entry| pico(entry, "amount")).sum()
}

/// An amount of a document, a decimal USD string, in pico-USD.
fn pico(document: &Value, field: &str) -> Result<i64> {
    let text = document.get(field).and_then(Value::as_str);
    let text = text.with_context(|| format!("{document} has no amount `{field}`"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<12}")
        .parse()
        .with_context(|| format!("`{text}` is no amount"))
}

/// Pico-USD as a decimal USD string.
#[must_use]
pub fn usd(pico: i64) -> String {
    format!("{}.{:012}", pico / PICO, pico % PICO)
}

/// Words that no rule knows, always of the same length: each question then holds the same.
#[must_use]
pub fn nonsense() -> String {
    format!("blarf {} quonk", hex(12))
}

fn hex(digits: usize) -> String {
    format!("{:032x}", rand::random::<u128>()).split_off(32 - digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_to_the_pico_dollar() {
        for (text, amount) in [
            ("0", 0),
            ("1", PICO),
            ("0.000812", 812_000_000),
            ("12.5", 12_500_000_000_000),
        ] {
            assert_eq!(pico(&json!({ "spent": text }), "spent").unwrap(), amount, "{text}");
        }
        assert_eq!(usd(812_000_001), "0.000812000001");
        assert!(pico(&json!({}), "spent").is_err());
    }
}

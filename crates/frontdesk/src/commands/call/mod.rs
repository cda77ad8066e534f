//! `frontdesk call`: a call by the webhook, as Twilio would hold it.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _},
};

use anyhow::{Result, bail};
use secrecy::SecretString;
use tokio::runtime::Runtime;
use tracing::Level;

use super::{Context, admin_of, companies, companies::Company};
use crate::{
    admin::Admin,
    cli::CallArguments,
    config::Config,
    demo,
    http_client::BaseUrl,
    output::complain,
    phone::{Call, PhoneError, SignedAs},
    wiring::{
        self, Running,
        log::{self, Log},
    },
};

mod input;
mod session;

use input::Input;
use session::Session;

pub(super) fn run(context: &Context, arguments: &CallArguments) -> Result<()> {
    let config = context.config()?;
    // The server that may have to be started needs more than one thread.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (admin, own) = runtime.block_on(server(context, &config, arguments))?;
    let held = hold(
        context,
        &config,
        arguments,
        &runtime,
        &admin,
        own.as_ref().map(|(own, _)| own),
    );
    if let Some((own, _log)) = own {
        runtime.block_on(own.stop());
    }
    held
}

/// The server that was named or that listens where it should; else one of our own, for this call.
async fn server(
    context: &Context,
    config: &Config,
    arguments: &CallArguments,
) -> Result<(Admin, Option<(Running, Log)>)> {
    let token = arguments.server.token.clone().map(SecretString::from);
    let server = arguments
        .server
        .url
        .clone()
        .unwrap_or_else(|| BaseUrl::of_listener(config.http.listen));
    let listens = server.send("GET", "/healthz", &[], Vec::new()).await;
    match listens {
        Ok(_) => return Ok((admin_of(config, server, token), None)),
        Err(error) if arguments.server.url.is_some() => return Err(error.into()),
        Err(_) => {}
    }
    let log = log::start(config.log_format, context.terminal, Level::WARN)?;
    let own = wiring::start_for_call(config).await?;
    let address = BaseUrl::of_listener(own.address());
    complain(format_args!(
        "no server listens at {server}, so one was started for this call at {address}"
    ));
    let mut admin = admin_of(config, address, token);
    admin.token = Some(own.token().clone());
    Ok((admin, Some((own, log))))
}

fn hold(
    context: &Context,
    config: &Config,
    arguments: &CallArguments,
    runtime: &Runtime,
    admin: &Admin,
    own: Option<&Running>,
) -> Result<()> {
    let companies = runtime.block_on(companies::all(admin))?;
    let company = match &arguments.company {
        Some(wanted) => companies::find(&companies, wanted)?,
        None => choose(context, &companies)?,
    };
    let token = match &arguments.auth_token {
        Some(token) => Some(SecretString::from(token.as_str())),
        None => runtime.block_on(auth_token(config, own, &company))?,
    };
    let public_url = match (&arguments.public_url, own) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(own)) => own.public_url().to_owned(),
        (None, None) => config
            .http
            .public_url
            .as_deref()
            .map_or_else(|| admin.server.to_string(), str::to_owned),
    };
    let mut call = Call::new(
        admin.server.clone(),
        SignedAs {
            token,
            public_url: public_url.clone(),
        },
        company.callee(),
    );
    if let Some(from) = &arguments.from {
        call.from.clone_from(from);
    }
    let mut session = Session::new(context, admin, &company, call, arguments.json);
    let talked = talk(context, runtime, &mut session);
    match talked
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref::<PhoneError>())
    {
        Some(PhoneError::Refused) => bail!("{}", runtime.block_on(why_refused(admin, &company, &public_url))),
        _ => talked,
    }
}

/// Turn by turn, until one of the two hangs up.
fn talk(context: &Context, runtime: &Runtime, session: &mut Session<'_>) -> Result<()> {
    runtime.block_on(session.begin())?;
    let mut lines = io::stdin().lock().lines();
    while !session.is_over() {
        if context.terminal.input {
            context.output.part(context.output.bold("> "))?;
        }
        let Some(line) = lines.next().transpose().map_err(unreadable)? else {
            break;
        };
        match Input::parse(&line) {
            Input::Nothing => {}
            input => {
                if !context.terminal.input {
                    session.echo(&line)?;
                }
                runtime.block_on(session.take(input))?;
            }
        }
    }
    runtime.block_on(session.end())
}

/// What to do about a line of the standard input that cannot be read.
fn unreadable(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::InvalidData {
        return anyhow::anyhow!(
            "what the caller says is not UTF-8; save the file as UTF-8, or convert it before: \
             iconv -f ISO-8859-1 -t UTF-8 calls.txt | frontdesk call …"
        );
    }
    anyhow::Error::new(error).context("cannot read the standard input")
}

/// Asks whom to call; a pipe cannot be asked.
fn choose(context: &Context, companies: &[Company]) -> Result<Company> {
    if let [one] = companies {
        return Ok(one.clone());
    }
    if !context.terminal.input {
        return companies::find(companies, "").map_err(|_| {
            let names: Vec<_> = companies.iter().take(12).map(|company| company.name.as_str()).collect();
            anyhow::anyhow!("say whom to call with --company; there are {}", names.join(", "))
        });
    }
    let output = context.output;
    for (number, company) in companies.iter().enumerate() {
        output.line(format_args!(
            "{:>3}  {}  {}",
            number + 1,
            company.name,
            output.dim(&company.phone)
        ))?;
    }
    loop {
        output.part("Whom do you call? (number, or part of the name; Enter for 1, /hangup for nobody) ")?;
        let mut line = String::new();
        let ended = io::stdin().lock().read_line(&mut line).map_err(unreadable)? == 0;
        let line = line.trim();
        if ended || line == "/hangup" {
            bail!("nobody was called");
        }
        let number = if line.is_empty() {
            Some(1)
        } else {
            line.parse::<usize>().ok()
        };
        let by_number = number.and_then(|number| companies.get(number.checked_sub(1)?)).cloned();
        match by_number.map_or_else(|| companies::find(companies, line), Ok) {
            Ok(company) => return Ok(company),
            Err(_) => {
                output.line("that is none of these: type its number, or a part of the name that no other one has")?;
            }
        }
    }
}

/// The token that signs for a company: from the server of this process, the demo, or the store on this machine.
async fn auth_token(config: &Config, own: Option<&Running>, company: &Company) -> Result<Option<SecretString>> {
    if let Some(own) = own {
        return own.auth_token(&company.id).await;
    }
    if let Some(token) = demo::auth_token(&company.id) {
        return Ok(Some(token.into()));
    }
    match wiring::stored_auth_token(config, &company.id).await {
        Ok(Some(token)) => Ok(Some(token)),
        Ok(None) if !config.twilio.verify => Ok(None),
        Ok(None) => bail!(
            "{} has no auth token in the store here; give the one it has with --auth-token",
            company.name
        ),
        Err(error) => Err(error.context(format!(
            "the auth token of {} is not known here; give it with --auth-token, or run this on the server's machine",
            company.name
        ))),
    }
}

/// What to do about a refused signature; the server knows more than the refusal says.
async fn why_refused(admin: &Admin, company: &Company, public_url: &str) -> String {
    let expected = session::expected_url(admin, &company.id).await;
    let mut text = format!("the server refused the signature of a webhook signed for {public_url}");
    match expected {
        Some(url) if !url.starts_with(public_url) => {
            _ = write!(text, "; it expects {url}: give the part before /api with --public-url");
        }
        _ => text.push_str("; the company's auth token is another one: give it with --auth-token"),
    }
    text
}

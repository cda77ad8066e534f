//! Posts to webhooks: within a deadline, to public addresses, without redirections.

use std::{error::Error, sync::Arc, time::Duration};

use frontdesk_domain::{
    address::{Reach, webhook_url},
    time::Timestamp,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, StatusCode, header, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::time;
use url::Url;

use crate::{
    channels::NotSent,
    guard::{Guard, Lookup, Private},
    message::Message,
};

/// All of it, from the look-up of the name to the last byte that is read.
const DEADLINE: Duration = Duration::from_secs(5);

const CONNECT: Duration = Duration::from_secs(3);

/// So much of an answer is read: what it says is of no interest.
const MAX_BYTES: usize = 16 * 1024;

/// Signs a body: `t=` the Unix time, `v1=` HMAC-SHA256 over time, a dot and the body, in hexadecimal digits.
pub(crate) fn signature(secret: &SecretString, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let hex = digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("t={seconds},v1={hex}")
}

/// Posts to webhooks.
pub(crate) struct Poster {
    client: Client,
    reach: Reach,
}

impl Poster {
    pub(crate) fn new(reach: Reach, lookup: Lookup) -> Result<Self, reqwest::Error> {
        // Fails if there is one already, which is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(retry::never())
            .connect_timeout(CONNECT)
            // A kept connection was checked when it was made; the next one is checked again.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Guard { lookup, reach }))
            .build()?;
        Ok(Self { client, reach })
    }

    /// Posts JSON; signed if there is a secret.
    pub(crate) async fn post(
        &self,
        url: &Url,
        message: &Message,
        body: Vec<u8>,
        secret: Option<&SecretString>,
        at: Timestamp,
    ) -> Result<(), NotSent> {
        // What may be reached may have changed since the contact was written.
        webhook_url(url.as_str(), self.reach).map_err(|_| NotSent::later("its URL may not be reached"))?;
        let mut request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Frontdesk-Delivery", message.id.to_string());
        if let Some(secret) = secret {
            request = request.header("Frontdesk-Signature", signature(secret, at, &body));
        }
        match time::timeout(DEADLINE, exchange(request.body(body))).await {
            Ok(answered) => answered,
            Err(_) => Err(NotSent::later(format!("no answer within {DEADLINE:?}"))),
        }
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<(), NotSent> {
    let mut response = request.send().await.map_err(|error| NotSent::later(reason(&error)))?;
    let status = response.status();
    let mut read = 0;
    // To the end of a short answer, so that the other side sees it taken.
    while read < MAX_BYTES
        && let Ok(Some(part)) = response.chunk().await
    {
        read += part.len();
    }
    if status.is_success() {
        return Ok(());
    }
    let reason = if status.is_redirection() {
        format!(
            "the server answered {}, a redirection, and none is followed",
            status.as_u16()
        )
    } else {
        format!("the server answered {}", status.as_u16())
    };
    Err(NotSent {
        reason,
        is_final: status == StatusCode::GONE,
    })
}

/// Why a request failed, without its URL: whoever knows that may post there.
fn reason(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(found) = cause {
        if found.is::<Private>() {
            return Private.to_string();
        }
        cause = found.source();
    }
    let what = if error.is_connect() {
        "cannot be connected to"
    } else if error.is_timeout() {
        "is late"
    } else {
        "broke off"
    };
    format!("the server {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_time_and_body() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let signed = signature(&"quiet".into(), at, b"{}");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac quiet
        assert_eq!(signed, format!("t=1700000000,v1={EXPECTED}"));
        assert_ne!(signed, signature(&"quiet".into(), at, b"{ }"));
        assert_ne!(signed, signature(&"loud".into(), at, b"{}"));
    }

    const EXPECTED: &str = "fb70df7d09c1dcacfec01324e7d7e38c2d11c207b66f845d63b972ee9d9c6b43";
}

//! Names are looked up here, and only addresses that may be reached are handed on: the address that is checked is the one
//! that is connected to, so that a name cannot lead elsewhere on a second look.

use std::{error::Error, net::SocketAddr, sync::Arc};

use frontdesk_domain::address::{Reach, is_public};
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks a name up. A port of 0 stands for that of the URL.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The name leads to an address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to an address that is not public")]
pub(crate) struct Private;

/// Looks names up as the system does.
#[must_use]
pub fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.collect())
        })
    })
}

pub(crate) struct Guard {
    pub(crate) lookup: Lookup,
    pub(crate) reach: Reach,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        let may_be_private = self.reach.private;
        Box::pin(async move {
            let mut found = found.await?;
            // One private address among public ones is as suspicious.
            if !may_be_private && found.iter().any(|address| !is_public(address.ip())) {
                return Err(Box::<dyn Error + Send + Sync>::from(Private));
            }
            for address in &mut found {
                address.set_port(0);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

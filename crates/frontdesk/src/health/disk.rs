//! Whether there is room where the data is kept: a full disk takes no call record and no message.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{alert::AlertCode, health::HealthState};
use frontdesk_server::health::{Check, Concern, Health};
use rustix::fs::statvfs;

const MB: u64 = 1_000_000;

/// Less room than this is told: a tenth of the disk, or so many bytes.
const LITTLE: (u64, u64) = (10, 1_000 * MB);

/// Less room than this is raised: a fiftieth of the disk, or so many bytes.
const NONE: (u64, u64) = (2, 200 * MB);

/// Whether there is room in a folder.
pub(super) struct DiskCheck(PathBuf);

impl DiskCheck {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }
}

#[async_trait]
impl Check for DiskCheck {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: Duration::from_secs(10),
            ..Concern::raising(
                AlertCode::DatabaseError,
                HealthState::Down,
                "make room on the disk of the data folder, or move the folder to a larger one: a full store takes no record",
            )
        }
    }

    async fn health(&self) -> Health {
        let folder = self.0.clone();
        // A disk of a network may make whoever looks wait.
        let looked = tokio::task::spawn_blocking(move || statvfs(&folder)).await;
        match looked {
            Ok(Ok(found)) => judge(
                found.f_bavail.saturating_mul(found.f_frsize),
                found.f_blocks.saturating_mul(found.f_frsize),
            ),
            Ok(Err(error)) => Health::degraded(format!("the room left cannot be told: {error}")),
            Err(_) => Health::degraded("the room left cannot be told"),
        }
    }
}

/// What so many bytes free, of so many, mean.
fn judge(free: u64, all: u64) -> Health {
    let is_below =
        |(percent, bytes): (u64, u64)| free < bytes || u128::from(free) * 100 < u128::from(all) * u128::from(percent);
    let percent = u128::from(free) * 100 / u128::from(all.max(1));
    let detail = format!("{} MB free, {percent} % of the disk", free / MB);
    if is_below(NONE) {
        Health::down(detail)
    } else if is_below(LITTLE) {
        Health::degraded(detail)
    } else {
        Health::well(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000 * MB;

    #[test]
    fn little_room_is_told_and_almost_none_is_raised() {
        let check = |free, all, want| assert_eq!(judge(free, all).state, want, "{free} of {all}");
        check(50 * GB, 100 * GB, HealthState::Ok);
        check(10 * GB, 100 * GB, HealthState::Ok);
        check(10 * GB - 1, 100 * GB, HealthState::Degraded);
        check(2 * GB, 100 * GB, HealthState::Degraded);
        check(2 * GB - 1, 100 * GB, HealthState::Down);
        // Of a small disk the bytes count.
        check(GB - 1, 4 * GB, HealthState::Degraded);
        check(200 * MB - 1, 4 * GB, HealthState::Down);
        check(0, 0, HealthState::Down);
        assert_eq!(judge(3 * GB, 40 * GB).detail, "3000 MB free, 7 % of the disk");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_told() {
        let health = DiskCheck::new(Path::new("/nonexistent/folder")).health().await;
        assert_eq!(health.state, HealthState::Degraded, "{health:?}");
        let here = DiskCheck::new(Path::new("/")).health().await;
        assert!(here.detail.ends_with("% of the disk"), "{here:?}");
    }
}

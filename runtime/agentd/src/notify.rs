//! What systemd is told: that the daemon is ready, and, as long as steps are being made, that it lives.
//!
//! A daemon whose worker hangs for longer than it takes to replace it sends no more signs of life, and systemd starts it anew.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::http::App;
use crate::http::health::readiness;

/// Between two looks, when systemd wants no signs of life.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells systemd, if the daemon was started by it; never ends then.
pub async fn keep_told(app: App) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return std::future::pending().await;
    }
    // Three signs in the time after which systemd gives up.
    let pause = sd_notify::watchdog_enabled().map_or(PAUSE, |limit| limit / 3);
    let mut looks = tokio::time::interval(pause.max(Duration::from_millis(1)));
    let mut was_ready = false;
    loop {
        looks.tick().await;
        let state = readiness(&app);
        match (state.ready, &state.reason) {
            (true, _) if was_ready => tell(&[NotifyState::Watchdog]),
            (true, _) => {
                was_ready = true;
                tell(&[
                    NotifyState::Ready,
                    NotifyState::Watchdog,
                    NotifyState::Status("steps are being made"),
                ]);
            }
            // Starting has its own limit in the unit.
            (false, Some(reason)) => tell(&[NotifyState::Status(reason)]),
            (false, None) => {}
        }
    }
}

/// Says that the daemon is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}

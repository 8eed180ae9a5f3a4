//! Buttons that people press: each offer is taken once, by somebody who may.

use std::sync::Arc;

use konstruct_channels::Action;
use konstruct_store::Pressed;
use uuid::Uuid;

use crate::app::App;
use crate::connection::Connection;
use crate::intake::stored;
use crate::refusal::Refusal;

/// Commits what was chosen, and tells the person what became of it beside the acknowledgement.
pub(crate) async fn take(
    app: &App,
    connection: &Arc<Connection>,
    action: Action,
) -> Result<&'static str, Refusal> {
    let pressed = match read(&action.value) {
        Some((id, choice)) => {
            let take =
                app.store.take_offer(connection.tenant, &connection.snapshot.name, id, choice, &action.by);
            stored(connection, take).await?
        }
        None => Pressed::Unknown,
    };
    // Who may not decide, or sends what was never offered, takes the buttons from nobody.
    let over = !matches!(pressed, Pressed::NotAllowed | Pressed::Unknown);
    let (outcome, text) = match pressed {
        Pressed::Taken { choice, .. } => ("action_taken", format!("Thank you, noted: {choice}.")),
        Pressed::TakenBefore => {
            ("action_taken_before", "This was decided before; nothing has changed.".to_owned())
        }
        Pressed::Expired => {
            ("action_expired", "This has expired; nothing has changed. Ask again, please.".to_owned())
        }
        Pressed::NotAllowed => {
            ("action_not_allowed", "This is for somebody else to decide; nothing has changed.".to_owned())
        }
        Pressed::Unknown => (
            "action_unknown",
            "This is not known any more; nothing has changed. Ask again, please.".to_owned(),
        ),
    };
    tell(app, connection, action, text, over);
    Ok(outcome)
}

/// The value of a button: the offer's id and what is chosen.
fn read(value: &str) -> Option<(Uuid, u8)> {
    let (id, choice) = value.split_once('.')?;
    Some((Uuid::try_parse(id).ok()?, choice.parse().ok()?))
}

fn tell(app: &App, connection: &Arc<Connection>, action: Action, text: String, over: bool) {
    let Some(adapter) = app.adapters.get(connection.channel()).cloned() else { return };
    let (connection, store, shutdown) = (Arc::clone(connection), app.store.clone(), app.shutdown.clone());
    let tell = async move {
        let Ok(account) = connection.account(&store).await else { return };
        if let Err(error) = adapter.whisper(&account, &action.place, &action.by, &text).await {
            tracing::debug!(connection = connection.name(), %error, "cannot tell what became of a button");
        }
        if over && let Err(error) = adapter.answered(&account, &action.place).await {
            tracing::debug!(connection = connection.name(), %error, "cannot take buttons away");
        }
    };
    tokio::spawn(async move { shutdown.run_until_cancelled(tell).await });
}

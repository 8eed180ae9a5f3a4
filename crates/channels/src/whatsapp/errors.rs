//! What Meta's error codes mean for the sender.

use std::time::Duration;

use serde_json::Value;

use crate::SendError;
use crate::json::{printable, text};

/// Until a person may be written to again.
const PAIR: Duration = Duration::from_secs(6);

/// What to do about a refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Too fast for the whole number, business account or app: nothing more of it for a while.
    Pause,
    /// The person has not written for too long: only a template may be sent.
    WindowClosed,
    /// Meta does not take the person's id here; a number may do.
    IdNotTaken,
    Failed(SendError),
}

pub(super) fn meaning(code: i64, error: &Value) -> Meaning {
    let reason = describe(code, error);
    Meaning::Failed(match code {
        4 | 80007 | 130_429 => return Meaning::Pause,
        131_047 => return Meaning::WindowClosed,
        131_062 => return Meaning::IdNotTaken,
        131_056 => SendError::RetryAfter { after: PAIR },
        0 | 3 | 10 | 190 | 200..=299 | 131_005 => SendError::CredentialsRejected { reason },
        368 | 131_031 | 131_042 => SendError::AccountRestricted { reason, retry: true },
        130_497 | 131_048 | 131_049 | 131_064 => SendError::AccountRestricted { reason, retry: false },
        1 | 2 | 131_000 | 131_016 | 131_052 | 131_053 | 131_057 => SendError::Transient { reason },
        _ => SendError::Rejected { reason },
    })
}

/// Whether a failure says something about the account rather than about one message.
pub(super) fn is_about_the_account(code: i64) -> bool {
    let about_it = |meaning| matches!(meaning, Meaning::Failed(SendError::AccountRestricted { .. }));
    about_it(meaning(code, &Value::Null))
}

fn describe(code: i64, error: &Value) -> String {
    let message =
        text(&error["error_data"], "details").or_else(|| text(error, "message")).unwrap_or("no reason given");
    printable(&format!("WhatsApp error {code}: {message}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_of_the_table_leads_to_what_is_to_be_done() {
        let kind = |code| match meaning(code, &json!({"message": "m"})) {
            Meaning::Pause => "pause",
            Meaning::WindowClosed => "window",
            Meaning::IdNotTaken => "id",
            Meaning::Failed(SendError::RetryAfter { .. } | SendError::Transient { .. }) => "retry",
            Meaning::Failed(SendError::CredentialsRejected { .. }) => "credentials",
            Meaning::Failed(SendError::AccountRestricted { .. }) => "account",
            Meaning::Failed(_) => "dead",
        };
        let table: [(&str, &[i64]); 8] = [
            ("pause", &[4, 80007, 130_429]),
            ("window", &[131_047]),
            ("id", &[131_062]),
            ("retry", &[131_056, 131_000, 131_016, 131_057, 131_052, 131_053]),
            ("credentials", &[190, 0, 3, 10, 200, 299, 131_005]),
            ("account", &[368, 131_031, 130_497, 131_042, 131_048, 131_049, 131_064]),
            ("dead", &[131_026, 131_051, 130_472, 100, 132_001, 999_999]),
            ("dead", &[-1, i64::MAX, i64::MIN]),
        ];
        for (expected, codes) in table {
            for code in codes {
                assert_eq!(kind(*code), expected, "{code}");
            }
        }
    }
}

//! The page of conditions and reasons, from the closed sets in `konstruct_crds`.

use std::fmt::Write as _;

use konstruct_crds::{ConditionType, Reason};

use super::{cell, conditions_of};

pub(super) fn page() -> String {
    let mut text = String::from(
        "# Conditions and reasons\n\n\
         Every object reports what is true of it in `status.conditions`. `Ready` sums up; `kubectl wait \
         --for=condition=Ready` waits for it. A condition counts for the generation in its `observedGeneration`. \
         The message says what to do in the case at hand; the tables say what each word means.\n\n\
         ## Conditions\n\n| Condition | Kinds | When it is `True` |\n|---|---|---|\n",
    );
    for condition in ConditionType::ALL {
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "| `{condition}` | {} | {} |", kinds_with(condition), cell(condition.meaning()));
    }
    text.push_str("\n## Reasons\n\n| Reason | Meaning | What to do |\n|---|---|---|\n");
    for reason in Reason::ALL {
        let _ = writeln!(text, "| `{reason}` | {} | {} |", cell(reason.meaning()), cell(reason.remedy()));
    }
    text
}

fn kinds_with(condition: ConditionType) -> String {
    // A Plan has no status.
    let kinds: Vec<String> = konstruct_crds::all()
        .into_iter()
        .map(|crd| crd.spec.names.kind)
        .filter(|kind| !conditions_of(kind).is_empty())
        .collect();
    let having: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| conditions_of(kind).contains(&condition)).collect();
    if having.len() == kinds.len() { "all".to_owned() } else { having.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_belongs_to_a_kind() {
        for condition in ConditionType::ALL {
            assert_ne!(kinds_with(condition), "", "{condition}");
        }
        assert_eq!(kinds_with(ConditionType::Ready), "all");
        assert_eq!(kinds_with(ConditionType::Claimed), "ChannelConnection");
    }
}

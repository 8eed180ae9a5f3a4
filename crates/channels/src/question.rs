//! Questions that people answer with a button.

use crate::SendError;

/// Before a button's value where a platform's buttons may also stand for what a person says.
const MARK: &str = "offer:";

/// What is asked. What becomes of a press is for whoever made the values.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Markdown.
    pub text: &'a str,
    pub choices: &'a [Choice<'a>],
}

/// A button.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    pub title: &'a str,
    /// Comes back when it is pressed: an offer's id and which of its choices it is.
    pub value: &'a str,
}

/// What a platform's buttons may be like; lengths in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buttons {
    pub most: usize,
    pub title_max: usize,
}

impl Buttons {
    /// Nothing is cut: half a choice is another one.
    pub(crate) fn fit(self, question: &Question<'_>) -> Result<(), SendError> {
        let Self { most, title_max } = self;
        let choices = question.choices;
        let refused = |reason: String| Err(SendError::Rejected { reason });
        if choices.is_empty() || choices.len() > most {
            return refused(format!("a question has 1 to {most} choices here, not {}", choices.len()));
        }
        for (place, Choice { title, .. }) in choices.iter().enumerate() {
            let length = title.encode_utf16().count();
            if title.trim().is_empty() || length > title_max {
                return refused(format!("a choice has 1 to {title_max} characters here, not {length}"));
            }
            if choices[..place].iter().any(|other| other.title == *title) {
                return refused(format!("two choices are called {title:?}"));
            }
        }
        Ok(())
    }
}

/// A value as it goes into a button.
pub(crate) fn marked(value: &str) -> String {
    format!("{MARK}{value}")
}

/// The value of a button that was made for a question.
pub(crate) fn value_of(data: &str) -> Option<&str> {
    data.strip_prefix(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let buttons = Buttons { most: 2, title_max: 4 };
        let asked = |titles: &[&str]| {
            let choices: Vec<_> = titles.iter().map(|title| Choice { title, value: "" }).collect();
            buttons.fit(&Question { text: "?", choices: &choices }).map_err(|error| error.to_string())
        };
        assert_eq!(asked(&["yes", "no"]), Ok(()));
        for (titles, expected) in [
            (&[][..], "1 to 2 choices"),
            (&["a", "b", "c"], "not 3"),
            (&["yes", " "], "1 to 4 characters"),
            (&["yes, please"], "not 11"),
            (&["yes", "yes"], "two choices"),
        ] {
            assert!(asked(titles).unwrap_err().contains(expected), "{titles:?}");
        }
    }

    #[test]
    fn a_value_comes_back_from_its_button_and_not_from_another() {
        assert_eq!(value_of(&marked("1.0")), Some("1.0"));
        assert_eq!(value_of("approve"), None);
    }
}

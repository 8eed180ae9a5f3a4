//! Business hours as they are declared. Pure.

use konstruct_crds::{BusinessHours, Reason, Weekday};
use konstruct_domain::hours::{Day, Hours, InvalidHours, minutes};

use crate::Problem;

/// The schema has checked the words; whether the time zone exists shows here.
pub(super) fn validate(declared: &BusinessHours) -> Result<Hours, Problem> {
    let problem = |field: &str, message: String| {
        Problem::new(Reason::InvalidSpec, format!("spec.businessHours{field}"), message)
    };
    let BusinessHours { time_zone, days, from, to, text } = declared;
    let time = |field: &str, text: &str| {
        minutes(text).ok_or_else(|| problem(field, format!("{text:?} is no time of day: write it as 09:00")))
    };
    let hours = Hours {
        time_zone: time_zone.clone(),
        days: days.iter().copied().map(day).collect(),
        from: time(".from", from)?,
        to: time(".to", to)?,
        text: text.clone(),
    };
    hours.check().map_err(|error| {
        let field = match error {
            InvalidHours::TimeZone(_) => ".timeZone",
            InvalidHours::NoDays => ".days",
            InvalidHours::Order => "",
        };
        problem(field, error.to_string())
    })?;
    Ok(hours)
}

const fn day(day: Weekday) -> Day {
    match day {
        Weekday::Mon => Day::Mon,
        Weekday::Tue => Day::Tue,
        Weekday::Wed => Day::Wed,
        Weekday::Thu => Day::Thu,
        Weekday::Fri => Day::Fri,
        Weekday::Sat => Day::Sat,
        Weekday::Sun => Day::Sun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(time_zone: &str, from: &str, to: &str) -> BusinessHours {
        let (time_zone, from, to) = (time_zone.to_owned(), from.to_owned(), to.to_owned());
        BusinessHours { time_zone, days: vec![Weekday::Mon], from, to, text: "Back {time}.".to_owned() }
    }

    #[test]
    fn hours_are_read_and_mistakes_are_said_with_their_field() {
        let hours = validate(&declared("Europe/Berlin", "09:00", "24:00")).unwrap();
        assert_eq!((hours.from, hours.to, hours.text.as_str()), (540, 1440, "Back {time}."));
        let field = |time_zone, from, to| validate(&declared(time_zone, from, to)).unwrap_err().field;
        assert_eq!(field("Europe/Atlantis", "09:00", "17:00"), "spec.businessHours.timeZone");
        assert_eq!(field("UTC", "9", "17:00"), "spec.businessHours.from");
        assert_eq!(field("UTC", "09:00", "25:00"), "spec.businessHours.to");
        assert_eq!(field("UTC", "17:00", "09:00"), "spec.businessHours");
    }
}

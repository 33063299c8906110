//! Windows in which restarts may start: between two times of day, on a range of weekdays, in a time zone.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A window that opens on some days of each week, by the clock of its zone. Daylight saving time
/// changes it as little as possible: a time that is skipped means the first moment after the gap;
/// of a time that comes twice, a window opens at the first and closes at the second; and a window
/// that is skipped as a whole opens after the gap, with its full length.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// First day of the range.
    pub from: Weekday,
    /// Last day of the range; the same as `from` for one day. The range may go over the end of a
    /// week.
    pub to: Weekday,
    /// Opens at this time.
    pub opens: Time,
    /// Closes at this time; on the next day, unless that is after `opens`.
    pub closes: Time,
    /// In this zone.
    pub zone: TimeZone,
}

/// The number of days, from yesterday on, within which every window opens.
const DAYS_AHEAD: i32 = 9;

impl Window {
    /// Reads `Mon-Fri 02:00-04:00 Europe/Berlin`, or one day instead of the range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split_whitespace();
        let (days, times, zone) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (from, to) = days.split_once('-').unwrap_or((days, days));
        let (opens, closes) = times.split_once('-')?;
        Some(Self {
            from: weekday(from)?,
            to: weekday(to)?,
            opens: time(opens)?,
            closes: time(closes)?,
            zone: TimeZone::get(zone).ok()?,
        })
    }

    /// True if restarts may start at this instant.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.openings(at)
            .any(|(opens, closes)| opens <= at && at < closes)
    }

    /// The first instant, from `after` on, at which restarts may start; [`Timestamp::MAX`] if
    /// there is none.
    #[must_use]
    pub fn next_opening(&self, after: Timestamp) -> Timestamp {
        let to_come = self.openings(after).filter(|(_, closes)| after < *closes);
        to_come
            .map(|(opens, _)| opens.max(after))
            .min()
            .unwrap_or(Timestamp::MAX)
    }

    /// The instants at which it opens and closes, from the day before `around` on.
    fn openings(&self, around: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(around).date();
        let days = (-1..DAYS_AHEAD).filter_map(move |days| today.checked_add(days.days()).ok());
        days.filter(|day| self.opens_on(day.weekday()))
            .filter_map(|day| self.opening(day))
    }

    fn opens_on(&self, day: Weekday) -> bool {
        let since = |other: Weekday| {
            (other.to_monday_zero_offset() - self.from.to_monday_zero_offset()).rem_euclid(7)
        };
        since(day) <= since(self.to)
    }

    fn opening(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let (closing_day, length) = if self.closes > self.opens {
            (day, self.opens.duration_until(self.closes))
        } else {
            (
                day.tomorrow().ok()?,
                SignedDuration::from_hours(24) - self.closes.duration_until(self.opens),
            )
        };
        let opens = self
            .zone
            .to_ambiguous_timestamp(day.to_datetime(self.opens))
            .compatible()
            .ok()?;
        let opens = self.after_gap(day, self.opens).unwrap_or(opens);
        let closes = self
            .zone
            .to_ambiguous_timestamp(closing_day.to_datetime(self.closes));
        let closes = self
            .after_gap(closing_day, self.closes)
            .map_or_else(|| closes.later().ok(), Some)?;
        Some((
            opens,
            if closes > opens {
                closes
            } else {
                opens.saturating_add(length).ok()?
            },
        ))
    }

    /// The end of the gap in which a time of day lies.
    fn after_gap(&self, day: Date, time: Time) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(day.to_datetime(time));
        let AmbiguousOffset::Gap { .. } = ambiguous.offset() else {
            return None;
        };
        // The old clock says a time before the gap, the new clock one after it. The change of the
        // clock lies between the two.
        self.zone
            .following(ambiguous.earlier().ok()?)
            .next()
            .map(|transition| transition.timestamp())
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "Mon" => Weekday::Monday,
        "Tue" => Weekday::Tuesday,
        "Wed" => Weekday::Wednesday,
        "Thu" => Weekday::Thursday,
        "Fri" => Weekday::Friday,
        "Sat" => Weekday::Saturday,
        "Sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// Reads `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text
        .split_once(':')
        .filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        Window::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The next opening of a window, and for how long it is open then, to the minute.
    fn next(text: &str, after: &str) -> (String, i64) {
        let window = window(text);
        let opens = window.next_opening(at(after));
        let minutes = (0..3000)
            .find(|minutes| !window.is_open(opens + SignedDuration::from_mins(*minutes)))
            .unwrap();
        (opens.to_string(), minutes)
    }

    #[test]
    fn it_opens_and_closes_by_the_clock_of_its_zone() {
        let window = window("Mon-Fri 02:00-04:00 Europe/Berlin");

        assert!(
            window.is_open(at("2026-01-30T01:00:00Z"))
                && window.is_open(at("2026-01-30T02:59:59Z"))
        );
        assert!(
            !window.is_open(at("2026-01-30T00:59:59Z"))
                && !window.is_open(at("2026-01-30T03:00:00Z"))
        );
        assert!(!window.is_open(at("2026-01-31T02:00:00Z")), "a Saturday");
    }

    #[test]
    fn from_friday_on_the_next_opening_is_on_monday() {
        assert_eq!(
            next("Mon-Fri 02:00-04:00 Europe/Berlin", "2026-01-30T03:00:00Z"),
            ("2026-02-02T01:00:00Z".to_owned(), 120)
        );
        assert_eq!(
            next("Fri 02:00-04:00 UTC", "2026-01-30T04:00:00Z"),
            ("2026-02-06T02:00:00Z".to_owned(), 120)
        );
    }

    #[test]
    fn while_it_is_open_the_next_opening_is_now() {
        let now = at("2026-01-30T02:30:00Z");

        assert_eq!(window("Fri 02:00-04:00 UTC").next_opening(now), now);
    }

    #[test]
    fn a_window_of_three_minutes_is_not_missed_just_before_it_opens_and_while_it_is_open() {
        for (after, opens, minutes) in [
            ("2026-01-30T01:51:00Z", "2026-01-30T02:00:00Z", 3),
            ("2026-01-30T01:59:59Z", "2026-01-30T02:00:00Z", 3),
            ("2026-01-30T02:02:00Z", "2026-01-30T02:02:00Z", 1),
            ("2026-01-30T02:03:00Z", "2026-01-31T02:00:00Z", 3),
        ] {
            assert_eq!(
                next("Mon-Sun 02:00-02:03 UTC", after),
                (opens.to_owned(), minutes),
                "{after}"
            );
        }
    }

    #[test]
    fn over_midnight_it_belongs_to_the_day_on_which_it_opens() {
        let window = window("Fri 22:00-02:00 UTC");

        assert!(
            window.is_open(at("2026-01-31T01:59:00Z"))
                && !window.is_open(at("2026-01-30T01:59:00Z"))
        );
    }

    #[test]
    fn days_may_go_over_the_end_of_the_week_and_equal_times_are_a_whole_day() {
        assert_eq!(
            next("Sat-Mon 10:00-11:00 UTC", "2026-01-28T00:00:00Z"),
            ("2026-01-31T10:00:00Z".to_owned(), 60)
        );
        assert_eq!(
            next("Sat 00:00-00:00 UTC", "2026-01-28T00:00:00Z"),
            ("2026-01-31T00:00:00Z".to_owned(), 1440)
        );
    }

    #[test]
    fn a_time_that_daylight_saving_leaves_out_is_the_end_of_the_gap() {
        // On 2026-03-29 Berlin's clocks go from 02:00 to 03:00, at 01:00 UTC.
        assert_eq!(
            next("Sun 02:30-04:00 Europe/Berlin", "2026-03-28T12:00:00Z"),
            ("2026-03-29T01:00:00Z".to_owned(), 60)
        );
        assert_eq!(
            next("Sun 01:00-02:30 Europe/Berlin", "2026-03-28T12:00:00Z"),
            ("2026-03-29T00:00:00Z".to_owned(), 60)
        );
        assert_eq!(
            next("Sun 02:10-02:50 Europe/Berlin", "2026-03-28T12:00:00Z"),
            ("2026-03-29T01:00:00Z".to_owned(), 40)
        );
    }

    #[test]
    fn a_time_that_comes_twice_opens_at_the_first_and_closes_at_the_second() {
        // On 2026-10-25 Berlin's clocks go from 03:00 back to 02:00, at 01:00 UTC.
        assert_eq!(
            next("Sun 02:30-04:00 Europe/Berlin", "2026-10-24T12:00:00Z"),
            ("2026-10-25T00:30:00Z".to_owned(), 150)
        );
        assert_eq!(
            next("Sun 01:00-02:30 Europe/Berlin", "2026-10-24T12:00:00Z"),
            ("2026-10-24T23:00:00Z".to_owned(), 150)
        );
    }

    #[test]
    fn a_gap_at_midnight_delays_what_opens_then() {
        // On 2018-11-04 São Paulo's clocks went from 00:00 to 01:00, at 03:00 UTC.
        assert_eq!(
            next("Sun 00:00-02:00 America/Sao_Paulo", "2018-11-03T12:00:00Z"),
            ("2018-11-04T03:00:00Z".to_owned(), 60)
        );
    }

    #[test]
    fn nothing_open_lies_before_the_next_opening() {
        for text in [
            "Mon-Fri 02:00-04:00 Europe/Berlin",
            "Sat-Mon 22:15-01:45 America/New_York",
            "Sun 02:15-02:45 Australia/Lord_Howe",
            "Wed 00:00-00:00 UTC",
        ] {
            let window = window(text);
            for hour in 0..(24 * 365) {
                let after = at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(hour);
                let opens = window.next_opening(after);

                assert!(opens >= after && window.is_open(opens), "{text}: {after}");
                if opens > after {
                    assert!(
                        !window.is_open(after)
                            && !window.is_open(opens - SignedDuration::from_secs(1)),
                        "{text}: {after}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        for text in [
            "Mon-Sun 02:00-04:00 Europe/Berlin",
            "Fri 22:00-02:00 Pacific/Apia",
        ] {
            for instant in [Timestamp::MIN, Timestamp::MAX] {
                let _ = (
                    window(text).is_open(instant),
                    window(text).next_opening(instant),
                );
            }
        }
    }
}

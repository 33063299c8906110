//! The page: HTML and SVG without a script, light or dark as the reader's system is.

use std::fmt::Write as _;

use super::scale::{Height, LEFT, RIGHT, Time};
use super::seen::{Change, Reader, Seen, Service, Tasks};

/// The height of a service's row.
const ROW: f64 = 72.0;
/// The lower end of the areas in the first row.
const FIRST: f64 = 78.0;
/// The left end of the names.
const NAMES: f64 = 20.0;

/// The page of these changes.
pub(super) fn page(seen: &Seen, changes: &[Change]) -> String {
    let mut html = HEAD.to_owned();
    for change in changes {
        html.push_str(&section(seen, change));
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecs-reloader: what each change did</title>
<style>
:root { color-scheme: light dark; --ground: #ffffff; --text: #16191d; --muted: #5f6b7a;
  --old: #b8c0ca; --new: #1f8a5f; --mark: #4a8fc0; --floor: #16191d; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e141f; --text: #e6edf3;
  --muted: #9aa4b2; --old: #46505c; --new: #3fcf8e; --mark: #4a8fc0; --floor: #e6edf3; } }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 13px/1.4 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 8px 20px; }
h2 { font-size: 16px; margin: 20px 0 4px; }
p { margin: 0 0 4px; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
text { fill: var(--muted); } .name { fill: var(--text); font-size: 13px; }
.old { fill: var(--old); } .new { fill: var(--new); }
.mark { stroke: var(--mark); } .floor { stroke: var(--floor); stroke-dasharray: 2 3; }
</style>
</head>
<body>
<main>
"#;

/// One change: a sentence, and the areas of each service that reads it.
fn section(seen: &Seen, change: &Change) -> String {
    let title = escaped(&format!("{}, version {}", change.key, change.version));
    let sentence = escaped(&sentence(seen, change));
    let rows: Vec<(&Reader, &Service)> = change
        .services
        .iter()
        .filter_map(|reader| Some((reader, seen.of(reader)?)))
        .collect();
    let time = Time::between(change.at, change.until);
    let bottom = FIRST + ROW * places(rows.len()) - 36.0;
    let height = bottom + 32.0;
    let mut html = format!(
        "<h2>{title}</h2>\n<p>{sentence}</p>\n<svg viewBox=\"0 0 1080 {height}\" role=\"img\">\n\
         <title>{title}: {sentence}</title>\n"
    );
    let mut base = FIRST;
    for (reader, service) in rows {
        row(&mut html, reader, service, change, &time, base);
        base += ROW;
    }
    marks(&mut html, change, &time, bottom);
    for (second, x) in time.ticks() {
        text(
            &mut html,
            x,
            bottom + 20.0,
            "middle",
            &format!("{second} s"),
        );
    }
    html.push_str("</svg>\n");
    html
}

/// The vertical lines of the instants, and their names above.
fn marks(html: &mut String, change: &Change, time: &Time, bottom: f64) {
    let mut names = format!("changed {}", change.at.strftime("%H:%M:%S"));
    let known = [("heard", change.heard_at), ("decided", change.decided_at)];
    let known = known.into_iter().filter_map(|(name, at)| Some((name, at?)));
    for (name, at) in known.clone() {
        let _ = write!(names, " · {name} + {:.1} s", time.seconds_until(at));
    }
    for at in [change.at].into_iter().chain(known.map(|(_, at)| at)) {
        let x = time.place(at);
        let _ = writeln!(
            html,
            r#"<line class="mark" x1="{x:.1}" y1="20" x2="{x:.1}" y2="{bottom:.1}"/>"#
        );
    }
    text(html, NAMES, 14.0, "start", "grey old, green new");
    text(html, LEFT, 14.0, "start", &names);
}

/// One service: its areas, its floor, and how it ended.
fn row(
    html: &mut String,
    reader: &Reader,
    service: &Service,
    change: &Change,
    time: &Time,
    base: f64,
) {
    let tasks = service.since(change);
    let most = tasks.iter().map(|tasks| tasks.old + tasks.new).max();
    let height = Height::of(most.unwrap_or_default().max(service.desired));
    let name = escaped(&reader.name);
    let _ = writeln!(
        html,
        r#"<text class="name" x="{NAMES}" y="{:.1}">{name}</text>"#,
        base - 14.0
    );
    let count = format!("{} task{}", service.desired, plural(service.desired));
    text(html, NAMES, base + 2.0, "start", &count);
    area(html, "new", &tasks, time, base, |tasks| {
        height.of_tasks(tasks.old + tasks.new)
    });
    area(html, "old", &tasks, time, base, |tasks| {
        height.of_tasks(tasks.old)
    });
    let floor = base - height.of_tasks(service.floor);
    let _ = writeln!(
        html,
        r#"<line class="floor" x1="{LEFT}" y1="{floor:.1}" x2="{RIGHT}" y2="{floor:.1}"/>"#
    );
    text(
        html,
        RIGHT,
        base + 16.0,
        "end",
        &end(reader, service, change),
    );
}

/// An area with steps, from the base up to the height of the tasks at each time.
fn area(
    html: &mut String,
    class: &str,
    tasks: &[Tasks],
    time: &Time,
    base: f64,
    height: impl Fn(&Tasks) -> f64,
) {
    let mut path = format!("M{LEFT:.1} {base:.1}");
    for (place, now) in tasks.iter().enumerate() {
        let top = base - height(now);
        let from = time.place(now.at);
        let until = tasks
            .get(place + 1)
            .map_or(RIGHT, |next| time.place(next.at));
        let _ = write!(path, "L{from:.1} {top:.1}L{until:.1} {top:.1}");
    }
    let _ = writeln!(
        html,
        r#"<path class="{class}" d="{path}L{RIGHT} {base:.1}Z"/>"#
    );
}

/// How a service ended.
fn end(reader: &Reader, service: &Service, change: &Change) -> String {
    match (service.fresh_at(change), &reader.held_by) {
        (Some(at), _) => {
            let seconds = at.duration_since(change.at).as_secs_f64();
            format!("all fresh after {seconds:.1} s")
        }
        (None, Some(why)) => why.clone(),
        (None, None) => "old tasks still run".to_owned(),
    }
}

/// The result in one sentence.
fn sentence(seen: &Seen, change: &Change) -> String {
    let mut all = 0;
    let mut read = 0;
    let mut latest = change.at;
    for service in change.services.iter().filter_map(|reader| seen.of(reader)) {
        all += service.desired;
        if let Some(last) = service.since(change).last() {
            read += last.new.min(service.desired);
        }
        latest = service.fresh_at(change).unwrap_or(latest).max(latest);
    }
    let is_short = |reader: &&Reader| {
        seen.of(reader).is_some_and(|service| {
            let since = service.since(change);
            since
                .iter()
                .any(|tasks| tasks.old + tasks.new < service.floor)
        })
    };
    let short = change.services.iter().filter(is_short);
    let short: Vec<_> = short.map(|reader| reader.name.as_str()).collect();
    let floors = if short.is_empty() {
        "no service was below its floor (dotted)".to_owned()
    } else {
        format!("below their floor (dotted): {}", short.join(", "))
    };
    if read == 0 {
        return format!("None of {all} tasks runs on it; {floors}.");
    }
    let seconds = latest.duration_since(change.at).as_secs_f64();
    format!("{read} of {all} tasks read it within {seconds:.1} s; {floors}.")
}

fn text(html: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        html,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn places(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A text for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::{change, seen};
    use super::*;

    fn page_of(samples: &[(i64, &[u64])]) -> String {
        page(&seen(samples), &[change()])
    }

    #[test]
    fn a_service_that_rolled_has_its_time() {
        let page = page_of(&[(0, &[1, 1]), (12, &[1, 1, 2]), (16, &[2, 2])]);

        assert!(page.contains("all fresh after 6.0 s"), "{page}");
        assert!(page.contains("2 of 2 tasks read it within 6.0 s"), "{page}");
        assert!(page.contains("no service was below its floor"), "{page}");
    }

    #[test]
    fn a_service_whose_old_tasks_run_has_its_reason_escaped() {
        let page = page_of(&[(0, &[1, 1])]);

        assert!(page.contains("held by &lt;its owner&gt;"), "{page}");
        assert!(page.contains("None of 2 tasks runs on it"), "{page}");
    }

    #[test]
    fn a_service_below_its_floor_is_named() {
        let page = page_of(&[(0, &[1, 1]), (12, &[2]), (14, &[2, 2])]);

        assert!(
            page.contains("below their floor (dotted): web/api"),
            "{page}"
        );
    }

    #[test]
    fn the_page_is_one_file_without_a_script() {
        let page = page_of(&[(0, &[1, 1])]);

        for forbidden in ["<script", "http:", "https:", "src=", "href="] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
    }
}

//! Plots as SVG, with logarithmic scales: the contestants are far apart.

use std::fmt::Write as _;

/// Colours that people with any sight tell apart: Okabe and Ito, "Color Universal Design".
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

const WIDTH: f64 = 720.0;
/// The room for names and numbers at the left of the drawing.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 80.0;
const TOP: f64 = 40.0;
const ROW: f64 = 26.0;

/// A line of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// Places and values.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A logarithmic scale over a range of pixels.
#[derive(Clone, Copy, Debug)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale of whole decades around the values.
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).max(1e-3);
        let most = values.fold(least, f64::max);
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        Self {
            low,
            high: if high > low { high } else { low + 1.0 },
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.max(1e-3).log10() - self.low) / (self.high - self.low);
        self.from + part * (self.to - self.from)
    }

    /// The powers of ten in it.
    fn decades(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        (0..32)
            .map(move |step| low + f64::from(step))
            .take_while(move |power| *power <= high)
            .map(|power| 10f64.powf(power))
    }
}

/// One bar for each name.
pub(crate) fn bars(title: &str, bars: impl Iterator<Item = (String, f64)>) -> String {
    let bars: Vec<_> = bars.collect();
    let scale = Scale::new(bars.iter().map(|(_, value)| *value), LEFT, WIDTH - RIGHT);
    let rows = f64::from(u32::try_from(bars.len()).unwrap_or_default());
    let bottom = TOP + rows * ROW;
    let mut svg = begin(title, bottom + 30.0);
    upright(&mut svg, &scale, bottom);
    let mut y = TOP;
    for ((name, value), colour) in bars.iter().zip(COLOURS.iter().cycle()) {
        let end = scale.place(*value);
        let (width, middle) = (end - LEFT, y + ROW / 2.0 + 4.0);
        text(&mut svg, (LEFT - 8.0, middle), "end", name);
        let _ = writeln!(
            svg,
            r#"<rect x="{LEFT}" y="{:.1}" width="{width:.1}" height="{:.1}" fill="{colour}"/>"#,
            y + 4.0,
            ROW - 8.0
        );
        text(&mut svg, (end + 6.0, middle), "start", &short(*value));
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lines over a logarithmic ground, with their names at their ends.
pub(crate) fn lines(title: &str, lines: &[Line]) -> String {
    let (left, right, bottom) = (70.0, 190.0, 340.0);
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let across = Scale::new(points().map(|(x, _)| *x), left, WIDTH - right);
    let up = Scale::new(points().map(|(_, y)| *y), bottom, TOP);
    let mut svg = begin(title, bottom + 30.0);
    upright(&mut svg, &across, bottom);
    for value in up.decades() {
        let y = up.place(value);
        rule(&mut svg, (left, y), (WIDTH - right, y));
        text(&mut svg, (left - 8.0, y + 4.0), "end", &short(value));
    }
    let mut names = Vec::new();
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let places = line
            .points
            .iter()
            .map(|(x, y)| (across.place(*x), up.place(*y)));
        let places: Vec<_> = places.collect();
        let path: Vec<_> = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let path = path.join(" ");
        let _ = writeln!(
            svg,
            r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#
        );
        if let Some((x, y)) = places.last() {
            names.push((*x + 8.0, *y + 4.0, line.name.as_str(), *colour));
        }
    }
    label(&mut svg, names);
    svg.push_str("</svg>\n");
    svg
}

/// Names at the ends of lines, moved down where they would cover each other.
fn label(svg: &mut String, mut names: Vec<(f64, f64, &str, &str)>) {
    names.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut free = 0.0;
    for (x, y, name, colour) in names {
        let y = f64::max(y, free);
        free = y + 15.0;
        let _ = writeln!(
            svg,
            r#"<text x="{x:.1}" y="{y:.1}" fill="{colour}">{name}</text>"#
        );
    }
}

fn begin(title: &str, height: f64) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<title>{title}</title>
<rect width="{WIDTH}" height="{height}" fill="white"/>
<text x="10" y="22" font-weight="bold">{title}</text>
"#
    )
}

/// The lines of the decades, with their numbers below.
fn upright(svg: &mut String, scale: &Scale, bottom: f64) {
    for value in scale.decades() {
        let x = scale.place(value);
        rule(svg, (x, TOP), (x, bottom));
        text(svg, (x, bottom + 18.0), "middle", &short(value));
    }
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="#dddddd"/>"##
    );
}

fn text(svg: &mut String, place: (f64, f64), anchor: &str, text: &str) {
    let (x, y) = place;
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

/// A number with as many digits as matter.
fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 && value.fract() < 1e-9 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_begins_and_ends_with_a_power_of_ten() {
        let scale = Scale::new([3.0, 250.0].into_iter(), 0.0, 300.0);

        assert_eq!(
            scale.decades().map(short).collect::<Vec<_>>(),
            ["1", "10", "100", "1000"]
        );
        assert!((scale.place(10.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn names_at_the_ends_of_lines_do_not_cover_each_other() {
        let mut svg = String::new();

        label(
            &mut svg,
            vec![(1.0, 20.0, "one", "red"), (1.0, 21.0, "other", "red")],
        );

        assert!(
            svg.contains(r#"y="20.0""#) && svg.contains(r#"y="35.0""#),
            "{svg}"
        );
    }
}

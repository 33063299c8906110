//! The values of tags. Each function reads one, or answers the text that it expects.

use jiff::{SignedDuration, Timestamp};

use crate::domain::window::Window;

/// The way in which a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// A forced deployment of Amazon ECS.
    Deploy,
    /// A CodeDeploy deployment of the same task definition.
    CodeDeploy,
    /// `StopTask`, one task at a time.
    StopTasks,
    /// An HTTP request to each task.
    HotReload,
}

/// The mode of a service: it says if decisions about it are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Restart.
    #[default]
    Auto,
    /// Decide and report, restart nothing.
    Notify,
    /// Restart nothing.
    Off,
}

/// A pause, in which restarts are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Until the tag is removed.
    UntilRemoved,
    /// Until an instant.
    Until(Timestamp),
}

/// The HTTP request by which each task reloads its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// The container's port.
    pub port: u16,
    /// With its leading slash.
    pub path: String,
}

/// The text that [`parse_duration`] expects.
pub const DURATION: &str = "a duration such as 90s, 10m or 1h";

/// Reads `90s`, `10m`, `1h`, `1h 30m`; nothing negative.
#[must_use]
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    text.parse::<SignedDuration>()
        .ok()
        .filter(|duration| !duration.is_negative())
}

pub(super) fn duration(value: &str) -> Result<SignedDuration, &'static str> {
    parse_duration(value).ok_or(DURATION)
}

pub(super) fn strategy(value: &str) -> Result<Strategy, &'static str> {
    match value {
        "deploy" => Ok(Strategy::Deploy),
        "code-deploy" => Ok(Strategy::CodeDeploy),
        "stop-tasks" => Ok(Strategy::StopTasks),
        "hot-reload" => Ok(Strategy::HotReload),
        _ => Err("deploy, code-deploy, stop-tasks or hot-reload"),
    }
}

pub(super) fn mode(value: &str) -> Result<Mode, &'static str> {
    match value {
        "auto" => Ok(Mode::Auto),
        "notify" => Ok(Mode::Notify),
        "off" => Ok(Mode::Off),
        _ => Err("auto, notify or off"),
    }
}

pub(super) fn pause(value: &str) -> Result<Pause, &'static str> {
    if value == "true" {
        return Ok(Pause::UntilRemoved);
    }
    let expected =
        "true or an instant such as 2026-01-31T10:00:00Z; remove the tag to end the pause";
    value.parse().map(Pause::Until).map_err(|_| expected)
}

pub(super) fn order(value: &str) -> Result<u8, &'static str> {
    let order = value.parse().ok().filter(|order| *order <= 99);
    order.ok_or("a number from 0 to 99")
}

pub(super) fn window(value: &str) -> Result<Window, &'static str> {
    Window::parse(value)
        .ok_or("days, times and a time zone, such as Mon-Fri 02:00-04:00 Europe/Berlin")
}

pub(super) fn endpoint(value: &str) -> Result<Endpoint, &'static str> {
    parse_endpoint(value).ok_or("a method, a port and a path, such as POST 8080/-/reload")
}

fn parse_endpoint(text: &str) -> Option<Endpoint> {
    let (method, target) = text.split_once(' ')?;
    let (port, path) = target.split_once('/')?;
    ["GET", "POST", "PUT"].contains(&method).then_some(())?;
    Some(Endpoint {
        method: method.to_owned(),
        port: port.parse().ok().filter(|port| *port != 0)?,
        path: format!("/{path}"),
    })
}

/// The application and the deployment group.
pub(super) fn code_deploy(value: &str) -> Result<(String, String), &'static str> {
    match value.split_once('/') {
        Some((application, group)) if !application.is_empty() && !group.is_empty() => {
            Ok((application.to_owned(), group.to_owned()))
        }
        _ => Err("application/deployment-group"),
    }
}

/// Reads a tag that has one value only.
pub(super) fn only(value: &str, word: &'static str) -> Result<bool, &'static str> {
    if value == word { Ok(true) } else { Err(word) }
}

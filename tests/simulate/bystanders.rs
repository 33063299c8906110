//! Services that nothing may restart: their tags are invalid or unsupported, they are gone, or they
//! watch nothing.

use fastrand::Rng;
use sim::{Account, Controller, service};

/// Services of which every history has at most one.
pub(crate) fn add(rng: &mut Rng, account: &Account) {
    let watching = |name: &str| service(name).watching("ssm:/app/ secret:prod/s");
    let bystander = match rng.usize(..16) {
        0 => watching("web/invalid").tag("reloader:min-interval", "soon"),
        1 => watching("web/external").controller(Controller::External),
        2 => watching("web/code-deploy").controller(Controller::CodeDeploy),
        3 => watching("web/inactive").inactive(),
        4 => watching("web/draining").draining(),
        5 => watching("web/stops-tasks").tag("reloader:strategy", "stop-tasks"),
        6 => service("web/plain"),
        _ => return,
    };
    account.add(bystander);
}

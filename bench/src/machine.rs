//! What a run ran on, and with.

use std::path::Path;

use crate::baseline::version_of;
use crate::clock;
use crate::failure::Failure;

/// The lines above the tables: the date, the machine, and these versions.
pub(crate) fn head(versions: &[String]) -> Result<Vec<String>, Failure> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("an unknown processor", |line| {
        line.trim_start_matches([' ', '\t', ':'])
    });
    let processors = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = read("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let system = system.unwrap_or("an unknown system").trim_matches('"');
    Ok(vec![
        clock::now().strftime("%Y-%m-%d").to_string(),
        format!("{processors} of {model}"),
        format!("{system}, Linux {}", kernel.trim()),
        versions.join(", "),
    ])
}

/// The versions of the compiler and of valgrind, and of Go and Python if they are there.
pub(crate) fn versions(python: &Path) -> Vec<String> {
    let python = python.display().to_string();
    let packages = std::fs::read_to_string("bench/contestants/requirements.txt");
    let programs = ["rustc", "valgrind", &python].map(version_of);
    let go = std::process::Command::new("go").arg("version").output();
    let go = go.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let packages = packages.unwrap_or_default();
    let packages = packages.lines().map(|line| line.replace("==", " "));
    programs
        .into_iter()
        .flatten()
        .chain(go)
        .chain(packages)
        .collect()
}

//! The real binary, as Lambda starts it.

use std::process::Command;

#[test]
fn a_wrong_setting_is_reported_in_one_line_of_json_and_nowhere_else() {
    let mut binary = Command::new(env!("CARGO_BIN_EXE_ecs-reloader-lambda"));

    let ended = binary
        .env_clear()
        .env("RELOADER_MODE", "sometimes")
        .output()
        .unwrap();

    let lines: Vec<serde_json::Value> = String::from_utf8(ended.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (
            ended.status.code(),
            lines.len(),
            String::from_utf8(ended.stderr).unwrap()
        ),
        (Some(1), 1, String::new())
    );
    assert_eq!(
        (&lines[0]["level"], &lines[0]["message"]),
        (
            &"ERROR".into(),
            &"the function cannot start, or cannot continue".into()
        )
    );
    assert_eq!(
        lines[0]["error"],
        "invalid settings: RELOADER_MODE=\"sometimes\" is not enforce or notify"
    );
}

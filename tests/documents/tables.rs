//! Tables that list everything of a kind, and agree with the code and the template.

use std::collections::{BTreeMap, BTreeSet};

use ecs_reloader::aws::{QUOTAS, Quota};
use ecs_reloader::settings::{self, Settings};

use crate::markdown::cells;
use crate::names::{alarms, outputs, parameters};
use crate::{document, documents, read};

#[test]
fn every_parameter_of_the_template_has_its_row_with_default_and_variable() {
    let page = document("docs/settings.md");
    let variables = variables();
    for (name, default) in parameters() {
        let row = page
            .prose
            .iter()
            .find(|line| line.starts_with(&format!("| `{name}` |")))
            .unwrap_or_else(|| panic!("{name} has no row"));
        let row = cells(row);
        let variable = variables
            .get(&name)
            .map_or("–".to_owned(), |variable| format!("`{variable}`"));

        assert_eq!(row[2], variable, "{name}");
        if default.is_empty() {
            assert!(["none", "all"].contains(&row[1]), "{name}: {}", row[1]);
        } else {
            assert_eq!(row[1], format!("`{default}`"), "{name}");
        }
    }
}

/// The variable that each parameter of the template sets.
fn variables() -> BTreeMap<String, String> {
    let template = read("template.yaml");
    let lines = template.lines().map(str::trim);
    let set = lines.filter_map(|line| {
        let (variable, value) = line.split_once(": ")?;
        let parameter = value.split("!Ref ").nth(1)?;
        let parameter = parameter.split([',', ']']).next()?;
        variable
            .starts_with("RELOADER_")
            .then(|| (parameter.to_owned(), variable.to_owned()))
    });
    set.collect()
}

#[test]
fn every_variable_that_is_read_is_explained() {
    let page = read("docs/settings.md");

    for name in settings::NAMES {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_bucket_of_the_account_has_its_row_with_what_is_taken() {
    let page = document("docs/cost-and-limits.md");
    let has_row = |calls: &[&str], ours: &str| {
        let calls: Vec<_> = calls.iter().map(|call| format!("`{call}`")).collect();
        page.prose
            .iter()
            .map(|line| cells(line))
            .any(|row| row[0] == calls.join(", ") && row.last() == Some(&ours))
    };
    for Quota { calls, limit } in QUOTAS {
        let ours = format!("{}, {}", limit.burst, limit.rate);

        assert!(has_row(calls, &ours), "{calls:?} {ours}");
    }
    let settings = Settings::load(&BTreeMap::new()).unwrap();
    let ours = format!("{}, {}", settings.restart_burst, settings.restart_rate);

    assert!(has_row(&["ecs:UpdateService"], &ours), "{ours}");
}

#[test]
fn every_alarm_has_a_section_with_a_command_a_query_or_a_pointer() {
    let page = document("docs/operations.md");
    for alarm in alarms() {
        let section = page.section(&format!("`{alarm}`"));

        assert!(
            section.iter().any(|line| line.len() > 40),
            "{alarm}: {section:?}"
        );
    }
    let described: BTreeSet<_> = page
        .prose
        .iter()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .map(str::to_owned)
        .collect();
    assert_eq!(described, alarms());
}

#[test]
fn the_sum_in_money_counts_the_metrics_and_alarms_that_there_are() {
    let page = read("docs/cost-and-limits.md");
    let (metrics, alarms) = (crate::fields::metrics().len() - 2, alarms().len());

    // All but `Services`, of which each reason makes one, and `Rollouts`, of which each outcome does.
    assert!(
        page.contains(&format!("| {metrics}, 5 reasons and 2 outcomes:")),
        "{metrics}"
    );
    assert!(
        page.contains(&format!(
            "| {alarms}: {:.2} |",
            f64::from(u32::try_from(alarms).unwrap()) / 10.0
        )),
        "{alarms}"
    );
}

/// The API actions of the function's role, without those of the tracing and of the customer's key.
fn actions_of_the_role() -> BTreeSet<String> {
    let template = read("template.yaml");
    let role = template.split("\n  Role:\n").nth(1).unwrap();
    let role = role.split("\n  LogGroup:\n").next().unwrap();
    let lines = role.lines().filter(|line| line.contains("Action:"));
    let actions = lines.flat_map(|line| actions_in(line.split_once("Action:").unwrap().1));
    actions
        .filter(|action| {
            !["sts:", "kms:", "xray:"]
                .iter()
                .any(|prefix| action.starts_with(prefix))
        })
        .collect()
}

/// The words of the form `service:Action`.
fn actions_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let actions = words.filter(|word| {
        word.split_once(':').is_some_and(|(service, action)| {
            service.chars().all(|c| c.is_ascii_lowercase() || c == '3')
                && !service.is_empty()
                && action.starts_with(|c: char| c.is_ascii_uppercase())
                && action.chars().all(char::is_alphanumeric)
        })
    });
    actions.map(str::to_owned).collect()
}

#[test]
fn the_terraform_example_allows_what_the_role_of_the_template_allows() {
    let page = document("docs/install.md");
    let example = page
        .blocks("hcl")
        .find(|block| block.text.contains("aws_iam_role_policy"))
        .unwrap();
    let policy = example.text.split("aws_iam_role_policy").nth(1).unwrap();
    let allowed: BTreeSet<_> = actions_in(policy)
        .into_iter()
        .filter(|action| !action.starts_with("aws:"))
        .collect();

    assert_eq!(allowed, actions_of_the_role());
}

#[test]
fn the_table_of_calls_names_every_call_of_the_role() {
    let page = document("docs/security.md");
    let listed: BTreeSet<_> = page
        .section("What it will never do")
        .into_iter()
        .skip_while(|line| !line.starts_with("| for |"))
        .flat_map(actions_in)
        .collect();
    // Lambda itself needs these to receive from the queue; its platform writes the log.
    let of_lambda = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ];
    let expected: BTreeSet<_> = actions_of_the_role()
        .into_iter()
        .filter(|action| !of_lambda.contains(&action.as_str()))
        .collect();

    assert_eq!(listed, expected);
}

#[test]
fn commands_name_parameters_and_outputs_of_the_template() {
    let (parameters, outputs): (BTreeSet<_>, _) = (parameters().into_keys().collect(), outputs());
    let (mut overrides, mut asked) = (0, 0);
    for page in documents() {
        let blocks = page.all_blocks().map(|block| block.text.as_str());
        for text in blocks.chain(page.prose.iter().map(String::as_str)) {
            for rest in text.split("--parameter-overrides ").skip(1) {
                let line = rest.split(['\n', '`']).next().unwrap();
                for (name, _) in line.split(' ').filter_map(|word| word.split_once('=')) {
                    let name = name.trim_matches('\'');
                    assert!(parameters.contains(name), "{}: {name}", page.path);
                    overrides += 1;
                }
            }
            for rest in text.split("$(output ").skip(1) {
                let name = rest.split(')').next().unwrap();
                assert!(outputs.contains(name), "{}: {name}", page.path);
                asked += 1;
            }
        }
    }
    assert!(overrides > 10 && asked > 5, "{overrides} {asked}");
}

"""Every command of the AWS CLI that the documents and the alarms print exists, with its parameters."""

import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "template.yaml", *sorted((ROOT / "docs").glob("*.md"))]
# Flags of the CLI itself, and commands of the CLI that are no call of an API.
OF_THE_CLI = {"query", "output", "region", "cli-binary-format", "cli-input-json"}
NOT_AN_API = {("logs", "tail"), ("s3", "cp")}
COMMAND = re.compile(r"aws ([a-z0-9]+) ([a-z][a-z0-9-]+)((?:[^`\n])*)")


def commands() -> list:
    found = {
        (page.name, *match.groups())
        for page in PAGES
        for line in page.read_text().splitlines()
        for start in [place.start() for place in re.finditer(r"\baws [a-z0-9]+ [a-z]", line)]
        if (match := COMMAND.match(line, start)) and match.groups()[:2] not in NOT_AN_API
    }
    return sorted(found)


@pytest.fixture(scope="module")
def session() -> botocore.session.Session:
    return botocore.session.get_session()


@pytest.mark.parametrize(("page", "service", "operation", "arguments"), commands())
def test_the_command_and_its_parameters_exist(page, service, operation, arguments, session):
    model = session.get_service_model({"s3api": "s3"}.get(service, service))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, page

    # What stands in a command substitution belongs to another command.
    own = re.sub(r'"\$\(.*\)"|"\$\(.*$', "", arguments).split(" | ")[0].split(" > ")[0]
    members = {xform_name(name, "-") for name in model.operation_model(names[operation]).input_shape.members}
    flags = set(re.findall(r" --([a-z-]+)", own)) - OF_THE_CLI
    # A flag of a boolean has a negative form.
    unknown = {flag for flag in flags if flag not in members and flag.removeprefix("no-") not in members}
    assert not unknown, page


def test_there_are_commands():
    assert len(commands()) > 30

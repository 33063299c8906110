"""The template and the function, deployed into ministack: from the upload of an object to the tasks that replace the old ones."""

import itertools
import json
import os
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers import Server, eventually
from stack import ROOT, Stack, deploy

BUCKET = "config-bucket"
AWS_SAMPLE_BUCKET = "amzn-s3-demo-bucket1"
OPERATOR = "arn:aws:iam::123456789012:role/on-call"
UNIQUE = itertools.count(1)
INVOCATION_SECONDS = 60


@pytest.fixture(scope="module")
def stack(ministack_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    s3 = ministack_server.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})
    parameters = {"Architecture": "x86_64", "CloudTrail": "true", "ConfigBuckets": f"{BUCKET},{AWS_SAMPLE_BUCKET}", "Operators": OPERATOR}
    # ministack has no saved queries, which come with the dashboard.
    parameters |= {"Dashboard": "false", "EventBus": "arn:aws:events:eu-west-1:123456789012:event-bus/default"}
    return deploy(ministack_server, Path(os.environ["FUNCTION"]), tmp_path_factory.mktemp("stack"), **parameters)


@dataclass(frozen=True)
class Running:
    """What runs of a service."""

    deployment: str
    tasks: frozenset[str]


@dataclass(frozen=True)
class Fleet:
    """A cluster of its own for each test, and names that no other test uses."""

    stack: Stack
    name: str

    @property
    def ecs(self):
        return self.stack.server.client("ecs")

    def start(self, **watches: str) -> dict[str, Running]:
        """Starts a service of two tasks for each name, with what it watches; an empty text is no tag."""
        for service, watch in watches.items():
            tags = [{"key": self.stack.outputs["OptInTag"], "value": watch}] if watch else []
            self.ecs.create_service(cluster=self.name, serviceName=service, taskDefinition="app", desiredCount=2, tags=tags)
        return self.running(watches)

    def running(self, services: Iterable[str]) -> dict[str, Running]:
        described = self.ecs.describe_services(cluster=self.name, services=list(services))["services"]
        return {service["serviceName"]: Running(service["deployments"][0]["id"], self.tasks(service["serviceName"])) for service in described}

    def tasks(self, service: str) -> frozenset[str]:
        """The two tasks of a service, once those that they replace are gone: the emulator stops them a moment later."""

        def two() -> list[str] | None:
            running = self.ecs.list_tasks(cluster=self.name, serviceName=service, desiredStatus="RUNNING")["taskArns"]
            return running if len(running) == 2 else None

        return frozenset(eventually(two, INVOCATION_SECONDS, f"{service} does not come to two tasks"))

    def upload(self, key: str) -> None:
        self.stack.server.client("s3").put_object(Bucket=BUCKET, Key=f"{self.name}/{key}", Body=b"setting: new")

    def parameter_change(self, operation: str, parameter: str) -> str:
        """Parameter Store's event as EventBridge puts it into a queue; ministack itself sends none."""
        event = json.loads((ROOT / "events" / "ssm-update.json").read_text())
        event["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event["resources"] = [f"arn:aws:ssm:eu-west-1:123456789012:parameter/{self.name}/{parameter}"]
        event["detail"] |= {"operation": operation, "name": f"/{self.name}/{parameter}"}
        return json.dumps(event)

    def self_test(self) -> str:
        """The event of the parameter that the stack's own schedule changes; ministack has no such schedules."""
        event = json.loads(self.parameter_change("Update", ""))
        name = self.stack.resources()["SelfTestParameter"]
        event["resources"] = [f"arn:aws:ssm:eu-west-1:123456789012:parameter{name}"]
        event["detail"]["name"] = name
        return json.dumps(event)

    def label_moved(self, secret: str) -> str:
        """Secrets Manager's event as EventBridge puts it into a queue; ministack itself sends none."""
        event = json.loads((ROOT / "events" / "secret-label-updated.json").read_text())
        event["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event["resources"] = [secret]
        event["detail"]["name"] = f"{self.name}/db"
        return json.dumps(event)

    def decisions(self) -> dict[str, dict]:
        """The line that the function logged last about each service of the cluster."""
        lines = (line for line in self.stack.log() if line.get("service", "").startswith(f"{self.name}/"))
        return {line["service"].removeprefix(f"{self.name}/"): line for line in lines}

    def decided(self, *services: str) -> dict[str, dict]:
        """The lines, once there is one for each of the services."""
        seen = eventually(lambda: seen if (seen := self.decisions()).keys() >= set(services) else None, INVOCATION_SECONDS, "no decision logged")
        assert seen.keys() == set(services)
        return seen


@pytest.fixture
def fleet(stack: Stack) -> Fleet:
    fleet = Fleet(stack, f"fleet-{next(UNIQUE)}")
    fleet.ecs.create_cluster(clusterName=fleet.name)
    fleet.ecs.register_task_definition(family="app", containerDefinitions=[{"name": "app", "image": "app:1", "memory": 128}])
    return fleet


def assert_restarted(before: dict[str, Running], after: dict[str, Running], *services: str) -> None:
    """These services have a new deployment and none but new tasks; the others have what they had."""
    assert {name for name in before if after[name].deployment != before[name].deployment} == set(services)
    for name in services:
        assert len(after[name].tasks) == 2, name
        assert after[name].tasks.isdisjoint(before[name].tasks), name
    untouched = before.keys() - set(services)
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_an_upload_restarts_the_services_that_watch_it_and_no_other(fleet: Fleet):
    prefix = f"s3:{BUCKET}/{fleet.name}"
    before = fleet.start(
        folder=f"{prefix}/",
        file=f"ssm:/{fleet.name}/ {prefix}/prod.yaml",
        other_file=f"{prefix}/test.yaml",
        other_folder=f"{prefix}2/ {prefix}/prod/",
        other_source=f"ssm:/{fleet.name}/",
        untagged="",
    )

    fleet.upload("prod.yaml")
    decided = fleet.decided("folder", "file")
    after = fleet.running(before)

    assert_restarted(before, after, "folder", "file")
    assert {name: line["deployment"] for name, line in decided.items()} == {name: after[name].deployment for name in decided}
    summary = fleet.stack.summary(decided["folder"]["request_id"])
    assert (summary["changes"], summary["affected"], summary["started"], summary["failed"]) == (1, 2, 2, 0)


def test_a_parameter_change_restarts_the_services_that_watch_it_and_no_other(fleet: Fleet):
    before = fleet.start(
        path=f"ssm:/{fleet.name}/",
        name=f"ssm:/{fleet.name}/db-url",
        longer_name=f"ssm:/{fleet.name}/db-url-2",
        shorter_name=f"ssm:/{fleet.name}/db",
        object=f"s3:{BUCKET}/{fleet.name}/db-url",
        untagged="",
    )

    fleet.stack.send(fleet.parameter_change("Update", "db-url"))
    fleet.decided("path", "name")

    assert_restarted(before, fleet.running(before), "path", "name")


def test_a_secret_restarts_the_services_whose_task_definitions_refer_to_it_and_no_other(fleet: Fleet):
    secret = fleet.stack.server.client("secretsmanager").create_secret(Name=f"{fleet.name}/db", SecretString="old")["ARN"]
    for family, reference in (("refers", f"{secret}:password::"), ("pinned", f"{secret}:::a1b2c3d4-5678-90ab-cdef-EXAMPLE11111")):
        container = {"name": "app", "image": "app:1", "memory": 128, "secrets": [{"name": "DB", "valueFrom": reference}]}
        fleet.ecs.register_task_definition(family=f"{fleet.name}-{family}", containerDefinitions=[container])
    before = fleet.start(**{"name": f"secret:{fleet.name}/db", "other": f"secret:{fleet.name}/db2"})
    for family in ("refers", "pinned"):
        tags = [{"key": fleet.stack.outputs["OptInTag"], "value": "auto"}]
        fleet.ecs.create_service(cluster=fleet.name, serviceName=family, taskDefinition=f"{fleet.name}-{family}", desiredCount=2, tags=tags)
    before |= fleet.running(("refers", "pinned"))

    fleet.stack.send(fleet.label_moved(secret))
    decided = fleet.decided("refers", "pinned", "name")

    assert_restarted(before, fleet.running(before), "refers", "name")
    assert decided["pinned"]["reason"] == "pinned"
    assert decided["refers"]["changes"][0]["key"] == f"secret:{fleet.name}/db"


def test_the_same_change_again_restarts_nothing_again(fleet: Fleet):
    before = fleet.start(api=f"ssm:/{fleet.name}/")
    change = fleet.parameter_change("Create", "db-url")
    fleet.stack.send(change)
    fleet.decided("api")
    restarted = fleet.running(before)
    assert_restarted(before, restarted, "api")

    fleet.stack.send(change, change)

    eventually(lambda: fleet.decisions()["api"]["reason"] == "fresh", INVOCATION_SECONDS, "not found fresh")
    assert fleet.running(before) == restarted


def test_a_label_that_moves_restarts_nothing(fleet: Fleet):
    before = fleet.start(api=f"ssm:/{fleet.name}/")

    fleet.stack.send(fleet.parameter_change("LabelParameterVersion", "db-url"))

    assert fleet.decided("api")["api"]["reason"] == "label-only"
    assert fleet.running(before) == before


def test_a_message_that_cannot_be_read_fails_alone_and_ends_as_a_dead_letter(fleet: Fleet):
    before = fleet.start(api=f"ssm:/{fleet.name}/")
    sqs, queue = fleet.stack.server.client("sqs"), fleet.stack.outputs["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "8"})  # or five attempts would take an hour; longer than an invocation
    unreadable = '{"source": "aws.ssm", "detail-type": "Parameter Store Change"}'

    fleet.stack.send(unreadable, fleet.parameter_change("Update", "db-url"))
    fleet.decided("api")
    restarted = fleet.running(before)

    assert_restarted(before, restarted, "api")
    assert eventually(fleet.stack.dead_letters, 2 * INVOCATION_SECONDS, "no dead letter") == [unreadable]
    assert fleet.running(before) == restarted
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return set(counts["Attributes"].values()) == {"0"}

    # Messages of the function itself come and go meanwhile.
    assert eventually(is_empty, INVOCATION_SECONDS, "messages are left in the queue")


def test_a_direct_invocation_answers_with_the_summary(fleet: Fleet):
    before = fleet.start(api=f"ssm:/{fleet.name}/")
    event = {"reload": {"changed": [f"ssm:/{fleet.name}/db-url"], "dry_run": True}}

    answer = fleet.stack.server.client("lambda").invoke(FunctionName=fleet.stack.outputs["FunctionName"], Payload=json.dumps(event))
    summary = json.loads(answer["Payload"].read())

    assert "FunctionError" not in answer, summary
    assert [(line["service"], line["reason"], line["would_be"]) for line in summary["services"]] == [(f"{fleet.name}/api", "dry-run", "stale")]
    assert fleet.running(before) == before


def test_the_alarms_look_at_metrics_that_the_function_writes(fleet: Fleet):
    names = [name for logical_id, name in fleet.stack.resources().items() if logical_id.endswith("Alarm")]
    alarms = fleet.stack.server.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert len(alarms) == len(names)
    ours = [alarm for alarm in alarms if alarm["Namespace"] == "ecs-reloader"]
    assert {"RestartsFailed", "SweepsCompleted"} <= {alarm["MetricName"] for alarm in ours}

    fleet.stack.send(fleet.parameter_change("Update", "watched-by-nobody"), fleet.self_test())

    def is_written(alarm: dict) -> bool:
        dimension = alarm["Dimensions"][0]
        lines = (line for line in fleet.stack.log() if line.get(dimension["Name"]) == dimension["Value"] and alarm["MetricName"] in line)
        directives = (directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"] if directive["Namespace"] == alarm["Namespace"])
        return any(
            [dimension["Name"]] in directive["Dimensions"] and alarm["MetricName"] in [metric["Name"] for metric in directive["Metrics"]]
            for directive in directives
        )

    for alarm in ours:
        eventually(lambda alarm=alarm: is_written(alarm), INVOCATION_SECONDS, f"{alarm['MetricName']} not written")


def test_the_queues_policy_names_the_rules_and_roles_that_were_deployed(stack: Stack):
    resources, events, iam, sqs = stack.resources(), *(stack.server.client(service) for service in ("events", "iam", "sqs"))
    rules = {events.describe_rule(Name=name)["Arn"] for logical_id, name in resources.items() if logical_id.endswith("Rule")}
    roles = {iam.get_role(RoleName=resources[logical_id])["Role"]["Arn"] for logical_id in ("Role", "SweepSchedulerRole")}
    assert len(rules) == 5

    for queue in ("QueueUrl", "DeadLetterQueueUrl"):
        attributes = sqs.get_queue_attributes(QueueUrl=stack.outputs[queue], AttributeNames=["Policy"])["Attributes"]
        allowed, principals, services = (statement["Condition"] for statement in json.loads(attributes["Policy"])["Statement"])

        assert set(allowed["ArnEquals"]["aws:SourceArn"]) == rules
        assert set(services["ArnNotEquals"]["aws:SourceArn"]) == rules
        assert set(principals["ArnNotLike"]["aws:PrincipalArn"]) == roles | {OPERATOR}


def test_the_commands_of_the_documents_add_to_the_notifications_of_a_bucket(stack: Stack, tmp_path: Path):
    commands = next(part for part in (ROOT / "docs" / "install.md").read_text().split("```console\n") if "get-bucket-notification-configuration" in part)
    commands = textwrap.dedent(commands.split("```")[0]).removeprefix("$ ").replace("aws s3api", 'aws --endpoint-url "$AWS_ENDPOINT_URL" s3api')
    s3, queue = stack.server.client("s3"), stack.outputs["DeadLetterQueueArn"]
    mine = {"QueueConfigurations": [{"Id": "mine", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}

    for bucket, before in (("bucket-with-notifications", mine), ("bucket-without", {})):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)
        stack.server.shell(commands.replace("my-config-bucket", bucket), tmp_path)
        after = s3.get_bucket_notification_configuration(Bucket=bucket)

        assert after["EventBridgeConfiguration"] == {}
        assert {kind: after[kind] for kind in before} == before


EVENTS = ROOT / "events"
SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("rule", "event", "matches"),
    [
        ("ParameterRule", SAMPLES / "parameter-store-change.json", True),
        ("ParameterRule", EVENTS / "ssm-create.json", True),
        ("ParameterRule", EVENTS / "ssm-update.json", True),
        ("ParameterRule", EVENTS / "ssm-delete.json", True),
        ("ParameterRule", EVENTS / "ssm-label-parameter-version.json", True),
        ("ParameterRule", EVENTS / "ssm-parameter-policy-action.json", False),
        ("ParameterRule", EVENTS / "s3-object-created-put.json", False),
        ("ParameterRule", EVENTS / "unknown-source.json", False),
        ("ObjectRule", SAMPLES / "object-created.json", True),
        ("ObjectRule", EVENTS / "s3-object-created-put.json", True),
        ("ObjectRule", EVENTS / "s3-object-created-multipart.json", True),
        ("ObjectRule", EVENTS / "s3-object-deleted.json", True),
        ("SecretRule", EVENTS / "secret-label-updated.json", True),
        ("SecretRule", EVENTS / "secret-label-updated-custom.json", True),
        ("SecretRule", EVENTS / "secret-label-updated-pending.json", False),
        ("SecretRule", EVENTS / "secret-label-updated-previous.json", False),
        ("SecretRule", EVENTS / "cloudtrail-put-secret-value.json", False),
        ("SecretCallRule", EVENTS / "cloudtrail-put-secret-value.json", True),
        ("SecretCallRule", EVENTS / "cloudtrail-update-secret-version-stage.json", True),
        ("SecretCallRule", EVENTS / "cloudtrail-delete-secret.json", True),
        ("SecretCallRule", EVENTS / "cloudtrail-rotate-secret.json", False),
        ("SecretCallRule", EVENTS / "cloudtrail-get-secret-value.json", False),
        ("SecretCallRule", EVENTS / "cloudtrail-rotation-succeeded.json", False),
        ("ProfileRule", EVENTS / "appconfig-on-deployment-complete.json", True),
        ("ProfileRule", EVENTS / "appconfig-on-deployment-start.json", False),
        ("ObjectRule", EVENTS / "s3-object-tags-added.json", False),
        ("ObjectRule", EVENTS / "ssm-update.json", False),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_a_rule_matches_what_it_should(stack: Stack, rule: str, event: Path, matches: bool):
    assert stack.rule_matches(rule, event.read_text()) is matches


def test_the_object_rule_leaves_other_buckets_alone(stack: Stack):
    event = (EVENTS / "s3-object-created-put.json").read_text()

    assert stack.rule_matches("ObjectRule", event.replace(BUCKET, "somebody-elses-bucket")) is False

"""template.yaml, deployed as an operator deploys it, with the host's own build as the function."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import Server

ROOT = Path(__file__).parent.parent
STACK = "ecs-reloader"


@dataclass(frozen=True)
class Stack:
    """The outputs of the stack, and the clients for it."""

    server: Server
    outputs: dict[str, str]

    def resources(self) -> dict[str, str]:
        """The physical id of each resource of the template."""
        found = self.server.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def rule_matches(self, logical_id: str, event: str) -> bool:
        """Whether a rule of the template matches an event, asked of TestEventPattern."""
        events = self.server.client("events")
        pattern = events.describe_rule(Name=self.resources()[logical_id])["EventPattern"]
        return events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]

    def send(self, *bodies: str) -> None:
        """Puts messages into the queue, as EventBridge does."""
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        answer = self.server.client("sqs").send_message_batch(QueueUrl=self.outputs["QueueUrl"], Entries=entries)
        assert not answer.get("Failed"), answer

    def dead_letters(self) -> list[str]:
        """The messages in the dead-letter queue."""
        answer = self.server.client("sqs").receive_message(QueueUrl=self.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", [])]

    def log(self) -> list[dict]:
        """The lines that the function has logged as JSON."""
        pages = self.server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroupName"])
        lines = (line for page in pages for event in page["events"] for line in event["message"].splitlines())
        return [json.loads(line) for line in lines if line.startswith("{")]

    def summary(self, request_id: str) -> dict:
        """The summary line of an invocation."""
        return next(line for line in self.log() if line.get("message") == "summary" and line["request_id"] == request_id)


def deploy(server: Server, function: Path, directory: Path, **parameters: str) -> Stack:
    """Packages and deploys template.yaml. The emulator runs functions as processes of this host, so it gets this host's build."""
    code = directory / "code"
    code.mkdir()
    subprocess.run(["strip", "-o", code / "bootstrap", function], check=True)
    template = directory / "template.yaml"
    template.write_text((ROOT / "template.yaml").read_text().replace("CodeUri: .\n", f"CodeUri: {code}\n"))
    packaged = directory / "packaged.yaml"

    server.aws("s3", "mb", "s3://artifacts")
    server.aws("cloudformation", "package", "--template-file", str(template), "--s3-bucket", "artifacts", "--output-template-file", str(packaged))
    # Above 51,200 bytes a template goes through a bucket.
    target = ["--stack-name", STACK, "--template-file", str(packaged), "--s3-bucket", "artifacts", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    server.aws("cloudformation", "deploy", *target, "--parameter-overrides", *overrides)

    described = server.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    stack = Stack(server, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})
    mend_event_source_mapping(stack)
    return stack


def mend_event_source_mapping(stack: Stack) -> None:
    """ministack's CloudFormation hands a Number parameter on as text, and its poller stops at a concurrency that is no number."""
    functions, mapping = stack.server.client("lambda"), stack.resources()["ReloaderChanges"]
    concurrency = functions.get_event_source_mapping(UUID=mapping)["ScalingConfig"]["MaximumConcurrency"]
    functions.update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": int(concurrency)})

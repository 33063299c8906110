"""What ecs-reloader believes of the AWS calls that it makes, held against three implementations by three authors.

boto3 parses every answer, so a field of the wrong name or type fails as well.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from servers import Server, eventually

INDEX_LAG_SECONDS = 10
UNIQUE = itertools.count(1)
unlike_aws = pytest.mark.unlike_aws


@dataclass(frozen=True)
class Cluster:
    """A cluster of its own for each test, because the servers outlive it."""

    server: Server
    name: str

    @property
    def ecs(self):
        return self.server.client("ecs")

    def create(self, service: str, tags: dict[str, str] | None = None, controller: str = "ECS") -> str:
        """Creates a service of two tasks and returns its ARN."""
        created = self.ecs.create_service(
            cluster=self.name,
            serviceName=service,
            taskDefinition="app",
            desiredCount=2,
            deploymentController={"type": controller},
            tags=[{"key": key, "value": value} for key, value in (tags or {}).items()],
        )
        return created["service"]["serviceArn"]

    def describe(self, *services: str, **more) -> dict:
        return self.ecs.describe_services(cluster=self.name, services=services, **more)

    def primary(self, service: str) -> dict:
        return primary(self.describe(service)["services"][0])

    def force(self, service: str) -> dict:
        """The call that restarts a service, with all that it carries."""
        return self.ecs.update_service(cluster=self.name, service=service, forceNewDeployment=True)["service"]

    def refusal(self, service: str, cluster: str | None = None) -> tuple[str, str]:
        """The code and the message with which a restart is refused."""
        with pytest.raises(ClientError) as refused:
            self.ecs.update_service(cluster=cluster or self.name, service=service, forceNewDeployment=True)
        error = refused.value.response["Error"]
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return error["Code"], error["Message"]

    def history(self, service: str, **filters) -> list[dict]:
        return self.ecs.list_service_deployments(cluster=self.name, service=service, **filters)["serviceDeployments"]


@pytest.fixture
def cluster(server: Server) -> Cluster:
    cluster = Cluster(server, f"contract-{next(UNIQUE)}")
    cluster.ecs.create_cluster(clusterName=cluster.name)
    cluster.ecs.register_task_definition(family="app", containerDefinitions=[{"name": "app", "image": "app:1", "memory": 128}])
    return cluster


def primary(service: dict) -> dict:
    return next(deployment for deployment in service["deployments"] if deployment["status"] == "PRIMARY")


def pages(call: Callable[..., dict], token: str, **request) -> Iterator[dict]:
    """The answers to a call, as long as there is a token."""
    while True:
        yield (page := call(**request))
        if not page.get(token):
            return
        request[token] = page[token]


def index_pages(server: Server, key: str, size: int = 100) -> Iterator[list[dict]]:
    """The services in the tag index that carry a tag."""
    call = server.client("resourcegroupstaggingapi").get_resources
    request = {"ResourceTypeFilters": ["ecs:service"], "TagFilters": [{"Key": key}], "ResourcesPerPage": size}
    return (page["ResourceTagMappingList"] for page in pages(call, "PaginationToken", **request))


def indexed(server: Server, key: str) -> list[dict]:
    return list(itertools.chain(*index_pages(server, key)))


def test_the_tag_index_lists_the_services_that_carry_the_tag_and_no_others(cluster: Cluster):
    tag = f"{cluster.name}:watch"
    watching = {cluster.create(f"watching-{number}", {tag: "ssm:/app/"}) for number in range(7)}
    cluster.create("plain")
    cluster.create("neighbour", {f"{tag}/2": "ssm:/app/", "stage": "production"})

    found = eventually(lambda: found if len(found := indexed(cluster.server, tag)) == 7 else None, INDEX_LAG_SECONDS, "not listed")

    assert {service["ResourceARN"] for service in found} == watching


def test_the_tag_index_tells_the_tags(cluster: Cluster):
    tag = f"{cluster.name}:watch"
    cluster.create("api", {tag: "ssm:/app/ s3:bucket/app.yaml", "stage": "production"})

    [service] = eventually(lambda: indexed(cluster.server, tag), INDEX_LAG_SECONDS, "not listed")

    assert {"Key": tag, "Value": "ssm:/app/ s3:bucket/app.yaml"} in service["Tags"]


@unlike_aws(ministack="answers everything in one page")
def test_the_tag_index_comes_in_pages_that_lose_and_repeat_nothing(cluster: Cluster):
    tag = f"{cluster.name}:watch"
    watching = {cluster.create(f"watching-{number}", {tag: "ssm:/app/"}) for number in range(7)}
    eventually(lambda: len(indexed(cluster.server, tag)) == 7, INDEX_LAG_SECONDS, "not listed")

    in_pages = list(index_pages(cluster.server, tag, size=3))

    assert [len(page) for page in in_pages] == [3, 3, 1]
    assert {service["ResourceARN"] for service in itertools.chain(*in_pages)} == watching


def test_a_service_tells_what_a_decision_needs(cluster: Cluster):
    arn = cluster.create("api", {"reloader:watch": "ssm:/app/"})

    service = cluster.describe("api", include=["TAGS"])["services"][0]

    assert service["serviceArn"] == arn
    assert arn.split(":", 5)[5] == f"service/{cluster.name}/api"
    assert (service["status"], service["desiredCount"], service["schedulingStrategy"]) == ("ACTIVE", 2, "REPLICA")
    assert {"key": "reloader:watch", "value": "ssm:/app/"} in service["tags"]
    assert primary(service)["id"].startswith("ecs-svc/")
    assert datetime.now(UTC) - primary(service)["createdAt"] < timedelta(minutes=1)


def test_a_service_is_found_by_its_arn_as_well(cluster: Cluster):
    arn = cluster.create("api")

    assert [service["serviceName"] for service in cluster.describe(arn)["services"]] == ["api"]


@unlike_aws(ministack="returns tags that were not requested")
def test_tags_are_told_only_when_asked_for(cluster: Cluster):
    cluster.create("api", {"reloader:watch": "ssm:/app/"})

    assert not cluster.describe("api")["services"][0].get("tags")


def test_a_missing_service_is_a_failure_beside_the_others(cluster: Cluster):
    cluster.create("api")

    answer = cluster.describe("api", "gone")

    assert [service["serviceName"] for service in answer["services"]] == ["api"]
    assert [(failure["arn"].rsplit("/", 1)[1], failure["reason"]) for failure in answer["failures"]] == [("gone", "MISSING")]


def test_the_services_of_a_missing_cluster_cannot_be_described(cluster: Cluster):
    with pytest.raises(ClientError) as refused:
        cluster.ecs.describe_services(cluster="gone", services=["api"])
    assert refused.value.response["Error"]["Code"] == "ClusterNotFoundException"


def test_a_deleted_service_is_described_as_no_longer_active(cluster: Cluster):
    cluster.create("api")
    cluster.ecs.delete_service(cluster=cluster.name, service="api", force=True)

    assert [service["status"] for service in cluster.describe("api")["services"]] in (["DRAINING"], ["INACTIVE"])


@unlike_aws(moto="describes eleven", ministack="describes eleven")
def test_eleven_services_are_too_many_to_describe_at_once(cluster: Cluster):
    names = [f"service-{number}" for number in range(11)]
    for name in names:
        cluster.create(name)

    assert len(cluster.describe(*names[:10])["services"]) == 10
    with pytest.raises(ClientError) as refused:
        cluster.describe(*names)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_forced_deployment_is_a_new_one_of_the_same_task_definition(cluster: Cluster):
    cluster.create("api")
    cluster.create("neighbour")
    before, neighbour = cluster.primary("api"), cluster.primary("neighbour")

    after = primary(cluster.force("api"))

    assert after["id"] != before["id"]
    assert after["id"].startswith("ecs-svc/")
    assert before["createdAt"] <= after["createdAt"] <= datetime.now(UTC) + timedelta(seconds=1)
    assert (after["taskDefinition"], after["desiredCount"]) == (before["taskDefinition"], before["desiredCount"])
    assert cluster.primary("api")["id"] == after["id"]
    assert cluster.primary("neighbour") == neighbour


@unlike_aws(moto="has no deployment history", ministack="returns an empty deployment history")
def test_the_deployment_history_tells_what_each_deployment_ran(cluster: Cluster):
    cluster.create("api")
    forced = primary(cluster.force("api"))

    history = cluster.history("api")
    newest = max(history, key=lambda deployment: deployment["createdAt"])
    revision = cluster.ecs.describe_service_revisions(serviceRevisionArns=[newest["targetServiceRevisionArn"]])["serviceRevisions"][0]

    assert len(history) == 2
    assert newest["targetServiceRevisionArn"].rsplit("/", 1)[1] == forced["id"].removeprefix("ecs-svc/")
    assert newest["status"] in {"PENDING", "IN_PROGRESS", "SUCCESSFUL"}
    assert revision["taskDefinition"] == forced["taskDefinition"]


@unlike_aws(moto="has no deployment history", ministack="returns an empty deployment history")
def test_the_deployment_history_comes_in_pages_that_lose_and_repeat_nothing(cluster: Cluster):
    cluster.create("api")
    ids = {cluster.primary("api")["id"], *(primary(cluster.force("api"))["id"] for _ in range(2))}

    call = cluster.ecs.list_service_deployments
    in_pages = [page["serviceDeployments"] for page in pages(call, "nextToken", cluster=cluster.name, service="api", maxResults=2)]

    assert [len(page) for page in in_pages] == [2, 1]
    revisions = {deployment["targetServiceRevisionArn"].rsplit("/", 1)[1] for deployment in itertools.chain(*in_pages)}
    assert {f"ecs-svc/{revision}" for revision in revisions} == ids


@unlike_aws(moto="has no deployment history", ministack="returns an empty deployment history")
def test_the_deployment_history_can_be_asked_from_a_time_on(cluster: Cluster):
    cluster.create("api")
    forced = primary(cluster.force("api"))

    newer = cluster.history("api", createdAt={"after": forced["createdAt"] + timedelta(hours=1)})
    all_of_them = cluster.history("api", createdAt={"after": forced["createdAt"] - timedelta(hours=1)})

    assert (len(newer), len(all_of_them)) == (0, 2)


def test_a_missing_service_is_not_restarted(cluster: Cluster):
    assert cluster.refusal("gone") == ("ServiceNotFoundException", "Service not found.")


@unlike_aws(ministack="says that the service is missing")
def test_nothing_is_restarted_in_a_missing_cluster(cluster: Cluster):
    assert cluster.refusal("api", cluster="gone") == ("ClusterNotFoundException", "Cluster not found.")


@unlike_aws(moto="restarts a deleted service", ministack="restarts a deleted service")
def test_a_deleted_service_is_not_restarted(cluster: Cluster):
    cluster.create("api")
    cluster.ecs.delete_service(cluster=cluster.name, service="api", force=True)

    assert cluster.refusal("api") == ("ServiceNotActiveException", "Service was not ACTIVE.")


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
@unlike_aws(moto="restarts it", ministack="accepts the call and does nothing")
def test_a_service_that_another_controller_deploys_is_not_restarted(cluster: Cluster, controller: str):
    cluster.create("api", controller=controller)

    code, message = cluster.refusal("api")

    assert code == "InvalidParameterException"
    assert message.startswith(f"Cannot force a new deployment on services with a {controller} deployment controller.")


@pytest.mark.parametrize("operation", ["put_object", "put_parameter"])
def test_boto3_changes_configuration_in_the_simulated_account(simulated_server: Server, operation: str):
    if operation == "put_object":
        s3 = simulated_server.client("s3")
        s3.create_bucket(Bucket="by-boto3", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        assert s3.put_object(Bucket="by-boto3", Key="app/größe und+.yaml", Body=b"a: 1")["ETag"]
    else:
        ssm = simulated_server.client("ssm")
        versions = [ssm.put_parameter(Name="/by-boto3", Value=value, Type="String", Overwrite=True)["Version"] for value in ("1", "2")]
        assert versions == [1, 2]


def test_a_bus_answers_each_event_with_its_id(server: Server):
    entry = {"Source": "ecs-reloader", "DetailType": "ECS Reloader Notice", "Detail": json.dumps({"kind": "held"})}

    answer = server.client("events").put_events(Entries=[entry, entry])

    assert answer["FailedEntryCount"] == 0
    assert len({result["EventId"] for result in answer["Entries"]}) == 2


def test_boto3_reads_why_a_bus_of_the_simulated_account_refuses_an_event(simulated_server: Server):
    events = simulated_server.client("events")
    entry = {"Source": "ecs-reloader", "DetailType": "News", "Detail": "{}"}

    answer = events.put_events(Entries=[entry | {"Source": "aws.ssm"}, entry, entry | {"Detail": "no JSON"}])
    with pytest.raises(ClientError) as refused:
        events.put_events(Entries=[entry] * 11)

    assert answer["FailedEntryCount"] == 2
    assert [result.get("ErrorCode") for result in answer["Entries"]] == ["NotAuthorizedForSourceException", None, "MalformedDetail"]
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_boto3_continues_and_stops_deployments_in_the_simulated_account(simulated_server: Server):
    ecs = simulated_server.client("ecs")
    ecs.create_cluster(clusterName="approvals")
    ecs.register_task_definition(family="app", containerDefinitions=[{"name": "app", "image": "app:1", "memory": 128}])
    pause = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 10, "action": "ROLLBACK"}}
    configuration = {"lifecycleHooks": [pause], "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True}}
    service = {"cluster": "approvals", "serviceName": "api", "taskDefinition": "app", "desiredCount": 1}
    ecs.create_service(**service, deploymentConfiguration=configuration)

    def newest() -> dict:
        brief = ecs.list_service_deployments(cluster="approvals", service="api")["serviceDeployments"][0]
        return ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])["serviceDeployments"][0]

    waiting = eventually(lambda: seen if (seen := newest()).get("lifecycleHookDetails") else None, INDEX_LAG_SECONDS, "not at its hook")
    [hook] = waiting["lifecycleHookDetails"]
    described = ecs.describe_services(cluster="approvals", services=["api"])["services"][0]["deploymentConfiguration"]
    assert (waiting["status"], waiting["lifecycleStage"]) == ("IN_PROGRESS", "PRE_SCALE_UP")
    assert (hook["targetType"], hook["status"], hook["timeoutAction"]) == ("PAUSE", "AWAITING_ACTION", "ROLLBACK")
    assert datetime.now(UTC) < hook["expiresAt"] < datetime.now(UTC) + timedelta(minutes=11)
    assert (waiting["alarms"]["status"], waiting["deploymentCircuitBreaker"]["status"]) == ("MONITORING", "DISABLED")
    assert (described["lifecycleHooks"], described["alarms"]) == (configuration["lifecycleHooks"], configuration["alarms"])

    arn = waiting["serviceDeploymentArn"]
    ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action="CONTINUE")
    eventually(lambda: newest()["lifecycleStage"] == "SCALE_UP", INDEX_LAG_SECONDS, "not continued")
    ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    ended = eventually(lambda: seen if (seen := newest())["status"] == "ROLLBACK_FAILED" else None, INDEX_LAG_SECONDS, "not stopped")
    assert ended["statusReason"]


def test_the_aws_cli_talks_to_the_simulated_account(simulated_server: Server):
    simulated_server.aws("ecs", "create-cluster", "--cluster-name", "by-hand")
    simulated_server.aws("ecs", "register-task-definition", "--family", "app", "--container-definitions", '[{"name": "app", "image": "app:1"}]')
    simulated_server.aws(
        "ecs", "create-service", "--cluster", "by-hand", "--service-name", "api", "--task-definition", "app", "--desired-count", "1",
        "--tags", "key=reloader:watch,value=ssm:/app/",
    )  # fmt: skip
    simulated_server.aws("ssm", "put-parameter", "--name", "/app/db-url", "--type", "String", "--value", "postgres://db")

    forced = json.loads(simulated_server.aws("ecs", "update-service", "--cluster", "by-hand", "--service", "api", "--force-new-deployment"))
    described = json.loads(simulated_server.aws("ecs", "describe-services", "--cluster", "by-hand", "--services", "api", "--include", "TAGS"))

    assert primary(described["services"][0])["id"] == primary(forced["service"])["id"]
    assert described["services"][0]["tags"] == [{"key": "reloader:watch", "value": "ssm:/app/"}]

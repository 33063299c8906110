"""The calls that ecs-reloader makes: it reads when the parameter changed and what is deployed
already, restarts what is stale, and puts the rollouts into its queue, to follow them."""

import json
import os

import boto3

import watching

ecs = boto3.client("ecs")
ssm = boto3.client("ssm")
sqs = boto3.client("sqs")

DESCRIBED_AT_ONCE = 10


def handler(event, _context):
    for name in watching.changed(event):
        services = list(watching.services(name))
        filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        changed_at = ssm.describe_parameters(ParameterFilters=filters)["Parameters"][0]["LastModifiedDate"]
        started = [service for service in services_older_than(changed_at, services) if restart(service)]
        if started:
            sqs.send_message(QueueUrl=os.environ["RELOADER_QUEUE_URL"], MessageBody=json.dumps(started))


def services_older_than(changed_at, services):
    for start in range(0, len(services), DESCRIBED_AT_ONCE):
        some = services[start : start + DESCRIBED_AT_ONCE]
        names = [service for _, service in some]
        described = ecs.describe_services(cluster=some[0][0], services=names, include=["TAGS"])
        for service in described["services"]:
            if service["deployments"][0]["createdAt"] <= changed_at:
                yield service["clusterArn"], service["serviceName"]


def restart(service):
    cluster, name = service
    answer = ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)
    return answer["service"]["deployments"][0]["id"]

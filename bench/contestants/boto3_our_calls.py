"""The calls that ecs-reloader makes: it reads when the parameter changed, if its owner wants nobody
restarted, and what is deployed already; restarts what is stale; and puts into its queue the rollouts,
to follow them, and the change, to find services that were tagged a moment ago."""

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
        if name in ignored():
            continue
        filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        changed_at = ssm.describe_parameters(ParameterFilters=filters)["Parameters"][0]["LastModifiedDate"]
        started = [restart(service) for service in services_older_than(changed_at, services)]
        for later in (started, [name]):
            sqs.send_message(QueueUrl=os.environ["RELOADER_QUEUE_URL"], MessageBody=json.dumps(later))


def ignored():
    pages = watching.tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["ssm:parameter", "secretsmanager:secret"],
        TagFilters=[{"Key": "reloader:ignore", "Values": ["true"]}],
    )
    arns = [resource["ResourceARN"] for page in pages for resource in page["ResourceTagMappingList"]]
    return {arn.partition(":parameter")[2] for arn in arns}


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

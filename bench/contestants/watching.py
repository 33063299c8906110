"""The look-up that the Python contestants share."""

import json

import boto3

tagging = boto3.client("resourcegroupstaggingapi")


def changed(event):
    """The parameters that the messages of the queue say changed."""
    for record in event["Records"]:
        yield json.loads(record["body"])["detail"]["name"]


def services(name):
    """The cluster and the name of every service whose tag names the parameter."""
    pages = tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["ecs:service"],
        TagFilters=[{"Key": "reloader:watch", "Values": ["ssm:" + name]}],
        ResourcesPerPage=100,
    )
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            _, cluster, service = resource["ResourceARN"].split("/")
            yield cluster, service

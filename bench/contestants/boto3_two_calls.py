"""The usual function: look the services up by their tag, force a deployment of each."""

import boto3

import watching

ecs = boto3.client("ecs")


def handler(event, _context):
    for name in watching.changed(event):
        for cluster, service in watching.services(name):
            ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)

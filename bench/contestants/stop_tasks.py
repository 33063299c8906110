"""The script that stops tasks: Amazon ECS starts others, which read the new value. It sleeps
between two of them, and hopes that the new one runs by then."""

import os
import time

import boto3

import watching

ecs = boto3.client("ecs")

# People take 30 to 60 seconds. The measurement takes fewer: it is about what the script uses.
SLEEP = float(os.environ.get("STOP_TASKS_SLEEP", "30"))


def handler(event, _context):
    for name in watching.changed(event):
        for cluster, service in watching.services(name):
            for task in ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]:
                ecs.stop_task(cluster=cluster, task=task, reason=name + " changed")
                time.sleep(SLEEP)

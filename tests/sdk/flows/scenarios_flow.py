"""Every substate, by the scenario that leads to it, in a Watch, in the SDK and in the logs."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import asyncio
import sys

from common import done, init
from flyte.remote import App
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app.app_definition_pb2 import Status
from flyteidl2.app.app_payload_pb2 import WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

DEPLOYING, ACTIVE, FAILED = (
    Status.DEPLOYMENT_STATUS_DEPLOYING,
    Status.DEPLOYMENT_STATUS_ACTIVE,
    Status.DEPLOYMENT_STATUS_FAILED,
)
SEEN_IN = {
    "healthy": [(DEPLOYING, Status.PULLING_IMAGE), (DEPLOYING, Status.INITIALIZING), (ACTIVE, Status.RUNNING)],
    "webhook-error-heals": [(DEPLOYING, Status.WEBHOOK_ERROR), (ACTIVE, Status.RUNNING)],
    "wakes-up": [(ACTIVE, Status.SCALED_TO_ZERO), (ACTIVE, Status.SCALING_FROM_ZERO)],
    "busy": [(ACTIVE, Status.SCALING_UP), (ACTIVE, Status.SCALING_DOWN)],
    "image-pull-error": [(FAILED, Status.IMAGE_PULL_ERROR)],
    "secret-mount-error": [(FAILED, Status.SECRET_MOUNT_ERROR)],
    "crash-loop": [(FAILED, Status.CRASH_LOOP)],
    "oom-killed": [(FAILED, Status.OOM_KILLED)],
    "webhook-error": [(FAILED, Status.WEBHOOK_ERROR)],
}
EVERY = {
    *((DEPLOYING, each) for each in (Status.PULLING_IMAGE, Status.INITIALIZING, Status.WEBHOOK_ERROR)),
    *((ACTIVE, each) for each in (Status.RUNNING, Status.SCALED_TO_ZERO, Status.SCALING_FROM_ZERO)),
    *((ACTIVE, each) for each in (Status.SCALING_UP, Status.SCALING_DOWN)),
    *((FAILED, each) for each in (Status.IMAGE_PULL_ERROR, Status.SECRET_MOUNT_ERROR, Status.CRASH_LOOP)),
    *((FAILED, each) for each in (Status.OOM_KILLED, Status.WEBHOOK_ERROR)),
}
assert {substate for _, substate in EVERY} == set(Status.Substate.values()) - {Status.SUBSTATE_UNSPECIFIED}

init()
plane = AppServiceClientSync(sys.argv[1])
watched: set[tuple[int, int]] = set()
by_sdk: set[tuple[int, int]] = set()


def pair(condition: model.Condition) -> tuple[int, int]:
    return condition.deployment_status, condition.substate


def deploy(scenario: str) -> model.Identifier:
    app_id = model.Identifier(org="acme", project="proj", domain="dev", name=scenario)
    pb2 = model.App(metadata=model.Meta(id=app_id, labels={"flyteapps.dev/scenario": scenario}))
    pb2.spec.container.image = "img:1"
    pb2.spec.ingress.SetInParent()
    pb2.spec.desired_state = model.Spec.DESIRED_STATE_ACTIVE
    pb2.spec.autoscaling.replicas.max = 3
    return App.create(pb2).pb2.metadata.id


def watch(app_id: model.Identifier, pairs: list[tuple[int, int]]) -> model.App:
    """Read the app's events until all that is expected was there; return the app as it was then."""
    missing = set(pairs)
    for event in plane.watch(WatchRequest(app_id=app_id), timeout_ms=30_000):
        app = event.create_event.app if event.HasField("create_event") else event.update_event.updated_app
        for condition in app.status.conditions:
            watched.add(pair(condition))
            missing.discard(pair(condition))
        if not missing:
            return app
    raise AssertionError(f"{app_id.name}: the watch ended without {missing}")


for scenario, pairs in SEEN_IN.items():
    app_id = deploy(scenario)
    last = watch(app_id, pairs)
    shown = App.get(scenario)
    assert shown.deployment_status == last.status.conditions[-1].deployment_status, (scenario, shown)
    by_sdk.update(pair(condition) for condition in shown.pb2.status.conditions)
nothing = Status.SUBSTATE_UNSPECIFIED
for seen in (watched, by_sdk):
    assert {each for each in seen if each[1] != nothing} == EVERY, seen ^ EVERY


async def logs() -> None:
    """Print the logs of stopped apps, so that they end by themselves."""
    for scenario in ("healthy", "crash-loop", "oom-killed"):
        await App.get(scenario).deactivate.aio(wait=True)
    apps = [App.get(scenario) for scenario in ("healthy", "crash-loop", "oom-killed")]
    await asyncio.gather(*(app.show_logs.aio(raw=True) for app in apps))


asyncio.run(logs())
done()

"""Seven apps without scenarios, deployed at once, one for each badge of a console."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import asyncio

import flyte
from common import done, init
from flyte.app import AppEnvironment, Scaling
from flyte.remote import App
from flyteidl2.app.app_definition_pb2 import Status

FAILED, DEPLOYING = Status.DEPLOYMENT_STATUS_FAILED, Status.DEPLOYMENT_STATUS_DEPLOYING
EXPECTED = {
    "badge-ok": (Status.DEPLOYMENT_STATUS_ACTIVE, Status.RUNNING),
    "badge-crashloop": (FAILED, Status.CRASH_LOOP),
    "badge-oom": (FAILED, Status.OOM_KILLED),
    "badge-secret": (FAILED, Status.SECRET_MOUNT_ERROR),
    "badge-init": (DEPLOYING, Status.INITIALIZING),
    "badge-imagepull": (FAILED, Status.IMAGE_PULL_ERROR),
    "badge-bigimage": (DEPLOYING, Status.PULLING_IMAGE),
}
SECONDS = 60.0
"""Real time within which all of them are where they stay."""


async def shown(name: str) -> tuple[int, int]:
    """Return the app's last condition."""
    condition = (await App.get.aio(name)).pb2.status.conditions[-1]
    return condition.deployment_status, condition.substate


async def main() -> None:
    scaling = Scaling(replicas=(1, 1))
    envs = [AppEnvironment(name=name, image="x", command="serve", port=8080, scaling=scaling) for name in EXPECTED]
    deploys = [asyncio.create_task(flyte.serve.aio(env)) for env in envs]
    rests = [state != DEPLOYING for state, _ in EXPECTED.values()]
    async with asyncio.timeout(SECONDS):
        await asyncio.wait([task for task, rest in zip(deploys, rests, strict=True) if rest])
        while {name: await shown(name) for name in EXPECTED} != EXPECTED:
            await asyncio.sleep(0.02)
    assert [task.done() for task in deploys] == rests
    done()


init()
asyncio.run(main())

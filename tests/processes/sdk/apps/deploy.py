"""Serve environments of a module, all at once: `deploy.py MODULE ENVIRONMENT...`; one line of JSON for each."""
# pyright: basic

import asyncio
import importlib
import json
import sys

import flyte


async def serve(module: str, names: list[str]) -> None:
    """Serve them, and print their endpoints, or how they failed."""
    await flyte.init_from_config.aio()
    environments = [getattr(importlib.import_module(module), name) for name in names]
    served = await asyncio.gather(*(flyte.serve.aio(each) for each in environments), return_exceptions=True)
    for environment, app in zip(environments, served, strict=True):
        if isinstance(app, BaseException):
            print(json.dumps({"name": environment.name, "error": str(app)}))
        else:
            print(json.dumps({"name": environment.name, "endpoint": app.endpoint}))


asyncio.run(serve(sys.argv[1], sys.argv[2:]))

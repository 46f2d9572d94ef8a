"""Two apps that depend on a third one: by its private and by its public endpoint."""
# pyright: basic

import os
import urllib.request

from fastapi import FastAPI
from flyte.app import AppEndpoint, Parameter
from flyte.app.extras import FastAPIAppEnvironment

OPTIONS = {"image": "none", "requires_auth": False}
backend_app, front = FastAPI(), FastAPI()
backend = FastAPIAppEnvironment(name="backend", app=backend_app, **OPTIONS)


@backend_app.get("/answer/{number}")
def answer(number: int) -> int:
    """Return the answer."""
    return number + 1


env = FastAPIAppEnvironment(
    name="front",
    app=front,
    depends_on=[backend],
    parameters=[
        Parameter(name="private", value=AppEndpoint(app_name="backend"), env_var="PRIVATE"),
        Parameter(name="public", value=AppEndpoint(app_name="backend", public=True), env_var="PUBLIC"),
    ],
    **OPTIONS,
)


@front.get("/")
def ask() -> dict[str, str]:
    """Ask the other app by all of its endpoints."""
    found = {"private": os.environ["PRIVATE"], "public": os.environ["PUBLIC"], "property": backend.endpoint}
    return {name: urllib.request.urlopen(f"{url}/answer/41").read().decode() for name, url in found.items()}

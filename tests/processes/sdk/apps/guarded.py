"""An app whose callers need a token, and that calls the plane with its own."""
# pyright: basic

import json
import os
import urllib.request

from fastapi import FastAPI
from flyte.app import AppEndpoint, Parameter
from flyte.app.extras import FastAPIAppEnvironment

app = FastAPI()
own = Parameter(name="own", value=AppEndpoint(app_name="guarded", public=True), env_var="OWN")
env = FastAPIAppEnvironment(name="guarded", app=app, image="none", parameters=[own])


@app.get("/")
def endpoint() -> str:
    """Return the endpoint that the plane has told the app."""
    return os.environ["OWN"]


@app.get("/inside")
def inside() -> str:
    """Return the answer to a request within the cluster."""
    with urllib.request.urlopen(f"{env.endpoint}/") as response:
        return json.loads(response.read())

"""A FastAPI app as in the SDK's first example."""
# pyright: basic

from fastapi import FastAPI
from flyte.app.extras import FastAPIAppEnvironment

app = FastAPI()


@app.get("/")
async def greeting() -> str:
    """Greet."""
    return "hello"


env = FastAPIAppEnvironment(name="greeting", app=app, image="none", requires_auth=False)

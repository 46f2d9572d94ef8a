"""A FastAPI app as in the SDK's first example."""
# pyright: basic

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from flyte.app.extras import FastAPIAppEnvironment


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load what is needed."""
    print("loading")
    yield


app = FastAPI(lifespan=lifespan)
env = FastAPIAppEnvironment(name="greeting", app=app, image="none", requires_auth=False)


@app.get("/")
async def greeting() -> str:
    """Greet."""
    return "hello"

"""The same command twice, on the same port, and twice by the SDK's own server of apps."""
# pyright: basic

import flyte.app

COMMAND = "python -S -E -m http.server 8080"

first = flyte.app.AppEnvironment(name="first", image="none", command=COMMAND, requires_auth=False)
second = first.clone_with("second")
third = flyte.app.AppEnvironment(name="third", image="none", args=COMMAND, requires_auth=False)
fourth = third.clone_with("fourth")

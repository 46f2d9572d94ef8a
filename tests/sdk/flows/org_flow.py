"""A configured org travels with every request and comes back with every app."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte
from common import done, init
from flyte.app import AppEnvironment
from flyte.remote import App

init()
served = flyte.serve(AppEnvironment(name="ours", image="ghcr.io/x/y:1", args="run"))
assert served.is_active() and served.pb2.metadata.id.org == "acme", served.pb2.metadata
assert [app.name for app in App.listall()] == ["ours"]
served.deactivate(wait=True)
App.delete("ours")
assert list(App.listall()) == []
done()

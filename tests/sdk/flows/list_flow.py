"""App.listall with every option."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

from common import done, init, make, refused, until
from connectrpc.code import Code
from flyte.remote import App

init()


def names(**options: object) -> list[str]:
    return [app.name for app in App.listall(**options)]


assert names() == []
for name in ("b", "a", "c"):
    make(name, stopped=name != "c")
until("c", App.is_active)

assert names() == ["b", "a", "c"]
assert names(sort_by=("created_at", "desc")) == ["c", "a", "b"]
assert names(sort_by=("name", "asc")) == ["a", "b", "c"]
assert names(sort_by=("name", "desc"), limit=2) == ["c", "b"]
assert names(limit=1) == ["b"]
assert names(in_status="active") == ["c"]
assert names(in_status="DEPLOYMENT_STATUS_STOPPED") == ["b", "a"]
assert names(in_status=("active", "stopped")) == ["b", "a", "c"]
assert names(in_status="failed") == []
assert names(created_by_subject="anonymous") == ["b", "a", "c"]
assert names(created_by_subject="nobody") == []
assert names(created_by_subject="anonymous", in_status="stopped", sort_by=("name", "asc"), limit=1) == ["a"]
for sort_key in ("updated_at", "status_phase", "revision"):
    assert sorted(names(sort_by=(sort_key, "asc"))) == ["a", "b", "c"]
assert refused(Code.INVALID_ARGUMENT, lambda: names(sort_by=("nothing", "asc")))

for i in range(120):
    make(f"x{i}", stopped=True)
assert len(names()) == 100, "the SDK's own limit"
assert len(names(limit=1000)) == len(set(names(limit=1000))) == 123
assert len(names(limit=110)) == 110
done()

"""An app of the user who is logged in."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

from common import done, init, make

init()
assert make("of-bob", stopped=True).pb2.spec.creator.user.id.subject == "bob"
done()

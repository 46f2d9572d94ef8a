"""The validation rules of AppService's messages (ID-2) as examples: what breaks one, and the field that is named.

Data from the contract's list alone: nothing here reads the rules of the descriptors, or calls a plane.
An empty org and an absent scope break no rule: the plane fills them in first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf import text_format

LONGEST_NAME = 30
LONGEST_TEXT = 100
"""Characters of a short_description or a reason."""

BAD_NAMES = ("", "a" * (LONGEST_NAME + 1), "-a", "a-", "-", "a_b", "a.b", "a b", "a/b", "ä", "a\n")
GOOD_NAMES = ("a", "Z", "9", "a-b", "a--b", "0-Z", "a" * LONGEST_NAME, "A" + "-" * (LONGEST_NAME - 2) + "9")

APP = (
    ("spec { creator { } }", "spec.creator.principal"),
    ("spec { creator { user { id { } } } }", "spec.creator.user.id.subject"),
    ("spec { creator { application { id { } } } }", "spec.creator.application.id.subject"),
    ("spec { autoscaling { scaling_metric { } } }", "spec.autoscaling.scaling_metric.metric"),
    (
        "spec { autoscaling { scaling_metric { concurrency { } } } }",
        "spec.autoscaling.scaling_metric.concurrency.target_value",
    ),
    (f'spec {{ profile {{ short_description: "{"x" * (LONGEST_TEXT + 1)}" }} }}', "spec.profile.short_description"),
    ("spec { timeouts { request_timeout { seconds: 3600 nanos: 1 } } }", "spec.timeouts.request_timeout"),
    ("spec { timeouts { request_timeout { nanos: -1 } } }", "spec.timeouts.request_timeout"),
    ("spec { links { } }", "spec.links[0].path"),
    ('spec { links { path: "/" } links { title: "x" } }', "spec.links[1].path"),
    ('spec { inputs { items { string_value: "v" } } }', "spec.inputs.items[0].name"),
    ('spec { inputs { items { name: "n" } } }', "spec.inputs.items[0].value"),
    ('spec { inputs { items { name: "n" string_value: "" } } }', "spec.inputs.items[0].string_value"),
    (
        'spec { inputs { items { name: "n" app_id { project: "p" domain: "d" } } } }',
        "spec.inputs.items[0].app_id.name",
    ),
    ('status { ingress { public_url: "not a URI" } }', "status.ingress.public_url"),
    ('status { ingress { cname_url: "not a URI" } }', "status.ingress.cname_url"),
    ('status { ingress { vpc_url: "not a URI" } }', "status.ingress.vpc_url"),
    ("status { conditions { actor { } } }", "status.conditions[0].actor.principal"),
    ("status { conditions { actor { user { id { } } } } }", "status.conditions[0].actor.user.id.subject"),
    ("status { materialized_inputs { items { artifact_id { } } } }", "status.materialized_inputs.items[0].name"),
    ('status { materialized_inputs { items { name: "n" } } }', "status.materialized_inputs.items[0].value"),
)
"""Texts that break a rule where each is merged into a small valid app, in the text format."""

WITHOUT = (
    ("metadata", "metadata"),
    ("metadata.id", "metadata.id"),
    ("metadata.id.project", "metadata.id.project"),
    ("metadata.id.domain", "metadata.id.domain"),
    ("spec", "spec"),
    ("spec.container", "spec.app_payload"),
)
"""Fields of an app that can't be left out; a oneof is named, not one of its members."""

ALLOWED = (
    f'spec {{ profile {{ short_description: "{"x" * LONGEST_TEXT}" }} }}',
    f'spec {{ profile {{ short_description: "{"é" * LONGEST_TEXT}" }} }}',
    "spec { timeouts { request_timeout { } } }",
    "spec { timeouts { request_timeout { seconds: 3600 } } }",
    "spec { autoscaling { scaling_metric { concurrency { target_value: 1 } } } }",
    "spec { autoscaling { scaling_metric { request_rate { } } } }",
    "spec { autoscaling { replicas { min: 5 max: 1 } } }",
    "spec { pod { } }",
    'spec { container { image: "" } }',
    'spec { container { resources { requests { name: CPU value: "lots" } } } }',
    'spec { links { path: "x" } inputs { items { name: "n" string_value: "v" } } }',
    'metadata { labels { key: "" value: "" } labels { key: "Not/a.label_-" value: "é \\n" } }',
    'status { ingress { public_url: "" cname_url: "https://x.example" vpc_url: "ftp://y/z?a=b" } conditions { } }',
)
"""Texts within the rules, and such as they do not check, merged in the same way."""

REQUESTS = {
    "Get": (
        ("", "identifier"),
        ('app_id { domain: "d" name: "n" }', "app_id.project"),
        ('app_id { project: "p" name: "n" }', "app_id.domain"),
        ('app_id { project: "p" domain: "d" }', "app_id.name"),
        ('ingress { public_url: "not a URI" }', "ingress.public_url"),
        ('ingress { cname_url: "not a URI" }', "ingress.cname_url"),
        ('ingress { vpc_url: "not a URI" }', "ingress.vpc_url"),
    ),
    "Delete": (
        ("", "app_id"),
        ('app_id { domain: "d" name: "n" }', "app_id.project"),
        ('app_id { project: "p" name: "n" }', "app_id.domain"),
        ('app_id { project: "p" domain: "d" }', "app_id.name"),
    ),
    "List": (
        ("cluster_id { }", "cluster_id.name"),
        ('project { name: "n" }', "project.domain"),
        ('project { domain: "d" }', "project.name"),
        ('artifact { domain: "d" name: "n" }', "artifact.project"),
        ('artifact { project: "p" name: "n" }', "artifact.domain"),
        ('artifact { project: "p" domain: "d" }', "artifact.name"),
    ),
    "Watch": (
        ("cluster_id { }", "cluster_id.name"),
        ('project { name: "n" }', "project.domain"),
        ('project { domain: "d" }', "project.name"),
        ('app_id { domain: "d" name: "n" }', "app_id.project"),
        ('app_id { project: "p" name: "n" }', "app_id.domain"),
        ('app_id { project: "p" domain: "d" name: "-" }', "app_id.name"),
    ),
    "UpdateStatus": (("", "app"), ("app { spec { pod { } } }", "app.metadata")),
    "Lease": (("", "id"), ("id { }", "id.name")),
    "TailLogs": (
        ("", "target"),
        ('app_id { project: "p" domain: "d" }', "app_id.name"),
        ('replica_id { name: "r" }', "replica_id.app_id"),
        ('replica_id { app_id { project: "p" domain: "d" name: "n" } }', "replica_id.name"),
    ),
}
"""Texts that break one rule of a request that carries no app, or of one with none at hand, in the text format."""


@dataclass(frozen=True, slots=True)
class BrokenApp:
    """An app that breaks a rule: in which words, and the path of the field below the request."""

    what: str
    app: model.App
    field: str


def broken_apps(valid: model.App) -> Iterator[BrokenApp]:
    """Return apps that break one rule each. `valid` is small: its lists and its status are empty."""
    for text, field in APP:
        yield BrokenApp(text, merged(valid, text), f"app.{field}")
    for path, field in WITHOUT:
        yield BrokenApp(f"no {path}", _without(valid, path), f"app.{field}")
    for name in BAD_NAMES:
        app = merged(valid, "")
        app.metadata.id.name = name
        yield BrokenApp(f"the name {name!r}", app, "app.metadata.id.name")


def merged(app: model.App, text: str) -> model.App:
    """Return a copy of the app with this merged into it."""
    other = model.App()
    other.CopyFrom(app)
    text_format.Merge(text, other)
    return other


def _without(app: model.App, path: str) -> model.App:
    other = merged(app, "")
    *parents, leaf = path.split(".")
    message = other
    for parent in parents:
        message = getattr(message, parent)
    message.ClearField(leaf)  # type: ignore[arg-type]  # the name of a field, not known to the types
    return other

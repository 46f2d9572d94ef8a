"""Secrets and quantities in flyte-oss: rows OSS-47 and OSS-48."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.core import security_pb2, tasks_pb2

from flyteapps_contract.checks.support.oss import listed, resource, shown
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import Session

MOUNTS = (3, 7, -1)
"""Requirements for a mount that don't exist."""
LIMIT = 262_144
"""Bytes of a secret in base32."""
LONGEST_KEY = 163_832
"""Characters of the longest key: with `key: "` before it, and `"` and a line's end after it, it is LIMIT bytes."""
NO_DIGITS = (".", "+", "-", "e3", "Ki")


@check("OSS-47")
def a_secret_has_a_known_mount(s: Session) -> None:
    """A secret with an unknown mount_requirement is INTERNAL, whatever the payload, and nothing is created."""
    for payload in ("container", "pod"):
        app = s.app()
        if payload == "pod":
            app.spec.pod.pod_spec.update({"containers": [{"image": "img:1"}]})
        secret = app.spec.security_context.secrets.add(key="k")
        for mount in MOUNTS:
            secret.mount_requirement = mount  # type: ignore[assignment]  # an unknown value of an open enum
            _refused(s, app, f"mount_requirement {mount}", f"invalid mount requirement [{mount}]")
        expect(listed(s, app.metadata.id) is None, "an app with such a secret should not be there")


@check("OSS-47")
def a_secret_has_a_greatest_size(s: Session) -> None:
    """A secret over 256 KiB, as text in base32, is INTERNAL, and nothing is created."""
    app = s.app()
    app.spec.security_context.secrets.extend([security_pb2.Secret(key="k"), security_pb2.Secret()])
    for what, key in (
        ("one character too many", "k" * (LONGEST_KEY + 1)),
        ("escaped characters", "\n" * (LONGEST_KEY // 2 + 1)),
        ("characters of two bytes", "\u00fc" * (LONGEST_KEY // 8 + 1)),
    ):
        app.spec.security_context.secrets[1].key = key
        _refused(s, app, what, f"secret descriptor cannot exceed [{LIMIT}]")
    expect(listed(s, app.metadata.id) is None, "an app with such a secret should not be there")


@check("OSS-47", needs=("lenient",))
def a_secret_of_the_greatest_size_is_taken(s: Session) -> None:
    """A secret of 256 KiB is taken, where no cluster limits annotations."""
    app = s.app()
    app.spec.security_context.secrets.add(key="k" * LONGEST_KEY)
    s.create(app)
    expect(shown(s, app.metadata.id).spec == app.spec, "a large secret should come back as it was sent")


@check("OSS-48")
def a_quantity_needs_no_digits(s: Session) -> None:
    """A sign, a point, an exponent or a suffix alone is a quantity, of a container and of a pod."""
    for text in NO_DIGITS:
        app = s.app()
        request = app.spec.container.resources.requests.add(value=text)
        request.name = tasks_pb2.Resources.CPU
        _taken(s, app, text)
        app = s.app()
        requests = {"requests": {"cpu": text}}
        app.spec.pod.pod_spec.update({"containers": [{"image": "img:1", "resources": requests}]})
        _taken(s, app, text)


def _taken(s: Session, app: model.App, text: str) -> None:
    s.create(app)
    expect_equal(shown(s, app.metadata.id).spec, app.spec, f"the spec of an app with the quantity {text!r}")


def _refused(s: Session, app: model.App, what: str, says: str) -> None:
    opening = f"failed to build KService for app {resource(app.metadata.id)}: failed to marshal secrets: {says}"
    with expect_refusal("INTERNAL", f"Create with a secret with {what}", opening=opening):
        s.create(app)

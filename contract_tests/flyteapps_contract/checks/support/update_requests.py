"""The requests of the checks of Update. No check is here, nothing is called."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.session import FAILED, Session

Change = Callable[[model.App], object]


def anew(
    s: Session,
    app: model.App,
    *,
    image: str = "img:1",
    state: int | None = None,
    labels: dict[str, str] | None = None,
) -> model.App:
    """Return the app as a client sends it anew: without revision and status, its desired state kept by default."""
    wanted = app.spec.desired_state if state is None else state
    return s.app(app.metadata.id.name, image=image, state=wanted, labels=labels)


def rich(s: Session, app: model.App, mark: str) -> model.App:
    """Return an update of the app that sets every field which a client may, each bearing the mark."""
    sent = anew(s, app, image=f"img:{mark}", labels={"team": mark, f"only-{mark}": ""})
    sent.metadata.code_bundle_uri = f"s3://bundle/{mark}"
    sent.metadata.source_code.link = f"https://source.example/{mark}"
    spec = sent.spec
    spec.container.env.add(key=f"KEY_{mark}", value=mark)
    spec.container.ports.add(container_port=8080, name=f"port{mark}")
    spec.autoscaling.replicas.max = int(mark)
    spec.autoscaling.scaledown_period.FromSeconds(int(mark))
    spec.autoscaling.scaling_metric.concurrency.target_value = int(mark)
    spec.cluster_pool = f"pool-{mark}"
    spec.cluster = f"cluster-{mark}"
    spec.images.images.add(tag=f"image-{mark}")
    spec.security_context.secrets.add(key=f"secret-{mark}")
    spec.extended_resources.gpu_accelerator.device = f"gpu-{mark}"
    spec.runtime_metadata.version = mark
    spec.profile.name = f"profile-{mark}"
    spec.inputs.items.add(name=f"input-{mark}", string_value=mark)
    spec.links.add(path=f"/{mark}", title=mark)
    spec.timeouts.request_timeout.FromSeconds(int(mark))
    return sent


DIFFERENCES: dict[str, Change] = {
    "a new label": lambda app: app.metadata.labels.update({"new": ""}),
    "a label's value": lambda app: app.metadata.labels.update({"new": "1"}),
    "a label that is gone": lambda app: app.metadata.labels.pop("new"),
    "code_bundle_uri": lambda app: setattr(app.metadata, "code_bundle_uri", ""),
    "source_code": lambda app: setattr(app.metadata.source_code, "link", ""),
    "the presence of source_code": lambda app: app.metadata.ClearField("source_code"),
    "the image": lambda app: setattr(app.spec.container, "image", "img:2"),
    "an argument": lambda app: app.spec.container.args.append("--fast"),
    "the order of arguments": lambda app: app.spec.container.args.reverse(),
    "the environment": lambda app: app.spec.container.env.add(key="NEW", value=""),
    "the replicas": lambda app: setattr(app.spec.autoscaling.replicas, "max", 5),
    "the presence of autoscaling": lambda app: app.spec.ClearField("autoscaling"),
    "an empty autoscaling": lambda app: app.spec.autoscaling.SetInParent(),
    "the cluster pool": lambda app: setattr(app.spec, "cluster_pool", ""),
    "the cluster": lambda app: setattr(app.spec, "cluster", ""),
    "the images": lambda app: app.spec.images.images.add(tag="another"),
    "the secrets": lambda app: app.spec.security_context.secrets.add(key="another"),
    "the accelerator": lambda app: setattr(app.spec.extended_resources.gpu_accelerator, "device", "other"),
    "the runtime's version": lambda app: setattr(app.spec.runtime_metadata, "version", "9"),
    "the profile": lambda app: setattr(app.spec.profile, "name", "other"),
    "an input's value": lambda app: setattr(app.spec.inputs.items[0], "string_value", "other"),
    "the links": lambda app: app.spec.links.pop(),
    "the timeout": lambda app: app.spec.timeouts.request_timeout.FromSeconds(9),
    "the ingress": lambda app: setattr(app.spec.ingress, "private", not app.spec.ingress.private),
}
"""One change each; made one after the other."""


def foreign_status() -> model.Status:
    """Return a valid status that isn't the plane's own, every field of it set."""
    status = model.Status(assigned_cluster="mine", current_replicas=77, last_assigned_cluster="mine-too")
    status.ingress.public_url = "https://mine.example"
    for time in (status.created_at, status.last_updated_at, status.lease_expiration, status.last_started_at):
        time.FromSeconds(1)
    condition = status.conditions.add(deployment_status=FAILED, message="mine", revision=1000)
    condition.actor.user.id.subject = "somebody-else"
    status.k8s_metadata.namespace = "mine"
    status.materialized_inputs.items.add(name="mine").artifact_id.version = "mine"
    return status

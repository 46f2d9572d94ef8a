"""Specs that the cluster behind the open-source backend refuses, with the whole text of the refusal, or takes."""
# The wordings are those of Knative Serving 0.50 and of Kubernetes 1.36.

from __future__ import annotations

from .spec_building import (
    BOTH,
    FIRST,
    NEITHER,
    POD,
    SCALING,
    SETS,
    Spec,
    container,
    first,
    mounting,
    pod,
    refused,
    scaled,
    with_account,
    with_port,
    with_timeout,
)
from .volume_rows import OF_MOUNTS, OF_VOLUMES

READINESS = f"{FIRST}.readinessProbe"
NAME_RULES = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def no_reference(image: str, quoted: str) -> str:
    """Return the refusal of an image that is no reference."""
    details = f"image: {quoted}, error: could not parse reference: {image}"
    return refused("Failed to parse image reference", f"{FIRST}.image", details=details)


def port_is_reserved(port: int) -> str:
    """Return the refusal of a port that Knative keeps for itself."""
    text = f"{port} is a reserved port"
    return refused(
        f"invalid value: {text}", f"{FIRST}.ports.containerPort", details=f"{text}, please use a different value"
    )


OF_CONTAINERS: tuple[tuple[Spec, str], ...] = (
    (container(image=""), refused("missing field(s)", f"{FIRST}.image")),
    (container(image="i:1"), no_reference("i:1", '"i:1"')),
    (container(image="a b:1"), no_reference("a b:1", '"a b:1"')),
    (container(image="Repo/App"), no_reference("Repo/App", '"Repo/App"')),
    (container(image='im"g'), no_reference('im"g', r'"im\"g"')),
    (
        container(ports=[{"containerPort": 8080}, {"containerPort": 8081}]),
        refused(
            "more than one container port is set",
            f"{POD}.containers[*].ports",
            details="Only a single port is allowed across all containers",
        ),
    ),
    (
        with_port(8080, "port7"),
        refused(
            "Port name port7 is not allowed", f"{FIRST}.ports", details="Name must be empty, or one of: 'h2c', 'http1'"
        ),
    ),
    *((with_port(port), port_is_reserved(port)) for port in (8008, 8012, 8013, 8022, 9090, 9091)),
    (with_port(70000), refused("expected 0 <= 70000 <= 65535", f"{FIRST}.ports.containerPort")),
    (with_port(2**32 - 1), refused("expected 0 <= -1 <= 65535", f"{FIRST}.ports.containerPort")),
    (
        first(ports=[{"containerPort": 80, "protocol": "UDP"}]),
        refused("invalid value: UDP", f"{FIRST}.ports.protocol"),
    ),
    (container(env=[{"key": "", "value": "1"}]), refused("missing field(s)", f"{FIRST}.env[0].name")),
    *(
        (
            container(env=[{"key": name}, {"key": "A"}]),
            refused(f'"{name}" is a reserved environment variable', f"{FIRST}.env[0].name"),
        )
        for name in ("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")
    ),
    (
        first(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        refused(SETS, f"{FIRST}.env[0].valueFrom.fieldRef"),
    ),
    (
        first(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]),
        refused(SETS, f"{FIRST}.env[0].valueFrom.resourceFieldRef"),
    ),
    (
        first(envFrom=[{"prefix": "A_"}]),
        refused(NEITHER, f"{FIRST}.envFrom.configMapRef", f"{FIRST}.envFrom.secretRef"),
    ),
    (
        first(envFrom=[{"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}]),
        refused(BOTH, f"{FIRST}.envFrom.configMapRef", f"{FIRST}.envFrom.secretRef"),
    ),
    (first(name="queue-proxy"), refused('"queue-proxy" is a reserved container name', f"{FIRST}.name")),
    (
        first(terminationMessagePolicy="Loud"),
        refused("invalid value: Loud", f"{FIRST}.terminationMessagePolicy"),
    ),
    (first(securityContext={"privileged": True}), refused(SETS, f"{FIRST}.securityContext.privileged")),
    (
        first(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        refused(SETS, f"{FIRST}.securityContext.capabilities.add"),
    ),
    *(
        (
            first(securityContext={field: -1}),
            refused("expected 0 <= -1 <= 2147483647", f"{FIRST}.securityContext.{field}"),
        )
        for field in ("runAsUser", "runAsGroup")
    ),
)
OF_SCALING: tuple[tuple[Spec, str], ...] = (
    (
        scaled(replicas={"min": 5, "max": 1}),
        refused("max-scale=1 is less than min-scale=5", f"{SCALING}/max-scale", f"{SCALING}/min-scale"),
    ),
    (scaled(replicas={"min": 2**31}), refused("expected 0 <= 2147483648 <= 2147483647", f"{SCALING}/min-scale")),
    (scaled(replicas={"max": 2**31}), refused("expected 0 <= 2147483648 <= 2147483647", f"{SCALING}/max-scale")),
    (scaled(scalingMetric={"requestRate": {}}), refused("target 0 should be at least 0.01", f"{SCALING}/target")),
    (scaled(scalingMetric={"concurrency": {}}), refused("target 0 should be at least 0.01", f"{SCALING}/target")),
    *(
        (scaled(scaledownPeriod=sent), refused(f"expected 6s <= {text} <= 1h0m0s", f"{SCALING}/window"))
        for sent, text in (
            ("0s", "0s"),
            ("5s", "5s"),
            ("5.500s", "5.5s"),
            ("0.020s", "20ms"),
            ("0.000001500s", "1.5µs"),
            ("-65s", "-1m5s"),
            ("3601s", "1h0m1s"),
            ("36000000000s", "2562047h47m16.854775807s"),
        )
    ),
    (
        scaled(scaledownPeriod="7.500s"),
        refused("must be specified with at most second precision", f"{SCALING}/window"),
    ),
    (with_timeout("700s"), refused("expected 0 <= 700 <= 600", f"{POD}.timeoutSeconds")),
    (with_timeout("36000s"), refused("expected 0 <= 3600 <= 600", f"{POD}.timeoutSeconds")),
    (with_timeout("-5.900s"), refused("expected 0 <= -5 <= 600", f"{POD}.timeoutSeconds")),
)
OF_PODS: tuple[tuple[Spec, str], ...] = (
    ({"pod": {"podSpec": {"containers": []}}}, refused("missing field(s)", f"{POD}.containers")),
    (pod({"image": "img:2"}), refused("missing field(s)", f"{POD}.containers[*].ports")),
    (
        pod(
            {"image": "img:2", "ports": [{"containerPort": 8081}]},
            {"image": "img:3", "ports": [{"containerPort": 8082}]},
        ),
        refused(
            "more than one container port is set",
            f"{POD}.containers[*].ports",
            details="Only a single port is allowed across all containers",
        ),
    ),
    (
        {"pod": {"podSpec": {"containers": [{"name": "a", "ports": [{}]}, {"name": "a", "image": "img:2"}]}}},
        refused('duplicate container name "a"', f"{POD}.containers[1].name")
        + "\n"
        + refused("missing field(s)", f"{FIRST}.image"),
    ),
    (
        pod({"image": "img:2", "ports": [{}], "env": [{"name": "PORT"}]}),
        refused('"PORT" is a reserved environment variable', f"{POD}.containers[1].env[0].name"),
    ),
    *(
        (pod(**{field: value}), refused(SETS, f"{POD}.{field}"))
        for field, value in (
            ("affinity", {}),
            ("dnsConfig", {}),
            ("dnsPolicy", "Default"),
            ("hostAliases", [{"ip": "127.0.0.1"}]),
            ("hostIPC", True),
            ("hostNetwork", True),
            ("hostPID", True),
            ("nodeSelector", {"a": "b"}),
            ("priorityClassName", "high"),
            ("runtimeClassName", "other"),
            ("schedulerName", "other"),
            ("securityContext", {}),
            ("shareProcessNamespace", False),
            ("tolerations", [{"key": "a"}]),
            ("topologySpreadConstraints", [{"maxSkew": 1}]),
            ("automountServiceAccountToken", True),
        )
    ),
    (pod(HOSTNETWORK=True), refused(SETS, f"{POD}.hostNetwork")),
    (
        pod(initContainers=[{"image": "Bad"}]),
        refused(SETS, f"{POD}.initContainers")
        + "\npod spec support for init-containers is off, but found 1 init containers: ",
    ),
    (
        pod(securityContext={"runAsUser": 1000, "runAsNonRoot": False}),
        refused(SETS, *(f"{POD}.securityContext{field}" for field in ("", ".runAsNonRoot", ".runAsUser"))),
    ),
    *(
        (
            pod(securityContext={field: {"a": "b"}}),
            refused(SETS, f"{POD}.securityContext", f"{POD}.securityContext.{field}"),
        )
        for field in (
            "appArmorProfile",
            "fsGroupChangePolicy",
            "seLinuxChangePolicy",
            "seLinuxOptions",
            "seccompProfile",
            "supplementalGroups",
            "supplementalGroupsPolicy",
            "sysctls",
            "windowsOptions",
        )
    ),
    *(
        (
            pod(securityContext={field: -1}),
            refused("expected 0 <= -1 <= 2147483647", f"{POD}.securityContext.{field}")
            + "\n"
            + refused(SETS, f"{POD}.securityContext", f"{POD}.securityContext.{field}"),
        )
        for field in ("runAsUser", "runAsGroup", "fsGroup")
    ),
    (with_account("No_Account"), refused("invalid value: No_Account", f"{POD}.serviceAccountName", details=NAME_RULES)),
    (
        pod(serviceAccountName="a" * 254),
        refused(f"invalid value: {'a' * 254}", f"{POD}.serviceAccountName", details="must be no more than 253 bytes"),
    ),
)
OF_PROBES: tuple[tuple[Spec, str], ...] = (
    (
        first(livenessProbe={"periodSeconds": 5}),
        refused(NEITHER, *(f"{FIRST}.livenessProbe.{each}" for each in ("exec", "grpc", "httpGet", "tcpSocket"))),
    ),
    (
        first(startupProbe={"exec": {}, "grpc": {"port": 80}}),
        refused(BOTH, f"{FIRST}.startupProbe.exec", f"{FIRST}.startupProbe.gRPC"),
    ),
    *(
        (
            first(livenessProbe={handler: {"port": "web"}}),
            refused(
                "invalid value: web",
                f"{FIRST}.livenessProbe.{handler}.port",
                details="Probe port must match container port",
            ),
        )
        for handler in ("httpGet", "tcpSocket")
    ),
    *(
        (first(readinessProbe=probe), refused(message, f"{READINESS}.{field}"))
        for probe, field, message in (
            ({"periodSeconds": -1}, "periodSeconds", "expected 0 <= -1 <= 2147483647"),
            ({"initialDelaySeconds": -1}, "initialDelaySeconds", "expected 0 <= -1 <= 2147483647"),
            ({"successThreshold": -1}, "successThreshold", "expected 1 <= -1 <= 2147483647"),
            ({"failureThreshold": 2}, "failureThreshold", "failureThreshold is disallowed when periodSeconds is zero"),
            ({"timeoutSeconds": 2}, "timeoutSeconds", "timeoutSeconds is disallowed when periodSeconds is zero"),
            ({"periodSeconds": 1, "failureThreshold": -1}, "failureThreshold", "expected 1 <= -1 <= 2147483647"),
            ({"periodSeconds": 1, "timeoutSeconds": -1}, "timeoutSeconds", "expected 1 <= -1 <= 2147483647"),
        )
    ),
    (
        pod({"image": "img:2", "ports": [{}]}, {"image": "img:3", "livenessProbe": {"exec": {}, "periodSeconds": 1}}),
        refused(
            SETS,
            *(f"{POD}.containers[2].livenessProbe{field}" for field in ("", ".periodSeconds")),
        ),
    ),
    (
        pod({"image": "img:2", "ports": [{}]}, {"image": "img:3", "readinessProbe": {}}),
        refused(SETS, f"{POD}.containers[2].readinessProbe.successThreshold"),
    ),
)
REFUSED = (*OF_CONTAINERS, *OF_SCALING, *OF_PODS, *OF_PROBES, *OF_MOUNTS, *OF_VOLUMES)

TAKEN: tuple[Spec, ...] = (
    container(env=[{"key": "A"}, {"key": "a b"}], args=["PORT"], command=["Sh"]),
    with_port(0),
    with_port(80, "http1"),
    with_port(65535, "h2c"),
    *(
        container(image=image)
        for image in (
            "ab",
            "img:",
            "img:Tag_1.0-x",
            "library/img",
            "LOCALHOST:5000/repo/app:1",
            "[::1]:5000/app",
            f"img@sha256:{'0a' * 32}",
            f"ghcr.io/org/img:1@sha256:{'0a' * 32}",
        )
    ),
    scaled(replicas={"min": 5}),
    scaled(replicas={"min": 0, "max": 0}),
    scaled(scaledownPeriod="6s", scalingMetric={"concurrency": {"targetValue": 1}}),
    scaled(scaledownPeriod="3600s"),
    with_timeout("600.900s"),
    with_timeout("-0.900s"),
    with_timeout("0s"),
    with_account("my-account.x"),
    first(lifecycle={"preStop": {}}, stdin=True, tty=True, volumeDevices=[{}], livenessProbe=None),
    first(securityContext={"privileged": False, "runAsUser": 0, "seLinuxOptions": {}}),
    first(
        ports=[{"containerPort": 80, "name": "h2c", "protocol": "TCP", "hostPort": 80}],
        readinessProbe={"httpGet": {"port": "h2c"}, "periodSeconds": 5},
        livenessProbe={"tcpSocket": {"port": 8012}},
    ),
    pod({"image": "img:2", "ports": [{}]}, {"image": "img:3", "env": [{"name": "PORT"}]}),
    pod(
        restartPolicy="Always",
        terminationGracePeriodSeconds=5,
        hostname="a",
        nodeName="b",
        hostNetwork=False,
        nodeSelector={},
        tolerations=[],
        affinity=None,
        automountServiceAccountToken=False,
    ),
    mounting({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}),
    mounting({"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}),
)

"""Pods whose volumes and mounts the cluster behind the open-source backend refuses, with the text of the refusal."""

from __future__ import annotations

from .spec_building import BOTH, EMPTY, FIRST, NEITHER, POD, SETS, Spec, mounting, refused

MOUNT = f"{FIRST}.volumeMounts[0]"
VOLUME = f"{POD}.volumes[0]"


def is_off(word: str) -> str:
    """Return the refusal of the volume v for a feature that is off: it has no path."""
    return f"{word} volume support is disabled, but found {word} volume v: "


OF_MOUNTS: tuple[tuple[Spec, str], ...] = (
    (mounting(), refused("volumeMount has no matching volume", f"{MOUNT}.name")),
    (mounting(EMPTY, mountPath=""), refused("missing field(s)", f"{MOUNT}.mountPath")),
    (mounting(EMPTY, mountPath="//dev/"), refused('mountPath "/dev" is a reserved path', f"{MOUNT}.mountPath")),
    (mounting(EMPTY, mountPath="data"), refused("invalid value: data", f"{MOUNT}.mountPath")),
    (
        {
            "pod": {
                "podSpec": {
                    "containers": [
                        {
                            "image": "img:1",
                            "volumeMounts": [{"name": "v", "mountPath": path} for path in ("/a", "/b", "/a/")],
                        }
                    ],
                    "volumes": [EMPTY],
                }
            }
        },
        refused('invalid value: "/a/" must be unique', f"{FIRST}.volumeMounts[2].mountPath"),
    ),
    (
        mounting(EMPTY, mountPropagation="Both"),
        "Volume Mount Propagation support is disabled, but found volume mount v with mount propagation: \n"
        + refused("mount propagation should be set to None or HostToContainer", f"{MOUNT}.mountPropagation")
        + "\n"
        + refused(SETS, f"{MOUNT}.mountPropagation"),
    ),
    (
        mounting({"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}),
        "Persistent volume claim support is disabled, but found persistent volume claim c: \n"
        + refused(SETS, f"{VOLUME}.persistentVolumeClaim")
        + "\n"
        + refused("volume is readOnly but volume mount is not", f"{MOUNT}.readOnly"),
    ),
)
OF_VOLUMES: tuple[tuple[Spec, str], ...] = (
    *(
        (mounting({"name": "v", kind: {"path": "/x"}}), f"{is_off(word)}\n{refused(SETS, f'{VOLUME}.{kind}')}")
        for kind, word in (("hostPath", "HostPath"), ("csi", "CSI"), ("ephemeral", "Ephemeral"))
    ),
    (
        mounting({"name": "v", "image": {"pullPolicy": "Now"}}),
        "\n".join(
            (
                is_off("Image"),
                refused("invalid value: Now", f"{VOLUME}.image.pullPolicy"),
                refused("missing field(s)", f"{VOLUME}.image.reference"),
                refused(SETS, f"{VOLUME}.image"),
            )
        ),
    ),
    (
        mounting({"name": "v", "persistentVolumeClaim": {"claimName": "c"}}),
        "Persistent volume claim support is disabled, but found persistent volume claim c: \n"
        "Persistent volume write support is disabled, but found persistent volume claim c that is not read-only: \n"
        + refused(SETS, f"{VOLUME}.persistentVolumeClaim"),
    ),
    (
        mounting(EMPTY, {"name": "w", "emptyDir": {}}),
        refused('volume with name "w" not mounted', f"{POD}.volumes[1].name"),
    ),
    (mounting(EMPTY, EMPTY), refused('duplicate volume name "v"', f"{POD}.volumes[1].name")),
    (mounting({"emptyDir": {}}, name=""), refused("missing field(s)", f"{VOLUME}.name")),
    (
        mounting({"name": "a.b", "hostPath": {}}, name="a.b"),
        refused("invalid value: a.b", f"{VOLUME}.name") + "\n" + refused(SETS, f"{VOLUME}.hostPath"),
    ),
    (
        mounting({"name": "v", "nfs": {"server": "a"}}),
        refused(NEITHER, *(f"{VOLUME}.{each}" for each in ("configMap", "emptyDir", "projected", "secret"))),
    ),
    (
        mounting({"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}),
        refused(BOTH, f"{VOLUME}.emptyDir", f"{VOLUME}.secret"),
    ),
    (
        mounting({"name": "v", "emptyDir": {"medium": "Disk"}}),
        refused("invalid value: Disk", f"{VOLUME}.emptyDir.medium"),
    ),
    (
        mounting({"name": "v", "secret": {"items": [{}]}}),
        refused("missing field(s)", f"{VOLUME}.items[0].key", f"{VOLUME}.items[0].path"),
    ),
    (
        mounting({"name": "v", "projected": {"sources": [{}]}}),
        refused(
            NEITHER,
            *(
                f"{VOLUME}.projected[0].{each}"
                for each in ("configMap", "downwardAPI", "secret", "serviceAccountToken")
            ),
        ),
    ),
    *(
        (
            mounting({"name": "v", "projected": {"sources": [{kind: {}}]}}),
            refused("missing field(s)", f"{VOLUME}.projected[0].{kind}.{field}"),
        )
        for kind, field in (("secret", "name"), ("configMap", "name"), ("serviceAccountToken", "path"))
    ),
    (
        mounting({"name": "v", "projected": {"sources": [{"downwardAPI": {"items": [{"path": "p"}]}}]}}),
        refused(
            NEITHER,
            *(f"{VOLUME}.projected[0].downwardAPI.items[0].{each}" for each in ("fieldRef", "resourceFieldRef")),
        ),
    ),
    (
        mounting(
            {
                "name": "v",
                "projected": {
                    "sources": [{"downwardAPI": {"items": [{"path": "p", "fieldRef": {}, "resourceFieldRef": {}}]}}]
                },
            }
        ),
        refused(
            "Within a single item, cannot set both",
            *(f"{VOLUME}.projected[0].downwardAPI.items[0].{each}" for each in ("fieldRef", "resourceFieldRef")),
        ),
    ),
)

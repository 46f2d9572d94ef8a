"""The guarantees of the dialect `flyte-oss` that are drawn above all: of clients at once, and of what specs hold."""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, Guarantee


def _row(id_: str, area: str, text: str, *steps: str, read: str = "", seen: str = "") -> Guarantee:
    return Guarantee(id_, text, ("oss",), FLYTE_OSS, area, steps, read, seen)


GUARANTEES: tuple[Guarantee, ...] = (
    _row(
        "OSS-80",
        "histories",
        "Of clients that write at once, an acknowledged write took effect once, at one point between its call and its "
        "answer, and a refused one never, save an Update that found its app gone after it had written (NOT_FOUND). "
        "List and the snapshot of a Watch show the app as it was at one point of their call; Get as it was then, or at "
        "one of the Gets whose answer may still be cached.",
        "update / get *",
        "ids / get * two",
        "watch / close w1",
        read="that it holds for clients at once: Kubernetes stores each write of a service at one point, and List and "
        "the snapshot read what is stored",
    ),
    _row(
        "OSS-81",
        "specs",
        "A spec that was taken is shown as it was sent, whatever it holds: values against the rules of its message and "
        "fields that the plane doesn't know, too; nothing is written in. Beside it only the id is stored. A write that "
        "was refused, by the backend or by the cluster, changes nothing.",
        "create / get active",
        "create / with ingress",
        "create / get created stopped",
        "validation / create upper name",
        seen="random scripts of containers, pods, quantities and states were equal in 620 of 620 runs on F, in 40 of "
        "40 on K; a spec that K+W refuses is INTERNAL, and not stored",
    ),
)

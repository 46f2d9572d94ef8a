"""The guarantees of the dialect `flyte-oss` about the pages of List."""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, Guarantee


def _row(id_: str, text: str, *, read: str = "", seen: str = "") -> Guarantee:
    return Guarantee(id_, text, ("oss",), FLYTE_OSS, "List", (), read, seen)


GUARANTEES: tuple[Guarantee, ...] = (
    _row(
        "OSS-23",
        "`limit` and `token` page by resource name; a limit of 0 is none. A full page has a token if any app follows "
        "by resource name, of another project, too: the last page may be empty.",
        seen="all of it on K and K+W: the pages are Kubernetes' own; F ignores limits and tokens",
    ),
    _row(
        "OSS-73",
        "The pages of one chain of tokens are one snapshot: what is written in between is not seen. A chain whose "
        "first page is too long ago is INTERNAL, `The provided continue parameter is too old`.",
        seen="that they are one snapshot, on K; a compaction of etcd alone didn't end one",
        read="how one that is too old ends, in Kubernetes' source",
    ),
    _row(
        "OSS-74",
        'A token is `{"v":"meta.k8s.io/v1","rv":N,"start":"/LAST\\u0000"}` in base64 for URLs, unpadded: N, the '
        "version of the cluster, grows with each write; LAST is the resource name of the page's last app.",
        seen="on K",
    ),
    _row(
        "OSS-75",
        "A token that is none, a padded one, one of another version, of rv 0, or that leads up is INTERNAL, `failed to "
        "list KServices for PROJECT/DOMAIN: invalid continue token: continue key is not valid: ...`.",
        seen="that each is refused, on K, and the words about base64; a token of a version to come is answered by none "
        "until the deadline",
        read="the other words, in Kubernetes' source",
    ),
)

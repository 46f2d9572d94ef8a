"""References of images as Knative reads them: by a library whose rules are not those of a registry."""

from __future__ import annotations

import re

_REPOSITORY = re.compile(r"[a-z0-9_\-./]{2,255}")
_TAG = re.compile(r"[A-Za-z0-9_\-.]{1,128}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
_IN_HOST = r"A-Za-z0-9!$&'()*+,;=<>\"\-_.~\x80-\U0010ffff"
_REGISTRY = re.compile(rf"\[[0-9A-Fa-f:.]+\](:[0-9]*)?|[{_IN_HOST}]*|[{_IN_HOST}:]*:[0-9]*")


def is_reference(image: str) -> bool:
    """Return whether an image is a repository with or without a registry, a tag or a digest."""
    if _has_tag_or_none(image):
        return True
    base, at, digest = image.partition("@")
    return bool(at and _DIGEST.fullmatch(digest)) and (_has_tag_or_none(base) or _is_repository(base))


def _has_tag_or_none(image: str) -> bool:
    base, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return _is_repository(image)
    return (not tag or bool(_TAG.fullmatch(tag))) and _is_repository(base)


def _is_repository(name: str) -> bool:
    """Return whether a name is a repository; what stands before its first slash is a registry if it has "." or ":"."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return bool(_REPOSITORY.fullmatch(rest) and _REGISTRY.fullmatch(first))
    return bool(_REPOSITORY.fullmatch(name))

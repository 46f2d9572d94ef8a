"""The sections of the state of a plane with authentication: signing keys, revocations, and the records of logins.

A reset leaves them alone, so that callers stay logged in; it ends the skew of the tokens' clock alone.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Any, Generic, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.auth import section_names
from flyteapps_fake.auth.authentication import Authentication, Credentials
from flyteapps_fake.auth.oauth.records import Code, Device, Grant, Issued, Kept, Place
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.sections import Section

R = TypeVar("R", Code, Issued, Device)


def add_sections(changes: Changes, authentication: Authentication) -> None:
    """Add these sections to those of a plane, and record what is about to change in them."""
    records = authentication.records

    def touch(section: str, key: str = "") -> None:
        if changes.on:
            changes.touch(section, key)

    changes.sections.add(
        StoredCredentials(authentication),
        Revocations(authentication),
        RefreshTokens(records.refresh_tokens),
        Codes(records.codes),
        Devices(records.devices, authentication),
    )
    authentication.on_touch = partial(touch, section_names.CREDENTIALS)
    authentication.on_touch_revoked = partial(touch, section_names.REVOCATIONS)
    records.refresh_tokens.on_touch = partial(touch, section_names.REFRESH_TOKENS)
    records.codes.on_touch = partial(touch, section_names.AUTHORIZATION_CODES)
    records.devices.on_touch = partial(touch, section_names.DEVICE_CODES)


class StoredCredentials(Section):
    """The keys, issuers and skew of a plane."""

    name = section_names.CREDENTIALS

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def keys(self) -> Iterable[str]:
        return [""]

    def image(self, key: str) -> Credentials:
        return self._authentication.image()

    def put(self, key: str, image: Credentials | None) -> None:
        self._authentication.put(image)

    def settle(self) -> None:
        self._authentication.settle()

    def fresh(self, key: str) -> Credentials:
        return self._authentication.image()._replace(skew=0.0)

    def encode(self, key: str, image: Credentials) -> pb.Credentials:
        keys = [json.dumps(each.as_dict(private=True), sort_keys=True) for each in image.keys]
        return pb.Credentials(keys=keys, issuers=image.issuers, skew=image.skew)

    def decode(self, message: pb.Credentials) -> tuple[str, Credentials]:
        keys = tuple(map(_key_of, message.keys))
        if not keys:
            raise ValueError("there is no key")
        return "", Credentials(keys, tuple(message.issuers), message.skew)

    def stored_key(self, key: str) -> bytes:
        return b""


class Revocations(Section):
    """The revoked ids and sessions."""

    name = section_names.REVOCATIONS

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def keys(self) -> Iterable[str]:
        return list(self._authentication.revocations())

    def image(self, key: str) -> int | None:
        return self._authentication.revocations().get(key)

    def put(self, key: str, image: int | None) -> None:
        self._authentication.put_revocation(key, image)

    def settle(self) -> None:
        self._authentication.settle()

    def fresh(self, key: str) -> int | None:
        return self.image(key)

    def encode(self, key: str, image: int) -> pb.Revocation:
        return pb.Revocation(name=key, number=image)

    def decode(self, message: pb.Revocation) -> tuple[str, int]:
        return message.name, message.number

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class RecordSection(Section, Generic[R]):
    """Records of one kind, by their secret texts."""

    def __init__(self, records: Kept[R]) -> None:
        self._records = records

    def keys(self) -> Iterable[str]:
        return self._records.keys()

    def image(self, key: str) -> R | None:
        return self._records.image(key)

    def put(self, key: str, image: R | None) -> None:
        self._records.restore(key, image)

    def settle(self) -> None:
        self._records.settle()

    def fresh(self, key: str) -> R | None:
        return self._records.image(key)

    def stored_key(self, key: str) -> bytes:
        return key.encode()

    def decode(self, message: Any) -> tuple[str, R]:
        if not message.key:
            raise ValueError("the key is missing")
        record = self.record(message)
        record.place = Place(message.key, message.number)
        return message.key, record

    @abstractmethod
    def record(self, message: Any) -> R:
        """Return the record in a message."""


class RefreshTokens(RecordSection[Issued]):
    """The refresh tokens."""

    name = section_names.REFRESH_TOKENS

    def encode(self, key: str, image: Issued) -> pb.RefreshToken:
        return pb.RefreshToken(
            key=key,
            number=image.place.number,
            grant=_grant_message(image.grant),
            expires=image.expires,
            used=image.used,
        )

    def record(self, message: pb.RefreshToken) -> Issued:
        """Return the record in a message."""
        return Issued(_grant(message.grant), expires=message.expires, used=message.used)


class Codes(RecordSection[Code]):
    """The authorization codes."""

    name = section_names.AUTHORIZATION_CODES

    def encode(self, key: str, image: Code) -> pb.AuthorizationCode:
        return pb.AuthorizationCode(
            key=key,
            number=image.place.number,
            grant=_grant_message(image.grant),
            expires=image.expires,
            used=image.used,
            redirect_uri=image.redirect_uri,
            code_challenge=image.code_challenge,
            code_challenge_method=image.code_challenge_method,
        )

    def record(self, message: pb.AuthorizationCode) -> Code:
        """Return the record in a message."""
        redirect_uri, challenge, method = (
            getattr(message, name) if message.HasField(name) else None
            for name in ("redirect_uri", "code_challenge", "code_challenge_method")
        )
        return Code(_grant(message.grant), redirect_uri, challenge, method, message.expires, message.used)


class Devices(RecordSection[Device]):
    """The device codes."""

    name = section_names.DEVICE_CODES

    def __init__(self, records: Kept[Device], authentication: Authentication) -> None:
        super().__init__(records)
        self._now = authentication.now

    def encode(self, key: str, image: Device) -> pb.DeviceCode:
        return pb.DeviceCode(
            key=key,
            number=image.place.number,
            client_id=image.client_id,
            scope=image.scope,
            user_code=image.user_code,
            expires=image.expires,
            interval=image.interval,
            subject=image.subject,
            denied=image.denied,
            used=image.used,
            polled=image.polled,
        )

    def record(self, message: pb.DeviceCode) -> Device:
        """Return the record in a message."""
        return Device(
            message.client_id,
            message.scope,
            message.user_code,
            message.expires,
            message.interval,
            self._now,
            message.subject if message.HasField("subject") else None,
            message.denied,
            message.used,
            message.polled,
        )


def _key_of(text: str) -> ECKey:
    try:
        found = ECKey.import_key(json.loads(text))
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        found = None
    if found is None or not found.is_private or not found.kid:
        raise ValueError("a key is no private JSON Web Key")
    return found


def _grant_message(grant: Grant) -> pb.Grant:
    return pb.Grant(
        client_id=grant.client_id,
        subject=grant.subject,
        scope=grant.scope,
        session=grant.session,
        nonce=grant.nonce,
    )


def _grant(message: pb.Grant) -> Grant:
    return Grant(message.client_id, message.subject, message.scope, message.session, message.nonce)

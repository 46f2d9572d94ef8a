"""The records of an authorization server: codes, refresh tokens, device codes. Bounded; times are the plane's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, TypeVar

MAX_RECORDS = 10_000
"""Records of a kind that are kept; the oldest is forgotten for one more."""

R = TypeVar("R", bound="Code | Issued | Device")


class Place(NamedTuple):
    """The place of a record: its secret text, and its number, by which the oldest are forgotten first."""

    key: str = ""
    number: int = 0


NOWHERE = Place()
"""The place of a record that isn't kept."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights that a user gave a client at one login, or that a client has itself. `session`: of all its tokens."""

    client_id: str
    subject: str
    scope: str
    session: str
    nonce: str = ""


@dataclass(slots=True)
class Code:
    """An authorization code, with the names that authlib reads."""

    grant: Grant
    redirect_uri: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    expires: float
    used: bool = False
    place: Place = NOWHERE

    def get_redirect_uri(self) -> str | None:
        """Return the redirect URI that the code was requested with."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scope."""
        return self.grant.scope


@dataclass(slots=True)
class Issued:
    """A refresh token, or an access token that is to be revoked; with the names that authlib reads."""

    grant: Grant
    token_id: str = ""
    expires: float = 0.0
    used: bool = False
    place: Place = NOWHERE

    def get_scope(self) -> str:
        """Return the granted scope."""
        return self.grant.scope

    def check_client(self, client: Named) -> bool:
        """Return whether the token is that client's."""
        return client.get_client_id() == self.grant.client_id


@dataclass(slots=True)
class Device:
    """A device code, with the names that authlib reads. `subject`: of the user that approved it; None: undecided."""

    client_id: str
    scope: str
    user_code: str
    expires: float
    interval: float
    now: Callable[[], float] = field(repr=False)
    subject: str | None = None
    denied: bool = False
    used: bool = False
    polled: float = float("-inf")
    place: Place = NOWHERE

    def get_client_id(self) -> str:
        """Return the id of the client that requested it."""
        return self.client_id

    def get_scope(self) -> str:
        """Return the requested scope."""
        return self.scope

    def get_user_code(self) -> str:
        """Return the code for the user."""
        return self.user_code

    def is_expired(self) -> bool:
        """Return whether it has expired, or was used."""
        return self.used or self.now() >= self.expires


class Named:
    """An object with a client's id, as authlib has it."""

    def get_client_id(self) -> str:
        """Return the client's id."""
        raise NotImplementedError


class Kept(Generic[R]):
    """Records by a secret text."""

    def __init__(self) -> None:
        self._records: dict[str, R] = {}
        self.on_touch: Callable[[str], None] | None = None
        """The function that is called with the key of each record that is about to change."""

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> R | None:
        """Return the record, or None."""
        return self._records.get(key)

    def put(self, key: str, record: R) -> None:
        """Keep a record."""
        last = next(reversed(self._records.values()), None)
        record.place = Place(key, last.place.number + 1 if last is not None else 1)
        self._touch(key)
        self._records[key] = record
        if len(self._records) > MAX_RECORDS:
            oldest = next(iter(self._records))
            self._touch(oldest)
            del self._records[oldest]

    def change(self, record: R, **values: Any) -> None:
        """Set fields of a record."""
        self._touch(record.place.key)
        for name, value in values.items():
            setattr(record, name, value)

    def values(self) -> list[R]:
        """Return the records, the oldest first."""
        return list(self._records.values())

    # ---- the pieces of the state

    def keys(self) -> list[str]:
        """Return the keys of the records."""
        return list(self._records)

    def image(self, key: str) -> R | None:
        """Return a copy of a record, which stays as it is; None for none."""
        found = self._records.get(key)
        return replace(found) if found is not None else None

    def restore(self, key: str, image: R | None) -> None:
        """Replace a record by such a copy; `settle` has to follow."""
        self._records.pop(key, None)
        if image is not None:
            self._records[key] = replace(image)

    def settle(self) -> None:
        """Go on from the records that were restored."""
        self._records = dict(sorted(self._records.items(), key=lambda each: each[1].place.number))

    def _touch(self, key: str) -> None:
        if self.on_touch is not None:
            self.on_touch(key)


class Records:
    """The records of one plane."""

    def __init__(self) -> None:
        self.codes: Kept[Code] = Kept()
        self.refresh_tokens: Kept[Issued] = Kept()
        self.devices: Kept[Device] = Kept()

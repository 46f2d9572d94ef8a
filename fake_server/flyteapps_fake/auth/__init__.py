"""Authentication of a plane: `FakeControlPlane(auth="demo")`, or with an `Auth` of your own."""

from __future__ import annotations

from flyteapps_fake.auth.settings import Auth, Client, User

__all__ = ["Auth", "Client", "User"]

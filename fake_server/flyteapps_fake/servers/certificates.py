"""Certificates for `--tls self-signed`, by trustme: made once, kept for the user, renewed before they expire.

The authority's own key is never written: a client that trusts ca.pem trusts this one server's key and nothing else.
"""

from __future__ import annotations

import json
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from flyteapps_fake.servers.run_folder import state_folder

DAYS = 365
"""Days that a certificate is valid."""
RENEW_DAYS = 30
"""Days before its expiry at which a new one is made."""


class Certificate(NamedTuple):
    """Paths of PEM files: the chain and the key of a server and, where it is our own, the authority to trust."""

    cert: Path
    key: Path
    ca: Path | None = None


def given(cert: Path, key: Path) -> Certificate:
    """Return the user's own. Raises ValueError where a file is missing, is no PEM, or the two don't match."""
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ValueError(f"{option} {path}: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            f"--tls-cert {cert} and --tls-key {key} are no certificate and its key, both PEM and without a "
            f"passphrase: {error}"
        ) from None
    return Certificate(_absolute(cert), _absolute(key))


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError as error:
        raise ValueError(f"{path}: the working directory is gone ({error.strerror}); give a whole path") from None


def self_signed(names: list[str], folder: Path | None = None) -> Certificate:
    """Return one for those names and addresses, from `folder` (by default the user's own) or new.

    Raises OSError, ValueError.
    """
    folder = folder if folder is not None else state_folder() / "tls"
    found = Certificate(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    note = folder / "names.json"
    now = datetime.now(UTC)
    if not _usable(note, names, now, found):
        _make(found, names, now)
        note.write_text(json.dumps({"names": names, "until": (now + timedelta(days=DAYS)).timestamp()}))
    return found


def _usable(note: Path, names: list[str], now: datetime, found: Certificate) -> bool:
    try:
        kept = json.loads(note.read_text())
        fresh = kept["until"] > (now + timedelta(days=RENEW_DAYS)).timestamp()
        given(found.cert, found.key)
        assert found.ca is not None
        return fresh and kept["names"] == names and found.cert.read_bytes().endswith(found.ca.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make(found: Certificate, names: list[str], now: datetime) -> None:
    try:
        import trustme
    except ModuleNotFoundError:
        raise ValueError("--tls self-signed needs trustme: pip install 'flyteapps[serve]'") from None
    authority = trustme.CA(organization_name="flyteapps, this machine's stand-in")
    leaf = authority.issue_cert(*names, not_before=now - timedelta(days=1), not_after=now + timedelta(days=DAYS))
    found.cert.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    assert found.ca is not None
    # the authority, too, though servers needn't send it: the Flyte SDK, told to skip the check, trusts the chain that
    # it is sent, and by a leaf alone nothing can be checked
    chain = b"".join(blob.bytes() for blob in (*leaf.cert_chain_pems, authority.cert_pem))
    for path, data in (
        (found.ca, authority.cert_pem.bytes()),
        (found.cert, chain),
        (found.key, leaf.private_key_pem.bytes()),
    ):
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)

"""The table of wrong clients, filled by the decorator `mutant`."""

from __future__ import annotations

from collections.abc import Callable

from contract.reference_client import ReferenceClient

MUTANTS: list[tuple[str, type[ReferenceClient]]] = []


def mutant(*guarantees: str) -> Callable[[type[ReferenceClient]], type[ReferenceClient]]:
    """Register a wrong client under the client guarantees that it breaks."""

    def register(kind: type[ReferenceClient]) -> type[ReferenceClient]:
        MUTANTS.extend((guarantee, kind) for guarantee in guarantees)
        return kind

    return register

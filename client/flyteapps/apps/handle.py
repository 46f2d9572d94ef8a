"""Handle: the part of an App that makes no calls: the properties of its app, copies and pickles."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Self, cast

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps import conditions
from flyteapps.apps.states import ACTIVE, DEACTIVATED, DeploymentStatus, DesiredState, Substate


class Handle:
    """The state of one app, as the plane last returned it to this handle."""

    pb2: definition.App
    _client: Any = None  # of a handle that was pickled: a client belongs to its process

    @property
    def name(self) -> str:
        """The name, unique within project and domain."""
        return self.pb2.metadata.id.name

    @property
    def revision(self) -> int:
        """1 when created, one more with each update; 0 on planes that don't count revisions."""
        return self.pb2.metadata.revision

    @property
    def endpoint(self) -> str:
        """The public URL, "" before the plane has assigned one."""
        return self.pb2.status.ingress.public_url

    @property
    def deployment_status(self) -> DeploymentStatus:
        """The deployment status by the last condition."""
        return conditions.status(self.pb2)

    @property
    def substate(self) -> Substate:
        """The substate, which qualifies the deployment status."""
        return conditions.substate(self.pb2)

    @property
    def message(self) -> str:
        """The plane's message about the deployment status."""
        return conditions.message(self.pb2)

    @property
    def desired_state(self) -> DesiredState:
        """The state that the app should be in."""
        return DesiredState(self.pb2.spec.desired_state)

    def is_active(self) -> bool:
        """Return whether the deployment status is ACTIVE or STARTED, also with zero replicas."""
        return self.deployment_status in ACTIVE

    def is_deactivated(self) -> bool:
        """Return whether the deployment status is STOPPED or UNASSIGNED. An UNASSIGNED app can be about to start."""
        return self.deployment_status in DEACTIVATED

    def to_dict(self) -> dict[str, Any]:
        """Return the app as a dictionary, by protobuf's JSON mapping (camelCase keys)."""
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(self.pb2)

    def to_json(self) -> str:
        """Return the app as indented JSON."""
        from google.protobuf.json_format import MessageToJson

        return MessageToJson(self.pb2)

    def __getstate__(self) -> Any:
        state: Any = super().__getstate__()
        own, slots = _both(state)
        del own["_client"]
        return (own, slots) if slots else own

    def __copy__(self) -> Self:
        return self._copied(copy.copy)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._copied(lambda state: copy.deepcopy(state, memo))

    def _copied(self, copied: Callable[[Any], Any]) -> Self:
        """Return a copy, of the same client."""
        made = type(self).__new__(type(self))
        own, slots = _both(self.__getstate__())
        for name, value in {**copied(own), **copied(slots)}.items():
            setattr(made, name, value)
        made._client = self._client
        return made

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "name", self.name
        yield "revision", self.revision
        yield "endpoint", self.endpoint
        yield "deployment_status", self.deployment_status.name
        if self.substate:
            yield "substate", self.substate.name
        yield "desired_state", self.desired_state.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__rich_repr__())})"


def _both(state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes in an object's state: those of its `__dict__`, and those of the slots of a subclass."""
    pair = cast("tuple[Any, Any]", state if isinstance(state, tuple) else (state, {}))
    return {**pair[0]}, {**pair[1]}

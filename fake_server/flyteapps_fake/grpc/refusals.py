"""Refusals over grpcio."""

from __future__ import annotations

from typing import NoReturn

import grpc

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.protocol.wire import status_details

STATUS: dict[Code, grpc.StatusCode] = {Code(status.value[0]): status for status in grpc.StatusCode if status.value[0]}


def abort(context: grpc.ServicerContext, error: RpcError) -> NoReturn:
    """End the call with that error. Raises what grpcio expects."""
    if error.details:
        context.set_trailing_metadata((("grpc-status-details-bin", status_details(error)),))
    context.abort(STATUS[error.code], error.message)

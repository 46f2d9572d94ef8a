"""A gRPC server."""
# pyright: basic

from concurrent.futures import ThreadPoolExecutor

import flyte.app
from flyte.app import Port

env = flyte.app.AppEnvironment(name="grpc", image="none", port=Port(port=8080, name="h2c"), requires_auth=False)


@env.server
def serve() -> None:
    """Answer calls until the process ends."""
    import grpc

    def shout(request: bytes, context: grpc.ServicerContext) -> bytes:
        return request.upper()

    handler = grpc.method_handlers_generic_handler("Echo", {"Shout": grpc.unary_unary_rpc_method_handler(shout)})
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    server.add_insecure_port(f"127.0.0.1:{env.get_port().port}")
    server.start()
    server.wait_for_termination()

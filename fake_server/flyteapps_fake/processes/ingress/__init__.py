"""The ingress: HTTP from clients to the processes of apps, by their own ports, host names and paths.

It stands on aiohttp: the parser of requests (llhttp, in C, strict), its server with keep-alive, pipelining and flow
control, and the parser of responses. Envoy, which the extra `fast` brings, doesn't run on every platform, would need a
new configuration for each start of a replica, and can't hold a request until a sleeping app is awake or count requests
for the autoscaling without a filter of our own. aiohttp's ClientSession is not used: it loses header bytes that are no
UTF-8, interim responses (100, 103) and the difference between a response that ended and a connection that broke, and
takes WebSockets apart into messages; `passing/upstream.py` uses the protocol beneath it. Once both sides have switched
to WebSocket, bytes are passed as they are.
"""

"""Apps of several replicas, of none, that end by themselves, and that need too much memory."""
# pyright: basic

import flyte
import flyte.app
from flyte.app import Scaling

SERVER = """
import http.server, os, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            os._exit(7)
        wait, _, file = self.path.partition("?")
        while wait == "/wait" and not os.path.exists(file):
            time.sleep(0.01)
        if self.path == "/eat":
            kept.append(b"x" * (300 << 20))
        data = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
def end(number, frame):
    print("ended by SIGTERM", flush=True)
    sys.exit(0)
kept = []
signal.signal(signal.SIGTERM, end)
print("it starts", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
OPTIONS = {"image": "none", "requires_auth": False, "command": ["python", "-S", "-E", "-u", "-c", SERVER]}

two = flyte.app.AppEnvironment(name="two", scaling=Scaling(replicas=2), **OPTIONS)
sleepy = flyte.app.AppEnvironment(name="sleepy", scaling=Scaling(replicas=(0, 1), scaledown_after=1), **OPTIONS)
many = flyte.app.AppEnvironment(
    name="many", scaling=Scaling(replicas=(1, 3), metric=Scaling.Concurrency(1), scaledown_after=1), **OPTIONS
)
ending = flyte.app.AppEnvironment(name="ending", scaling=Scaling(replicas=1), **OPTIONS)
greedy = flyte.app.AppEnvironment(
    name="greedy", scaling=Scaling(replicas=1), resources=flyte.Resources(memory=("100Mi", "200Mi")), **OPTIONS
)
looping = flyte.app.AppEnvironment(
    name="looping",
    image="none",
    requires_auth=False,
    command=["python", "-S", "-E", "-c", "print('about to fail'); raise ValueError('the reason')"],
)

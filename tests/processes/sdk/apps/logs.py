"""Show the log of an app: `logs.py APP [REPLICA]`."""
# pyright: basic

import sys

import flyte
from flyte.remote import App

flyte.init_from_config()
App.get(sys.argv[1]).show_logs(raw=True, replica_name=sys.argv[2] if len(sys.argv) > 2 else None)

"""Writes docs/auth.schema.json, the JSON Schema of `flyteapps serve --auth FILE`. `--check` compares instead."""

from __future__ import annotations

import json
import sys

from generated import write_or_check

from flyteapps_fake.auth.schema import json_schema

if __name__ == "__main__":
    sys.exit(write_or_check("auth.schema.json", json.dumps(json_schema(), indent=2) + "\n"))

"""A command that prints a token, for the SDK's ExternalCommand."""

import json
import os
import ssl
import sys
import urllib.parse
import urllib.request

endpoint, client_id, secret = sys.argv[1:]
form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
context = ssl.create_default_context(cafile=os.environ["FLOW_CA"])
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
with opener.open(f"{endpoint}/oauth2/token", urllib.parse.urlencode(form).encode(), timeout=30) as answer:
    print(json.load(answer)["access_token"])

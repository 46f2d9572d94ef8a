"""A browser that follows redirects, for the SDK's login in the code flow: BROWSER="python follow_redirects.py %s &"."""

import os
import ssl
import sys
import urllib.request

context = ssl.create_default_context(cafile=os.environ["FLOW_CA"])
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
with opener.open(sys.argv[1], timeout=30) as page:
    page.read()

"""Python's urllib, pointed at the proxy by variables alone: fetch_urllib.py URL. Prints one JSON object."""
import base64
import json
import sys
import urllib.error
import urllib.request

try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=60)
except urllib.error.HTTPError as refused:
    answer = refused
json.dump({"status": answer.status, "headers": answer.headers.items(),
           "body": base64.b64encode(answer.read()).decode()}, sys.stdout)

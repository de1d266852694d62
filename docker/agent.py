"""An agent: it knows nothing of tokens or permissions. The proxy and its CA come from the environment."""
import json
import urllib.request

with urllib.request.urlopen("https://emulator:8443/v1/documents/doc_9982") as answer:
    print("document:", json.load(answer)["id"])

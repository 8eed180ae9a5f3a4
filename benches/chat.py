"""A web chat visitor: opens a conversation, says something, waits for the reply over server-sent events."""

import http.client
import json
import time
import urllib.parse
import uuid


class Visitor:
    def __init__(self, chat_url):
        self.url = urllib.parse.urlsplit(chat_url)
        self.connection = http.client.HTTPConnection(self.url.netloc, timeout=30)
        self.headers = {"Content-Type": "application/json"}
        self.headers["Authorization"] = f"Bearer {self._post('/sessions', {}, 201)['token']}"
        self.events = http.client.HTTPConnection(self.url.netloc, timeout=30)
        self.events.request("GET", f"{self.url.path}/events", headers={**self.headers, "Accept": "text/event-stream"})
        self.stream = self.events.getresponse()
        assert self.stream.status == 200, self.stream.status

    def _post(self, path, body, *statuses):
        self.connection.request("POST", self.url.path + path, json.dumps(body), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        assert response.status in statuses, (response.status, text)
        return json.loads(text) if text else None

    def ask(self, text):
        """Seconds from posting the message to its reply, and the reply."""
        start = time.perf_counter()
        self._post("/messages", {"text": text, "id": str(uuid.uuid4())}, 202)
        while True:
            line = self.stream.readline()
            assert line, "the event stream ended without a reply"
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                if event.get("speaker") == "employee":
                    return time.perf_counter() - start, event["text"]


def percentile(values, share):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]

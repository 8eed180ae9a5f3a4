"""Slack's official SDK against the double: what it can do at Slack it can do here, and refusals look the same."""

import json
import queue
import sys
import urllib.error
import urllib.request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import MarkdownTextChunk
from slack_sdk.models.metadata import Metadata
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

told = json.loads(sys.argv[1])
client = WebClient(token=told["token"], base_url=told["url"] + "/")


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as refusal:
        assert refusal.response["error"] == error, (error, refusal.response.data)
        return refusal.response
    raise AssertionError(f"{error} expected")


identity = client.auth_test()
assert (identity["team_id"], identity["bot_id"]) == ("T1", "BBOTT1"), identity.data

# Messages.
metadata = Metadata(event_type="test", event_payload={"n": 1})
root = client.chat_postMessage(channel="C1", text="root", metadata=metadata)["ts"]
client.chat_postMessage(channel="C1", thread_ts=root, markdown_text="**reply**")
thread = client.conversations_replies(channel="C1", ts=root, include_all_metadata=True)["messages"]
assert [message["text"] for message in thread] == ["root", "**reply**"], thread
assert thread[0]["metadata"]["event_payload"] == {"n": 1}
client.chat_update(channel="C1", ts=root, text="root, changed")
refused("message_not_found", client.chat_update, channel="C1", ts="1.000000", text="x")
refused("channel_not_found", client.chat_postMessage, channel="C404", text="x")
refused("invalid_thread_ts", client.chat_postMessage, channel="C1", thread_ts="yesterday", text="x")
refused("markdown_text_conflict", client.chat_postMessage, channel="C1", text="x", markdown_text="y")
refused("msg_too_long", client.chat_postMessage, channel="C1", text="x" * 40_001)
client.chat_postEphemeral(channel="C1", user="U1", thread_ts=root, text="only for you")

# A stream, with the SDK's own buffering.
recipient = {"recipient_team_id": "T1", "recipient_user_id": "U1"}
stream = client.chat_stream(channel="C1", thread_ts=root, buffer_size=1, **recipient)
stream.append(markdown_text="Hello ")
refused("streaming_state_conflict", client.chat_update, channel="C1", ts=stream.ts, text="too early")
stream.append(markdown_text="world")
stream.stop(markdown_text="!", metadata=metadata, session_status="active")
refused("message_not_in_streaming_state", client.chat_appendStream, channel="C1", ts=stream.ts, markdown_text="x")
refused("message_not_in_streaming_state", client.chat_stopStream, channel="C1", ts=stream.ts)
client.chat_update(channel="C1", ts=stream.ts, text="Hello world, changed")
begin = client.chat_startStream
refused("missing_recipient_team_id", begin, channel="C1", thread_ts=root, recipient_user_id="U1")
refused("missing_recipient_user_id", begin, channel="C1", thread_ts=root, recipient_team_id="T1")
begun = begin(channel="C1", thread_ts=root, chunks=[MarkdownTextChunk(text="in chunks")], **recipient)["ts"]
refused("msg_too_long", client.chat_appendStream, channel="C1", ts=begun, markdown_text="x" * 12_001)
client.chat_stopStream(channel="C1", ts=begun)

# Files.
uploaded = client.files_upload_v2(channel="C1", thread_ts=root, filename="a.txt", title="Answer", content="hé 😀")
info = client.files_info(file=uploaded["file"]["id"])["file"]
assert (info["name"], info["shares"]["public"]["C1"][0]["thread_ts"]) == ("a.txt", root), info
assert client.conversations_replies(channel="C1", ts=root)["messages"][-1]["files"][0]["name"] == "a.txt"


def lay_down(content, length):
    place = client.files_getUploadURLExternal(filename="b.txt", length=length)
    request = urllib.request.Request(place["upload_url"], data=content, method="POST")
    try:
        return place, urllib.request.urlopen(request).status
    except urllib.error.HTTPError as refusal:
        return place, refusal.code


place, status = lay_down(b"four", 5)
assert status == 400, status
complete = client.files_completeUploadExternal
refused("file_not_found", complete, files=[{"id": place["file_id"]}], channel_id="C1")
place, status = lay_down(b"four", 4)
assert status == 200, status
refused("channel_not_found", complete, files=[{"id": place["file_id"]}], channel_id="C404")
complete(files=[{"id": place["file_id"]}])
refused("file_not_found", complete, files=[{"id": place["file_id"]}], channel_id="C1")
refused("invalid_arguments", client.files_getUploadURLExternal, filename="b.txt", length=0)
refused("invalid_arguments", client.api_call, api_method="files.getUploadURLExternal", json={"filename": "b", "length": 1})

# What is shown while an app works.
client.assistant_threads_setStatus(channel_id="C1", thread_ts=root, status="is thinking…", loading_messages=["hm"])
many = ["hm"] * 11
refused(
    "invalid_arguments",
    client.assistant_threads_setStatus,
    channel_id="C1",
    thread_ts=root,
    status="x",
    loading_messages=many,
)
assert client.agents_sessions_setStatus(channel_id="C1", thread_ts=root, status="processing")["status"] == "processing"
refused("invalid_arguments", client.agents_sessions_setStatus, channel_id="C1", thread_ts=root, status="asleep")

# Tokens and limits.
stranger = WebClient(token="xoxb-wrong", base_url=told["url"] + "/")
refused("invalid_auth", stranger.auth_test)
refused("unknown_method", client.api_call, api_method="chat.shout")
limited = refused("ratelimited", client.chat_meMessage, channel="C1", text="x")
assert limited.status_code == 429 and limited.headers["Retry-After"] == "7", limited.headers
poor = WebClient(token=told["poor"], base_url=told["url"] + "/")
missing = refused("missing_scope", poor.chat_postMessage, channel="C1", text="x")
assert missing["needed"] == "chat:write", missing.data
missing = refused("missing_scope", poor.files_upload_v2, channel="C1", content="x", filename="x.txt")
assert missing["needed"] == "files:write", missing.data


class Now(Clock):
    def now(self):
        return float(told["now"])


for request in told["requests"]:
    verifier = SignatureVerifier(told["signing_secret"], Now())
    headers = {
        "X-Slack-Request-Timestamp": request["timestamp"],
        "X-Slack-Signature": request["signature"],
    }
    assert verifier.is_valid_request(request["body"], headers), request
    assert not verifier.is_valid_request(request["body"] + "x", headers)

# Socket Mode: what is not acknowledged comes again, also after Slack has replaced the socket.
web = WebClient(base_url=told["url"] + "/")
refused("invalid_auth", web.apps_connections_open, app_token="xapp-wrong")
refused("not_allowed_token_type", web.apps_connections_open, app_token=told["token"])
refused("not_allowed_token_type", WebClient(token=told["app_token"], base_url=told["url"] + "/").auth_test)
missing = refused("missing_scope", web.apps_connections_open, app_token=told["poor_app_token"])
assert missing["needed"] == "connections:write", missing.data

heard = queue.Queue()


def listen(socket, request):
    heard.put(request)
    if request.type == "interactive" or request.retry_attempt:
        socket.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))


socket = SocketModeClient(app_token=told["app_token"], web_client=web, ping_interval=1)
socket.socket_mode_request_listeners.append(listen)
socket.connect()
first, again, pressed = (heard.get(timeout=30) for _ in range(3))
assert (first.type, first.retry_attempt, again.retry_attempt) == ("events_api", 0, 1), (first, again)
assert first.payload == again.payload and again.retry_reason == "timeout"
assert first.payload["event"]["type"] == "app_mention", first.payload
assert (pressed.type, pressed.payload["type"]) == ("interactive", "block_actions"), pressed.payload
# Sent when what was before it is acknowledged.
assert heard.get(timeout=30).type == "slash_commands"
socket.close()

print("ok")

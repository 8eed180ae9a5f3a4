"""pywa against the double of WhatsApp. Its base address is fixed, so its transport leads elsewhere."""

import json
import sys

import httpx
from pywa import WhatsApp, errors, utils
from pywa.types import Button, CallbackButton, Message
from pywa.types.templates import BodyText, HeaderText, TemplateLanguage

told = json.loads(sys.argv[1])
place = httpx.URL(told["url"])


class Elsewhere(httpx.HTTPTransport):
    def handle_request(self, request):
        request.url = request.url.copy_with(scheme=place.scheme, host=place.host, port=place.port)
        request.headers["host"] = f"{place.host}:{place.port}"
        return super().handle_request(request)


def client(token):
    session = httpx.Client(transport=Elsewhere(), trust_env=False)
    return WhatsApp(phone_id=told["phone_id"], token=token, session=session, server=None)


def refused(kind, call):
    try:
        call()
    except kind:
        return
    raise SystemExit(f"{kind.__name__} expected")


wa = client(told["token"])
assert wa.send_message(to=told["phone"], text="by number", tracker="track").id.startswith("wamid.")
wa.send_message(to=told["person"], text="by id")
laid_down = wa.upload_media(media="hé 😀".encode(), mime_type="text/plain", filename="answer.txt")
wa.send_document(to=told["phone"], document=laid_down.id, filename="answer.txt", caption="below")
wa.send_message(to=told["phone"], text="choose", buttons=[Button("Yes", "offer:1.0"), Button("No", "offer:1.1")])
wa.indicate_typing(message_id="wamid.1")
media = wa.get_media_url(told["media"])
assert (media.mime_type, media.file_size) == ("image/png", 5), media
content = httpx.get(media.url, headers={"Authorization": f"Bearer {told['token']}"}, trust_env=False)
assert content.content == b"bytes"

refused(errors.ExpiredAccessToken, lambda: client("EAA-wrong").send_message(to=told["phone"], text="x"))
refused(errors.ReEngagementMessage, lambda: wa.send_message(to="49999999999", text="window is closed"))
refused(errors.WhatsAppError, lambda: wa.send_message(to=told["phone"], text="x" * 4097))
refused(errors.WhatsAppError, lambda: wa.send_image(to=told["phone"], image="https://a.example/x.png"))

template = lambda name, *params: wa.send_template(  # noqa: E731
    to=told["phone"], name=name, language=TemplateLanguage.ENGLISH, params=list(params)
)
assert template("hello_from", BodyText.params("Ada", "Acme")).id
assert template("hello_named", HeaderText.params(company="Acme"), BodyText.params(agent="Ada", company="Acme")).id
refused(errors.TemplateParamCountMismatch, lambda: template("hello_from", BodyText.params("Ada")))
refused(errors.TemplateParamCountMismatch, lambda: template("hello_again", BodyText.params("Ada")))
refused(errors.WhatsAppError, lambda: template("hello_from", BodyText.params(agent="Ada", company="Acme")))
refused(errors.WhatsAppError, lambda: template("hello_from", BodyText.params("Ada\nGrace", "Acme")))
refused(errors.TemplateNotExists, lambda: template("hello_nobody"))
document = lambda **changed: wa.send_document(  # noqa: E731
    to=told["phone"], **{"document": laid_down.id, "filename": "answer.txt", **changed}
)
refused(errors.WhatsAppError, lambda: document(document="4711"))
refused(errors.WhatsAppError, lambda: document(caption="x" * 1025))
ask = lambda *buttons: wa.send_message(to=told["phone"], text="choose", buttons=list(buttons))  # noqa: E731
refused(errors.WhatsAppError, lambda: ask(*(Button(str(n), str(n)) for n in range(4))))
refused(errors.WhatsAppError, lambda: ask(Button("x" * 21, "1")))
refused(errors.WhatsAppError, lambda: ask(Button("same", "1"), Button("same", "2")))
refused(errors.WhatsAppError, lambda: ask(Button("Yes", "x" * 257)))
upload = lambda media, kind: wa.upload_media(media=media, mime_type=kind, filename="x")  # noqa: E731
refused(errors.WhatsAppError, lambda: upload(b"x", "text/html"))
refused(errors.ExpiredAccessToken, lambda: client("EAA-wrong").upload_media(media=b"x", mime_type="text/plain", filename="x"))

body = told["delivery"].encode()
assert utils.webhook_updates_validator(told["app_secret"], body, told["signature"])
assert not utils.webhook_updates_validator(told["app_secret"], body + b" ", told["signature"])
message = Message.from_update(wa, json.loads(body))
assert (message.text, message.from_user.bsuid, message.from_user.wa_id) == ("hé 😀", told["person"], told["phone"])
press = CallbackButton.from_update(wa, json.loads(told["pressed"]))
assert (press.data, press.title, press.from_user.bsuid) == ("offer:1.0", "Yes", told["person"]), press
print("ok")

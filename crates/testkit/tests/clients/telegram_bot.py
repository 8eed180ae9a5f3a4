"""python-telegram-bot against the double of Telegram."""

import asyncio
import json
import sys

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, Update
from telegram.error import BadRequest, Conflict, InvalidToken
from telegram.request import HTTPXRequest

told = json.loads(sys.argv[1])


def bot(token):
    request = lambda: HTTPXRequest(httpx_kwargs={"trust_env": False})  # noqa: E731
    return Bot(
        token,
        base_url=f"{told['url']}/bot",
        base_file_url=f"{told['url']}/file/bot",
        request=request(),
        get_updates_request=request(),
    )


async def refused(kind, call):
    try:
        await call
    except kind:
        return
    raise SystemExit(f"{kind.__name__} expected")


async def main():
    ada = bot(told["token"])
    me = await ada.get_me()
    assert me.username == "ada_bot" and me.is_bot
    [update] = await ada.get_updates(timeout=0)
    assert (update.message.text, update.message.chat.id) == ("hello 😀", 11), update
    assert await ada.get_updates(offset=update.update_id + 1, timeout=0) == ()

    await ada.send_message(11, "plain")
    sent = await ada.send_message(11, "<b>bold</b> &lt; 1", parse_mode="HTML")
    assert sent.message_id and sent.chat.id == 11
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
    asked = await ada.send_message(11, "choose", reply_markup=keyboard)
    long = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y" * 65)]])
    await refused(BadRequest, ada.send_message(11, "choose", reply_markup=long))
    pressed = Update.de_json(told["pressed"], ada).callback_query
    assert (pressed.data, pressed.from_user.id, pressed.message.chat.id) == ("yes", 11, 11), pressed
    assert await pressed.answer("noted", show_alert=True)
    await refused(BadRequest, pressed.answer("noted"))
    assert await ada.edit_message_reply_markup(11, asked.message_id)
    await refused(BadRequest, ada.edit_message_reply_markup(11, asked.message_id))
    await refused(BadRequest, ada.edit_message_reply_markup(11, 4711))
    text = InputFile("hé 😀".encode(), filename="a.txt")
    below = await ada.send_document(11, text, caption="<i>below</i>", parse_mode="HTML")
    assert (below.caption, below.document.file_name) == ("below", "a.txt"), below
    await refused(BadRequest, ada.send_document(11, InputFile(b"", filename="a.txt")))
    await refused(BadRequest, ada.send_document(11, InputFile(b"x", filename="a.txt"), caption="x" * 1025))
    await ada.send_chat_action(11, "typing")
    file = await ada.get_file(told["file"])
    assert bytes(await file.download_as_bytearray()) == b"bytes"

    await refused(BadRequest, ada.send_message(404, "unknown chat"))
    await refused(BadRequest, ada.send_message(11, "x" * 4097))
    await refused(BadRequest, ada.send_message(11, "<b>open", parse_mode="HTML"))
    await refused(BadRequest, ada.set_webhook("http://not.secure.example/"))
    await refused(InvalidToken, bot("1:wrong").get_me())
    assert await ada.set_webhook("https://a.example/x", secret_token="abc_1")
    assert (await ada.get_webhook_info()).url == "https://a.example/x"
    await refused(Conflict, ada.get_updates(timeout=0))
    assert await ada.delete_webhook()


asyncio.run(main())
print("ok")

// The requests of the chat: a session, messages, pictures, and the stream of lines.

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// crypto.randomUUID exists on secure origins only.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// The same again has no chance.
class Refused extends Error {}

class Connection {
  // `state` keeps the conversation, `user` is who the site says the visitor is.
  constructor(base, state, user, language) {
    Object.assign(this, { base, state, user, language, token: null, about: null });
  }

  async request(path, options = {}) {
    const headers = { "accept-language": this.language, ...options.headers };
    if (this.token && path !== "/sessions") headers.authorization = `Bearer ${this.token}`;
    const response = await fetch(`${this.base}${path}`, { ...options, headers, credentials: "omit" });
    if (response.ok) return response;
    const answer = await response.json().catch(() => ({}));
    const error = new Error(answer.error?.message ?? `The server answered ${response.status}.`);
    error.status = response.status;
    error.after = Number(response.headers.get("retry-after")) * 1000 || 0;
    throw error;
  }

  async open() {
    const body = JSON.stringify({ conversation: this.state.conversation ?? undefined, user: this.user ?? undefined });
    const response = await this.request("/sessions", { method: "POST", body, headers: { "content-type": "application/json" } });
    this.about = await response.json();
    this.token = this.about.token;
    return this.about;
  }

  // Tries until it works or has no chance. A token that has run out is renewed once.
  async insist(work, failed) {
    let renewed = false;
    for (let delay = 1000; ; delay = Math.min(delay * 2, 15000)) {
      let pause = 0;
      try {
        if (!this.token) await this.open();
        return await work();
      } catch (error) {
        if (error.status === 401 && !renewed) {
          renewed = true;
          this.token = null;
          continue;
        }
        const passes = !error.status || error.status === 408 || error.status === 429 || error.status >= 500;
        if (!passes) throw new Refused(error.message);
        failed(error.status === 429 ? error.message : null);
        pause = error.after;
      }
      await wait(Math.max(pause, delay * (0.8 + Math.random() * 0.4)));
    }
  }

  say(message, failed) {
    const body = JSON.stringify({ id: message.id, text: message.text, images: message.images });
    const headers = { "content-type": "application/json" };
    return this.insist(() => this.request("/messages", { method: "POST", body, headers }), failed);
  }

  async upload(file, failed) {
    const send = () => this.request("/images", { method: "POST", body: file, headers: { "content-type": file.type } });
    return (await (await this.insist(send, failed)).json()).id;
  }

  // Calls `heard` with each event for ever: lines after `last()`, and what is being written. A stream that ends, however it
  // ends, goes on after the last line that came.
  async listen(last, heard, status) {
    for (let delay = 500; !this.closed; delay = Math.min(delay * 2, 15000)) {
      try {
        if (!this.token) await this.open();
        const response = await this.request("/events", { headers: { "last-event-id": String(last()) } });
        status(true);
        delay = 500;
        await events(response.body, heard);
      } catch (error) {
        if (error.status === 401) this.token = null;
        else if (error.status >= 400 && error.status < 500 && error.status !== 429) return status(false, error.message);
      }
      status(false);
      await wait(delay * (0.8 + Math.random() * 0.4));
    }
  }
}

// Server-sent events. A browser's own reader of them sends no token.
async function events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    // A line, a partial answer or a sign of life comes at least every fifteen seconds.
    const silence = wait(45000).then(() => ({ done: true }));
    const { done, value } = await Promise.race([reader.read(), silence]);
    if (done) return reader.cancel().catch(() => {});
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data) heard(field("event"), JSON.parse(data));
    }
  }
}

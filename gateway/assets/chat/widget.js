// One chat: what is on the screen, and what must survive a reload of the page.

const MAX = 40000;
const SLOW_AFTER = 30000;

class Chat {
  constructor(host, { base, id, page, title, greeting, user, language }) {
    this.words = WORDS[language.slice(0, 2).toLowerCase()] ?? WORDS.en;
    this.key = `konstruct-chat:${id}${user ? `:${user.id}` : ""}`;
    this.state = this.load();
    Object.assign(this, { page, bubbles: new Map(), lastSeq: 0, sending: false, picture: null });
    this.connection = new Connection(base, this.state, user, language);
    this.build(host);
    this.introduce(title, greeting);
    this.bind();
    for (const message of this.state.pending) {
      // It may have been committed although its answer was lost: the same id again is the same message.
      message.sent = false;
      this.show(message);
    }
    if (page || this.wasOpen()) this.toggle(true, false);
  }

  build(host) {
    const root = host.attachShadow({ mode: "open" });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    const template = document.createElement("template");
    template.innerHTML = TEMPLATE;
    root.append(template.content);
    this.$ = (selector) => root.querySelector(selector);
    this.root = root;
    if (this.page) {
      root.host.setAttribute("data-page", "");
      this.$(".panel").setAttribute("role", "main");
    }
    const { words } = this;
    const text = { ".notice": "notice", ".status": "role", ".new": "fresh", ".latest": "latest", "label": "label" };
    for (const [selector, word] of Object.entries(text)) this.$(selector).textContent = words[word];
    const labels = { ".launcher": "open", ".close": "close", ".send": "send", ".attach": "attach", ".remove": "remove", ".lines": "conversation" };
    for (const [selector, word] of Object.entries(labels)) this.$(selector).setAttribute("aria-label", words[word]);
    this.$(".remove").textContent = "×";
    this.$("textarea").placeholder = words.placeholder;
  }

  load() {
    try {
      const saved = JSON.parse(localStorage.getItem(this.key));
      if (saved && Array.isArray(saved.pending)) return saved;
    } catch {
      // No storage, or something else in it: begin anew.
    }
    return { conversation: null, pending: [] };
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.state));
    } catch {
      // A private window: the conversation ends with the page.
    }
  }

  // For as long as the browser's tab is open, if it lets us.
  remember(open) {
    try {
      sessionStorage.setItem(`${this.key}:open`, open ? "1" : "");
    } catch {
      // It opens shut on the next page.
    }
  }

  wasOpen() {
    try {
      return Boolean(sessionStorage.getItem(`${this.key}:open`));
    } catch {
      return false;
    }
  }

  introduce(title, greeting) {
    this.name = title || this.name || "Chat";
    this.$("#title").textContent = this.name;
    this.$(".avatar").textContent = [...this.name][0]?.toUpperCase() ?? "";
    if (!greeting || this.greeted) return;
    this.greeted = true;
    this.$(".lines").prepend(this.line("employee", greeting));
  }

  bind() {
    const on = (selector, event, work) => this.$(selector).addEventListener(event, work.bind(this));
    on(".launcher", "click", () => this.toggle(this.$(".panel").hidden));
    on(".close", "click", () => this.toggle(false));
    on(".panel", "keydown", (event) => {
      if (event.key === "Escape" && !this.page) this.toggle(false);
    });
    on("form", "submit", this.submit);
    on(".new", "click", this.startOver);
    on(".latest", "click", this.toEnd);
    on("textarea", "input", this.grow);
    on("textarea", "keydown", (event) => {
      const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
      if (sends && !touch()) this.submit(event);
    });
    on("textarea", "paste", (event) => this.choose([...event.clipboardData.files][0], event));
    on(".attach", "click", () => this.$(".file").click());
    on(".file", "change", () => this.choose(this.$(".file").files[0]));
    on(".remove", "click", () => this.choose(null));
    on(".scroll", "scroll", () => {
      if (this.atEnd()) this.$(".latest").hidden = true;
    });
  }

  toggle(open, focus = true) {
    this.$(".panel").hidden = !open;
    this.$(".launcher").setAttribute("aria-expanded", String(open));
    this.$(".launcher").setAttribute("aria-label", open ? this.words.close : this.words.open);
    this.remember(open);
    if (!open) return this.$(".launcher").focus();
    if (!this.started) this.start();
    this.grow();
    this.toEnd();
    if (focus || (this.page && !touch())) this.$("textarea").focus();
  }

  async start() {
    this.started = true;
    try {
      const about = await this.connection.insist(() => Promise.resolve(this.connection.about), () => this.status(this.words.again));
      this.introduce(about.title, about.greeting);
      this.$(".attach").hidden = !about.images;
      this.status(this.words.role);
    } catch (error) {
      this.status(error.message);
      this.announce(error.message);
      this.$("textarea").disabled = true;
      return;
    }
    if (this.state.conversation) this.listen();
    this.flush();
  }

  listen() {
    if (this.listening) return;
    this.listening = true;
    const heard = (kind, data) => {
      if (kind === "message") this.receive(data);
      if (kind === "partial") this.partial(data.text);
    };
    const status = (connected, message) => this.status(message ?? (connected ? this.words.role : this.words.again));
    this.connection.listen(() => this.lastSeq, heard, status);
  }

  line(speaker, text) {
    const item = element("li");
    item.className = `line ${speaker} fresh`;
    const who = element("span", speaker === "person" ? `${this.words.you}: ` : `${this.name}: `);
    who.className = "hidden";
    const bubble = element("div", ...(speaker === "person" ? [text] : formatted(text)));
    bubble.className = "bubble";
    item.append(who, bubble);
    return item;
  }

  atEnd() {
    const scroll = this.$(".scroll");
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
  }

  toEnd() {
    this.$(".scroll").scrollTop = this.$(".scroll").scrollHeight;
    this.$(".latest").hidden = true;
  }

  status(text) {
    if (this.$(".status").textContent !== text) this.$(".status").textContent = text;
  }

  announce(text) {
    this.$(".announcer").textContent = text;
  }

  note(id, text, failed) {
    const bubble = this.bubbles.get(id);
    if (!bubble) return;
    const found = bubble.querySelector(".state") ?? element("p");
    found.className = failed ? "state failed" : "state";
    found.textContent = text;
    bubble.append(found);
  }

  waiting() {
    clearTimeout(this.slowTimer);
    const accepted = this.state.pending.some((message) => message.sent);
    const partial = !this.$(".partial").hidden;
    this.$(".typing").hidden = !accepted || partial;
    this.$(".typing-text").textContent = this.words.writing;
    if (accepted) this.slowTimer = setTimeout(() => (this.$(".typing-text").textContent = this.words.slow), SLOW_AFTER);
    this.$(".new").hidden = !this.state.conversation || (this.lastSeq === 0 && !this.state.pending.length);
  }

  show(message) {
    const bubble = this.line("person", message.text);
    if (message.preview) {
      const image = element("img");
      image.src = message.preview;
      image.alt = this.words.picture;
      bubble.querySelector(".bubble").append(image);
    }
    this.bubbles.set(message.id, bubble);
    this.$(".pending").append(bubble);
    this.waiting();
    this.toEnd();
  }

  forget(id) {
    this.state.pending = this.state.pending.filter((message) => message.id !== id);
    this.bubbles.delete(id);
    this.save();
  }

  // What is being written. It may stop in the middle: the line itself is the answer.
  partial(text) {
    if (!this.state.pending.some((message) => message.sent)) return;
    const stay = !this.atEnd();
    this.$(".partial .bubble").replaceChildren(...formatted(text));
    this.$(".partial").hidden = false;
    this.waiting();
    if (!stay) this.toEnd();
  }

  receive({ seq, speaker, text }) {
    if (seq <= this.lastSeq) return;
    this.lastSeq = seq;
    const stay = !this.atEnd();
    const same = (message) => [message.text, ...message.images.map(() => "[picture]")].filter(Boolean).join("\n") === text;
    const own = speaker === "person" && this.state.pending.find(same);
    if (own) {
      const bubble = this.bubbles.get(own.id);
      bubble.querySelector(".state")?.remove();
      bubble.classList.remove("fresh");
      this.$(".lines").append(bubble);
      this.forget(own.id);
    } else {
      this.$(".lines").append(this.line(speaker, text));
    }
    if (speaker === "employee") this.$(".partial").hidden = true;
    this.waiting();
    if (stay && speaker === "employee") this.$(".latest").hidden = false;
    else if (!stay) this.toEnd();
  }

  // One message after the other, so that they arrive in the order in which they were written.
  async flush() {
    if (this.sending) return;
    this.sending = true;
    const unsent = () => this.state.pending.find((message) => !message.sent);
    for (let next = unsent(); next; next = unsent()) {
      const later = (reason) => this.note(next.id, reason ?? this.words.offline, true);
      try {
        if (!this.state.conversation) {
          if (!this.connection.about) await this.connection.insist(() => Promise.resolve(), later);
          this.state.conversation = this.connection.about.conversation;
          this.save();
        }
        this.listen();
        await this.connection.say(next, later);
        next.sent = true;
        this.note(next.id, "", false);
      } catch (error) {
        this.note(next.id, `${this.words.failed} ${error.message}`, true);
        this.announce(`${this.words.failed} ${error.message}`);
        this.forget(next.id);
      }
      this.save();
      this.waiting();
    }
    this.sending = false;
  }

  async choose(file, event) {
    if (event && !file) return;
    event?.preventDefault();
    this.$(".file").value = "";
    this.picture = null;
    this.$(".attached").hidden = !file;
    if (!file) return this.grow();
    const preview = URL.createObjectURL(file);
    this.$(".attached img").src = preview;
    this.hint(this.words.uploading);
    const chosen = (this.picture = { preview });
    try {
      chosen.id = await this.connection.upload(file, (reason) => this.hint(reason ?? this.words.offline));
      if (this.picture === chosen) this.grow();
    } catch (error) {
      if (this.picture !== chosen) return;
      await this.choose(null);
      this.hint(`${this.words.failed} ${error.message}`, true);
      this.announce(error.message);
    }
  }

  hint(text, failed) {
    this.$(".hint").textContent = text;
    this.$(".hint").className = failed ? "hint failed" : "hint";
  }

  grow() {
    const text = this.$("textarea");
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
    const length = [...text.value].length;
    const over = length > MAX;
    const count = `${length.toLocaleString()} / ${MAX.toLocaleString()}`;
    const keyboard = touch() ? "" : this.words.hint;
    this.hint(over ? `${this.words.long} ${count}` : length > MAX - 4000 ? count : keyboard, over);
    const pending = this.picture && !this.picture.id;
    this.$(".send").disabled = over || pending || !(text.value.trim() || this.picture);
  }

  submit(event) {
    event.preventDefault();
    if (this.$(".send").disabled) return;
    const text = this.$("textarea").value.trim();
    const images = this.picture ? [this.picture.id] : [];
    const message = { id: uuid(), text, images };
    this.state.pending.push(message);
    this.save();
    this.show({ ...message, preview: this.picture?.preview });
    this.$("textarea").value = "";
    this.picture = null;
    this.$(".attached").hidden = true;
    this.grow();
    this.$("textarea").focus();
    this.flush();
  }

  startOver() {
    if (!confirm(this.words.confirm)) return;
    localStorage.removeItem(this.key);
    location.reload();
  }
}

// On a keyboard of glass, Enter begins a new line and a focus nobody asked for covers half of the screen.
const touch = () => matchMedia("(pointer: coarse)").matches;

function formatted(text) {
  try {
    return render(text);
  } catch {
    return [text];
  }
}

// <script src="https://…/chat/widget.js" data-chat="public id" async></script>
const script = document.currentScript;
const { chat: id, mode, title, greeting, userId, userHash, lang } = script.dataset;
const mount = () => {
  const host = document.createElement("konstruct-chat");
  document.body.append(host);
  const base = `${new URL(script.src).href.replace(/\/widget\.js.*$/, "")}/${id}`;
  const user = userId && userHash ? { id: userId, hash: userHash } : null;
  const language = lang || navigator.language || "en";
  new Chat(host, { base, id, page: mode === "page", title, greeting, user, language });
};
if (document.body) mount();
else addEventListener("DOMContentLoaded", mount);

import { render } from "./markdown.js";

const MAX = 40000;
const SLOW_AFTER = 30000;
const $ = (id) => document.getElementById(id);
const name = $("title").textContent.trim();
const base = location.pathname.replace(/\/+$/, "");
const key = `konstruct-chat:${base}`;

// What must survive a reload: the conversation, and messages whose answer has not come.
const state = load();
const bubbles = new Map();
let lastSeq = 0;
let source;
let sending = false;
let slowTimer;

function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(key));
    if (saved && typeof saved.token === "string" && Array.isArray(saved.pending)) return saved;
  } catch {
    // No storage, or something else in it: begin anew.
  }
  return { token: null, pending: [] };
}

function save() {
  try {
    localStorage.setItem(key, JSON.stringify(state));
  } catch {
    // A private window: the conversation ends with the page.
  }
}

// crypto.randomUUID exists on secure origins only.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

class Refused extends Error {}

// Throws Refused when the same again has no chance.
async function post(path, body) {
  const response = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const message = answer.error?.message ?? `The server answered ${response.status}.`;
  if (response.status === 408 || response.status === 429 || response.status >= 500) throw new Error(message);
  throw new Refused(message);
}

async function insist(work, failed) {
  for (let delay = 1000; ; delay = Math.min(delay * 2, 15000)) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refused) throw error;
      failed();
      await wait(delay * (0.8 + Math.random() * 0.4));
    }
  }
}

function formatted(text) {
  try {
    return render(text);
  } catch {
    return [text];
  }
}

function line(speaker, text) {
  const item = document.createElement("li");
  item.className = `line ${speaker} fresh`;
  const who = document.createElement("span");
  who.className = "hidden";
  who.textContent = speaker === "person" ? "You: " : `${name}: `;
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  bubble.append(...(speaker === "person" ? [text] : formatted(text)));
  item.append(who, bubble);
  return item;
}

const atEnd = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 120;

function toEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
  $("latest").hidden = true;
}

function note(id, text, failed) {
  const bubble = bubbles.get(id);
  if (!bubble) return;
  const found = bubble.querySelector(".state") ?? document.createElement("p");
  found.className = failed ? "state failed" : "state";
  found.textContent = text;
  bubble.append(found);
}

function waiting() {
  clearTimeout(slowTimer);
  const accepted = state.pending.some((message) => message.sent);
  $("typing").hidden = !accepted;
  $("typing-text").textContent = "Writing an answer…";
  if (accepted) {
    slowTimer = setTimeout(() => {
      $("typing-text").textContent = "Still at work. You can close this page; the answer will be here when you come back.";
    }, SLOW_AFTER);
  }
  $("new").hidden = !state.token || (lastSeq === 0 && state.pending.length === 0);
}

function show(message) {
  const bubble = line("person", message.text);
  bubbles.set(message.id, bubble);
  $("pending").append(bubble);
  waiting();
  toEnd();
}

function forget(id) {
  state.pending = state.pending.filter((message) => message.id !== id);
  bubbles.delete(id);
  save();
}

function receive({ seq, speaker, text }) {
  if (seq <= lastSeq) return;
  lastSeq = seq;
  const stay = !atEnd();
  const own = speaker === "person" && state.pending.find((message) => message.text === text);
  if (own) {
    const bubble = bubbles.get(own.id);
    bubble.querySelector(".state")?.remove();
    bubble.classList.remove("fresh");
    $("lines").append(bubble);
    forget(own.id);
  } else {
    $("lines").append(line(speaker, text));
  }
  if (speaker === "employee") $("announcer").textContent = `${name}: ${text}`;
  waiting();
  if (stay && speaker === "employee") $("latest").hidden = false;
  else if (!stay) toEnd();
}

function status(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function listen(delay = 1000) {
  source?.close();
  source = new EventSource(`${base}/conversations/${state.token}/events`);
  source.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  source.addEventListener("open", () => {
    delay = 1000;
    status("AI employee");
  });
  source.addEventListener("error", () => {
    status("Connecting again…");
    // The browser reconnects by itself unless the server refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(Math.min(delay * 2, 15000)), delay);
  });
}

// One message after the other, so that they arrive in the order in which they were written.
async function flush() {
  if (sending) return;
  sending = true;
  for (let next = unsent(); next; next = unsent()) {
    const { id, text } = next;
    const offline = () => note(id, "Not sent yet. Trying again…", true);
    try {
      if (!state.token) {
        state.token = (await insist(() => post("/conversations", {}), offline)).conversation;
        save();
        listen();
      }
      await insist(() => post(`/conversations/${state.token}/messages`, { id, text }), offline);
      next.sent = true;
      note(id, "", false);
    } catch (error) {
      note(id, `Not sent: ${error.message}`, true);
      $("announcer").textContent = `Your message was not sent: ${error.message}`;
      forget(id);
    }
    save();
    waiting();
  }
  sending = false;
}

const unsent = () => state.pending.find((message) => !message.sent);

function hint() {
  const length = [...$("text").value].length;
  const over = length > MAX;
  const keyboard = matchMedia("(pointer: fine)").matches ? "Enter sends, Shift + Enter begins a new line" : "";
  const count = `${length.toLocaleString()} of ${MAX.toLocaleString()} characters`;
  $("hint").textContent = over ? `${count}: shorten it or send it in parts` : length > MAX - 4000 ? count : keyboard;
  $("hint").className = over ? "hint failed" : "hint";
  $("send").disabled = over || !$("text").value.trim();
}

function grow() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  hint();
}

function submit(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || $("send").disabled) return;
  const message = { id: uuid(), text };
  state.pending.push(message);
  save();
  $("text").value = "";
  grow();
  show(message);
  $("text").focus();
  flush();
}

function startOver() {
  if (!confirm("Start a new chat? This one disappears from this page.")) return;
  localStorage.removeItem(key);
  location.reload();
}

$("avatar").textContent = [...name][0]?.toUpperCase() ?? "";
$("greeting").hidden = !$("greeting").querySelector(".bubble").textContent.trim();
$("composer").addEventListener("submit", submit);
$("new").addEventListener("click", startOver);
$("latest").addEventListener("click", toEnd);
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => {
  const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  if (sends && matchMedia("(pointer: fine)").matches) submit(event);
});
$("scroll").addEventListener("scroll", () => {
  if (atEnd()) $("latest").hidden = true;
});

// A message may have been committed although its answer was lost: the same id again is the same message.
for (const message of state.pending) {
  message.sent = false;
  show(message);
}
if (state.token) listen();
flush();
grow();
waiting();
if (matchMedia("(pointer: fine)").matches) $("text").focus();

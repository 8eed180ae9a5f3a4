// A visitor with a real browser: `node drive.mjs SHOP STRANGER PAGE`. Says on standard output what the others in the play
// should do ("answer TEXT", "write TEXT", "cut") and what has come true ("ok WHAT"); ends with 1 at the first surprise.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import zlib from "node:zlib";

const [shop, stranger, page] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const folder = mkdtempSync(join(tmpdir(), "konstruct-browser-"));

const flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--remote-debugging-pipe", `--user-data-dir=${folder}`];
const browser = spawn(process.env.CHROMIUM ?? "chromium", flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const waiting = new Map();
const listeners = new Map();
let rest = Buffer.alloc(0);
let calls = 0;
browser.stdio[4].on("data", (bytes) => {
  rest = Buffer.concat([rest, bytes]);
  for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
    const message = JSON.parse(rest.subarray(0, end));
    rest = rest.subarray(end + 1);
    const { id, method, params, result, error } = message;
    if (method) listeners.get(method)?.(params);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.failed(new Error(`${call.method}: ${error.message}`));
    else call?.done(result);
  }
});

let session;
function command(method, params = {}) {
  calls += 1;
  browser.stdio[3].write(`${JSON.stringify({ id: calls, method, params, sessionId: session })}\0`);
  return new Promise((done, failed) => waiting.set(calls, { method, done, failed }));
}

async function evaluate(expression, options = {}) {
  const answer = await command("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, ...options });
  if (answer.exceptionDetails) throw new Error(`${expression}: ${answer.exceptionDetails.exception?.description}`);
  return options.returnByValue === false ? answer.result.objectId : answer.result.value;
}

// Inside the widget.
const inside = (expression) => `(($) => ${expression})((selector) => document.querySelector("konstruct-chat").shadowRoot.querySelector(selector))`;
const lines = inside(`[...$(".lines").children].map((line) => line.querySelector(".bubble").textContent)`);

async function until(what, expression) {
  for (const end = Date.now() + 30000; Date.now() < end; await wait(50)) {
    const found = await evaluate(expression).catch(() => undefined);
    if (found) return found;
  }
  throw new Error(`waited in vain: ${what}; lines: ${JSON.stringify(await evaluate(lines).catch(() => null))}`);
}

async function press(key, code = key) {
  const text = key === "Enter" ? "\r" : undefined;
  const codes = { Enter: 13, Tab: 9, Escape: 27 };
  const event = { key, code, windowsVirtualKeyCode: codes[key] };
  await command("Input.dispatchKeyEvent", { type: "keyDown", text, ...event });
  await command("Input.dispatchKeyEvent", { type: "keyUp", ...event });
}

async function type(text) {
  await command("Input.insertText", { text });
  await press("Enter");
}

async function go(url) {
  await command("Page.navigate", { url });
  await until(`${url} loads`, `document.readyState === "complete" && !!document.querySelector("konstruct-chat")`);
}

const ends = (text) => inside(`[...$(".lines").children].at(-1)?.querySelector(".bubble").textContent === ${JSON.stringify(text)}`);
const focused = (selector) => inside(`document.querySelector("konstruct-chat").shadowRoot.activeElement === $(${JSON.stringify(selector)})`);

function png(side) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(zlib.crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(side * (side * 3 + 1), 90);
  for (let row = 0; row < side; row += 1) rows[row * (side * 3 + 1)] = 0;
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

async function play() {
  const { targetId } = await command("Target.createTarget", { url: "about:blank" });
  session = (await command("Target.attachToTarget", { targetId, flatten: true })).sessionId;
  for (const domain of ["Page", "Runtime", "DOM", "Accessibility"]) await command(`${domain}.enable`);
  await command("Emulation.setFocusEmulationEnabled", { enabled: true });

  await go(shop);
  const tree = (await command("Accessibility.getFullAXTree")).nodes;
  const launcher = tree.find((node) => node.role?.value === "button" && node.name?.value === "Open the chat");
  if (!launcher) throw new Error("no button with the name Open the chat");
  say("ok the launcher has a name and a role");

  await press("Tab");
  await until("the launcher has the focus", focused(".launcher"));
  await press("Enter");
  await until("the text has the focus", focused("textarea"));
  await until("the session is open", inside(`$(".status").textContent === "AI employee" && $("#title").textContent.includes("Ada")`));
  const roles = (await command("Accessibility.getFullAXTree")).nodes.map((node) => `${node.role?.value} ${node.name?.value}`);
  for (const wanted of ["dialog Ask <Ada> & co", "log Conversation", "textbox Your message", "button Send", "button Close the chat"]) {
    if (!roles.includes(wanted)) throw new Error(`no ${wanted} among ${roles.filter((role) => !role.startsWith("none")).join("; ")}`);
  }
  say("ok it opens with the keyboard, and everything in it has a role and a name");

  await type("hello");
  await until("the message was taken", inside(`!$(".typing").hidden`));
  say("write Hel");
  await until("what is being written shows", inside(`!$(".partial").hidden && $(".partial .bubble").textContent === "Hel"`));
  say("ok an answer shows while it is written");
  say("answer Hello **you** <img src=x onerror=alert(1)>");
  await until("the answer", ends("Hello you <img src=x onerror=alert(1)>"));
  if (!(await evaluate(inside(`$(".lines strong").textContent === "you" && !$(".lines img") && $(".partial").hidden`)))) throw new Error("formatted wrongly");
  say("ok the answer is formatted, and markup in it is text");

  say("cut");
  await type("are you there?");
  say("answer I am");
  await until("the answer after the cut", ends("I am"));
  const all = await evaluate(lines);
  const wanted = ["Hello, I'm \"Ada\".", "hello", "Hello you <img src=x onerror=alert(1)>", "are you there?", "I am"];
  if (JSON.stringify(all) !== JSON.stringify(wanted)) throw new Error(`after the cut: ${JSON.stringify(all)}`);
  say("ok a dropped stream goes on where it stopped, with nothing lost and nothing twice");

  await press("Escape");
  await until("the panel is shut and the launcher has the focus", `${focused(".launcher")} && ${inside(`$(".panel").hidden`)}`);
  await press("Enter");
  await until("it is open again", focused("textarea"));
  say("ok Escape shuts it and gives the focus back");

  await go(shop);
  await until("the conversation is there again", ends("I am"));
  if ((await evaluate(lines)).length !== wanted.length) throw new Error("a reload shows other lines");
  say("ok a reload of the page shows the conversation again");

  let forged = 0;
  listeners.set("Fetch.requestPaused", ({ requestId, request }) => {
    const headers = Object.entries(request.headers).map(([name, value]) => ({ name, value }));
    const token = headers.find(({ name }) => name.toLowerCase() === "authorization");
    if (token && forged === 0) {
      token.value = `${token.value.slice(0, -1)}x`;
      forged += 1;
    }
    command("Fetch.continueRequest", { requestId, headers });
  });
  await command("Fetch.enable", { patterns: [{ urlPattern: "*/messages" }] });
  await evaluate(inside(`$("textarea").focus()`));
  await type("with a forged token");
  say("answer taken after all");
  await until("the answer to the message whose token was forged", ends("taken after all"));
  if (forged !== 1) throw new Error("no token was forged");
  await command("Fetch.disable");
  say("ok a token that is not valid any more is renewed");

  const picture = join(folder, "picture.png");
  writeFileSync(picture, png(64));
  await until("pictures can be added", inside(`!$(".attach").hidden`));
  const objectId = await evaluate(inside(`$(".file")`), { returnByValue: false });
  await command("DOM.setFileInputFiles", { files: [picture], objectId });
  await until("the picture is there", inside(`!$(".attached").hidden && !$(".send").disabled`));
  await evaluate(inside(`$("textarea").focus()`));
  await type("look");
  say("answer nice");
  await until("the answer to the picture", ends("nice"));
  if (!(await evaluate(lines)).some((line) => line.startsWith("look"))) throw new Error("the message with the picture is gone");
  say("ok a picture is sent with its message");

  const color = inside(`getComputedStyle($(".panel")).backgroundColor`);
  const light = await evaluate(color);
  await command("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "dark" }] });
  if ((await evaluate(color)) === light) throw new Error("dark mode looks like light mode");
  say("ok it is dark where the visitor's device is");

  await command("Emulation.setDeviceMetricsOverride", { width: 375, height: 667, deviceScaleFactor: 2, mobile: true });
  const fills = inside(`(({ x, y, width, height }) => x === 0 && y === 0 && width === innerWidth && height === innerHeight)($(".panel").getBoundingClientRect())`);
  await until("it fills a phone", fills);
  await go(page);
  await until("the page is the same chat", `${fills} && ${inside(`$(".panel").getAttribute("role") === "main"`)}`);
  say("ok it fills a phone, and the page is the same chat");

  await command("Emulation.clearDeviceMetricsOverride");
  await go(stranger);
  await evaluate(inside(`$(".launcher").click()`));
  await until("a site that is not allowed gets no session", inside(`$(".status").textContent === "Connecting again…"`));
  if (await evaluate(inside(`$("#title").textContent.includes("Ada")`))) throw new Error("another site has the chat");
  say("ok a site that is not on the list gets nothing");
}

play()
  .then(() => 0)
  .catch((error) => {
    console.error(error);
    return 1;
  })
  .then((code) => {
    browser.kill();
    browser.on("exit", () => {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      process.exit(code);
    });
  });

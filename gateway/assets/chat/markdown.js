// The Markdown that models write, as DOM nodes. Never HTML: what a model says is text, whatever it contains.

// Every repetition is bounded, so that no text, however it is made, takes long to read.
const INLINE = new RegExp(
  [
    /(?<!`)(`{1,3})(?!`)([\s\S]{0,2000}?[^`])\1(?!`)/,
    /\*\*(?=\S)([\s\S]{0,1000}?\S)\*\*/,
    /(?<![\w*])\*(?=[^\s*])([^*\n]{0,1000}?[^\s*])\*(?!\w)/,
    /(?<!\w)_(?=\S)([^_\n]{0,1000}?\S)_(?!\w)/,
    /\[([^\]\n]{1,300})\]\((https?:\/\/[^\s)]{1,2000})\)/,
    /https?:\/\/[^\s<>]{0,2000}[^\s<>.,;:!?)"'\]]/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "g",
);
const QUOTES_MAX = 4;

function element(name, ...children) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}

function link(address, children) {
  const node = element("a", ...children);
  node.href = address;
  node.rel = "noopener noreferrer";
  node.target = "_blank";
  return node;
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    if (found.index > end) nodes.push(text.slice(end, found.index));
    const [all, , code, strong, starred, underscored, label, address] = found;
    if (code !== undefined) nodes.push(element("code", code));
    else if (strong !== undefined) nodes.push(element("strong", ...inline(strong)));
    else if (starred !== undefined) nodes.push(element("em", ...inline(starred)));
    else if (underscored !== undefined) nodes.push(element("em", ...inline(underscored)));
    else if (label !== undefined) nodes.push(link(address, [label]));
    else nodes.push(link(all, [all]));
    end = found.index + all.length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function lines(texts) {
  return texts.flatMap((text, index) => (index ? [element("br"), ...inline(text)] : inline(text)));
}

const ITEM = /^(\s*)(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;
const FENCE = /^\s*(`{3,}|~{3,})/;
const HEADING = /^#{1,6}\s+(\S.*)$/;
const RULE = /^\s{0,3}([-*_])(?:[ \t]{0,5}\1){2,200}\s*$/;
const starts = (line) => FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || /^\s*>/.test(line) || !line.trim();

// One list, with the lists inside its items. Returns where it ends.
function list(all, at) {
  const [, indent, bullet, number] = ITEM.exec(all[at]);
  const node = element(bullet ? "ul" : "ol");
  if (number && number !== "1") node.start = Number(number);
  let item;
  while (at < all.length) {
    const found = ITEM.exec(all[at]);
    if (found && found[1].length <= indent.length) {
      if (found[1].length < indent.length || Boolean(found[2]) !== Boolean(bullet)) break;
      item = element("li", ...inline(found[4]));
      node.append(item);
      at += 1;
    } else if (found) {
      const [inner, end] = list(all, at);
      item.append(inner);
      at = end;
    } else if (all[at].trim() && /^\s+/.test(all[at])) {
      item.append(element("br"), ...inline(all[at].trim()));
      at += 1;
    } else if (!all[at].trim() && ITEM.test(all[at + 1] ?? "")) {
      at += 1;
    } else break;
  }
  return [node, at];
}

function render(text, quotes = 0) {
  const all = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  let at = 0;
  while (at < all.length) {
    const line = all[at];
    const fence = FENCE.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      const close = all.findIndex((other, index) => index > at && other.trim().startsWith(fence[1]));
      const end = close < 0 ? all.length : close;
      nodes.push(element("pre", element("code", all.slice(at + 1, end).join("\n"))));
      at = end + 1;
    } else if (HEADING.test(line)) {
      nodes.push(element("h3", ...inline(HEADING.exec(line)[1])));
      at += 1;
    } else if (RULE.test(line)) {
      nodes.push(element("hr"));
      at += 1;
    } else if (ITEM.test(line)) {
      const [node, end] = list(all, at);
      nodes.push(node);
      at = end;
    } else if (/^\s*>/.test(line) && quotes < QUOTES_MAX) {
      let end = at;
      while (end < all.length && /^\s*>/.test(all[end])) end += 1;
      const quoted = all.slice(at, end).map((other) => other.replace(/^\s*>\s?/, ""));
      nodes.push(element("blockquote", ...render(quoted.join("\n"), quotes + 1)));
      at = end;
    } else {
      let end = at + 1;
      while (end < all.length && !starts(all[end])) end += 1;
      nodes.push(element("p", ...lines(all.slice(at, end))));
      at = end;
    }
  }
  return nodes;
}

(() => {
  "use strict";
  const one = (selector, node = document) => node.querySelector(selector);
  const all = (selector, node = document) => [...node.querySelectorAll(selector)];
  const make = (tag, name = "", text = "") => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text) node.textContent = text;
    return node;
  };

  // The error browser. Texts are parsed when their corpus is chosen, and drawn a page at a time.
  const form = one("#browser");
  if (!form) return;
  const PAGE = 20, NONE = "(none)", CLASSES = form.dataset.classes.split(" ");
  const blocks = new Map(all("script.error-data").map((block) => [block.dataset.name, block]));
  const parsed = new Map();
  const field = (name) => form.elements.namedItem(name);
  let page = 0, found = [];

  function corpus() {
    const name = field("data").value;
    if (!parsed.has(name)) parsed.set(name, JSON.parse(blocks.get(name).textContent));
    return parsed.get(name);
  }
  function options(name, entries, wanted) {
    const select = field(name);
    select.replaceChildren(...entries.map(([value, text]) => {
      const option = make("option", "", text);
      option.value = value;
      return option;
    }));
    select.value = entries.some(([value]) => value === wanted) ? wanted : entries[0][0];
  }
  const errorsOf = (sentence, model) => (sentence[4].find(([m]) => m === model) || [0, []])[1];
  const goldLabel = (sentence, e) => (e[1] < 0 ? -1 : sentence[3][e[1]][2]);
  const predictedLabel = (e) => (e.length > 2 ? e[4] : -1);
  // Two models make the same mistake if they miss the same gold span, or invent the same span.
  const target = (e) => (e[1] >= 0 ? `g${e[1]}` : `p${e.slice(2, 5)}`);

  function fill(wanted) {
    const data = corpus(), named = (names) => names.map((name) => [name, name]);
    options("model", named(data.models), wanted.get("model") || "");
    const model = data.models.indexOf(field("model").value);
    const kinds = CLASSES.map(() => 0), gold = new Map(), predicted = new Map();
    const add = (map, key) => map.set(key, (map.get(key) || 0) + 1);
    let errors = 0;
    data.sentences.forEach((s) => errorsOf(s, model).forEach((e) => {
      errors += 1;
      kinds[e[0]] += 1;
      add(gold, goldLabel(s, e));
      add(predicted, predictedLabel(e));
    }));
    const labels = (map) => [["", "any"], ...[...map].sort((a, b) => b[1] - a[1]).map(([label, n]) =>
      label < 0 ? [NONE, `none (${n})`] : [data.labels[label][0], `${data.labels[label][0]} (${n})`])];
    options("class", [["", `any error (${errors})`], ...CLASSES.map((k, n) => [k, `${k} (${kinds[n]})`]),
      ["all", "every sentence"]], wanted.get("class") || "");
    options("gold", labels(gold), wanted.get("gold") || "");
    options("predicted", labels(predicted), wanted.get("predicted") || "");
    options("beside", [["", "no other model"], ...named(data.models.filter((m) => m !== field("model").value))],
      wanted.get("beside") || "");
    field("q").value = wanted.get("q") || "";
    field("only").checked = wanted.get("only") === "1" && field("beside").value !== "";
    one("#only").hidden = !field("beside").value;
  }
  // لبنان finds لُبْنان, and احمد finds أحمد.
  const fold = (text) => text.normalize("NFKC").replace(/[\p{Mn}\u0640\u200b-\u200f\u2060-\u2069\ufeff]/gu, "")
    .replace(/[أإآٱ]/g, "ا").replace(/ى/g, "ي").replace(/ة/g, "ه").toLowerCase();
  function search() {
    const data = corpus(), kind = field("class").value, every = kind === "all", q = fold(field("q").value.trim());
    const model = data.models.indexOf(field("model").value), other = data.models.indexOf(field("beside").value);
    const index = (name) => {
      const label = field(name).value;
      return label === "" ? null : label === NONE ? -1 : data.labels.findIndex(([l]) => l === label);
    };
    const gold = index("gold"), predicted = index("predicted"), only = field("only").checked && other >= 0;
    found = [];
    let number = 0;
    data.sentences.forEach((s) => {
      if (q && !fold(s[1]).includes(q) && !fold(data.documents[s[0]]).includes(q)) return;
      const shared = new Set(only ? errorsOf(s, other).map(target) : []);
      const hits = errorsOf(s, model).filter((e) => (every || !kind || CLASSES[e[0]] === kind)
        && (gold === null || goldLabel(s, e) === gold) && (predicted === null || predictedLabel(e) === predicted)
        && !shared.has(target(e)));
      const free = every && gold === null && predicted === null && !only;
      if (!hits.length && !free) return;
      number += hits.length;
      found.push([s, new Set(hits)]);
    });
    const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
    one("#browser-count").textContent = `${count(number, "error")} in ${count(found.length, "sentence")} of ${
      count(data.sentences.length, "sentence")}`;
  }

  // Letters are not joined across a box; a zero-width joiner on either side keeps their joined shapes.
  const LETTER = /[\u0620-\u064a\u066e\u066f\u0671-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06fc\u06ff]/;
  const ENDS = /[ءآأؤإاةد-زوٱ-ٷڈ-ڙۀۃ-ۋۍۏےۓەۮۯ]/;
  function joins(chars, at) {
    let before = at - 1;
    while (before >= 0 && /\p{Mn}/u.test(chars[before])) before -= 1;
    const left = chars[before], right = chars[at];
    return before >= 0 && at < chars.length && LETTER.test(left) && LETTER.test(right) && !ENDS.test(left) && right !== "ء";
  }
  // Draws spans inside each other; one that crosses an earlier span is cut where that one ends.
  function draw(text, rtl, spans) {
    const chars = [...text], root = make("div", "isnad-text");
    root.dir = rtl ? "rtl" : "ltr";
    root.lang = rtl ? "ar" : "";
    const order = spans.map((_, i) => i).sort((a, b) => spans[a].start - spans[b].start || spans[b].end - spans[a].end || a - b);
    const edges = [...new Set([0, ...spans.flatMap((s) => [s.start, s.end]), chars.length])].sort((a, b) => a - b);
    const stack = [{ node: root, height: 0 }];
    const open = (i) => {
      const { label, hue, tone, title, error, hit } = spans[i];
      const mark = make("mark", [error ? `err k-${error}` : "ok", hit ? "hit" : ""].join(" ").trim());
      mark.dataset.label = label;
      mark.dataset.span = spans[i].id;
      mark.title = title;
      mark.style.setProperty("--hue", hue);
      mark.style.setProperty("--tone", tone);
      stack.at(-1).node.append(mark);
      stack.push({ node: mark, height: 0, span: i });
    };
    const close = () => {
      const piece = stack.pop(), parent = stack.at(-1);
      piece.node.style.setProperty("--height", piece.height);
      parent.height = Math.max(parent.height, piece.height + 1);
      return piece;
    };
    edges.forEach((at, n) => {
      let ending = stack.filter((p) => p.span !== undefined && spans[p.span].end === at).length;
      const cut = [];
      while (ending) {
        const piece = close();
        if (spans[piece.span].end === at) ending -= 1;
        else {
          piece.node.classList.add("isnad-cut");
          cut.unshift(piece.span);
        }
      }
      [...cut, ...order.filter((i) => spans[i].start === at)].forEach(open);
      if (n + 1 === edges.length) return;
      const node = stack.at(-1).node, end = edges[n + 1];
      if (joins(chars, at)) node.append(make("i", "isnad-join"));
      node.append(chars.slice(at, end).join(""));
      if (joins(chars, end)) node.append(make("i", "isnad-join"));
    });
    root.style.setProperty("--depth", stack[0].height);
    return root;
  }
  function side(title, sentence, spans) {
    const box = make("div", "side"), frame = make("div", "isnad"), head = make("h4");
    head.append(make("bdi", "", title));
    frame.append(draw(sentence[1], sentence[2], spans));
    box.append(head, frame);
    return box;
  }
  function span(data, start, end, label, more) {
    const [name, hue, tone] = data.labels[label];
    return { start, end, label: name, hue, tone, title: name, ...more };
  }
  // Gold spans in none of the model's errors were found, so they are what it predicted rightly.
  function sides(data, sentence, model, hits) {
    const errors = errorsOf(sentence, model), wrong = new Map(errors.filter((e) => e[1] >= 0).map((e) => [e[1], e]));
    const lit = (e) => (e ? { error: CLASSES[e[0]], hit: !hits || hits.has(e), title: CLASSES[e[0]] } : {});
    const gold = sentence[3].map(([start, end, label], i) =>
      span(data, start, end, label, { id: wrong.has(i) ? `e${errors.indexOf(wrong.get(i))}` : `g${i}`, ...lit(wrong.get(i)) }));
    const predicted = sentence[3].filter((_, i) => !wrong.has(i)).map(([start, end, label]) => span(data, start, end, label, { id: "" }));
    errors.forEach((e, n) => {
      if (e.length < 3) return;
      predicted.push(span(data, e[2], e[3], e[4], { id: `e${n}`, ...lit(e), title: `${CLASSES[e[0]]}, score ${e[5]}` }));
    });
    return [gold, predicted];
  }
  function chip(data, sentence, e, n) {
    const item = make("button", "error");
    item.type = "button";
    item.dataset.span = `e${n}`;
    item.append(make("span", `kind k-${CLASSES[e[0]]}`, CLASSES[e[0]]));
    const part = (start, end, label, score) => {
      const node = make("span", "part");
      node.append(make("bdi", "ar", [...sentence[1]].slice(start, end).join("")), make("b", "", data.labels[label][0]));
      if (score !== undefined) node.append(make("span", "i", score.toFixed(2)));
      return node;
    };
    item.append(e[1] < 0 ? make("span", "part none", "no gold") : part(...sentence[3][e[1]]));
    item.append(make("span", "to", "→"));
    item.append(e.length < 3 ? make("span", "part none", "nothing") : part(...e.slice(2)));
    return item;
  }
  function item(data, [sentence, hits]) {
    const box = make("li", "sentence"), model = data.models.indexOf(field("model").value);
    const other = data.models.indexOf(field("beside").value);
    const head = make("p", "where");
    head.append(make("bdi", "", data.documents[sentence[0]]));
    const [gold, predicted] = sides(data, sentence, model, hits), texts = make("div", "sides");
    texts.append(side("gold", sentence, gold), side(data.models[model], sentence, predicted));
    if (other >= 0) texts.append(side(data.models[other], sentence, sides(data, sentence, other, null)[1]
      .map((s) => ({ ...s, id: "" }))));
    const list = make("div", "error-list");
    errorsOf(sentence, model).forEach((e, n) => { if (hits.has(e)) list.append(chip(data, sentence, e, n)); });
    box.append(head, list, texts);
    return box;
  }
  function turn(step = 0) {
    const data = corpus(), pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(pages - 1, Math.max(0, page + step));
    const list = one("#browser-list");
    list.start = page * PAGE + 1;
    list.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((hit) => item(data, hit)));
    const bar = one("#browser-pages");
    bar.hidden = pages < 2;
    one("span", bar).textContent = `page ${page + 1} of ${pages}`;
    one('[data-step="-1"]', bar).disabled = page === 0;
    one('[data-step="1"]', bar).disabled = page === pages - 1;
  }
  function state() {
    const wanted = new URLSearchParams();
    ["model", "data", "class", "gold", "predicted", "beside", "q"].forEach((name) => {
      if (field(name).value) wanted.set(name, field(name).value);
    });
    if (field("only").checked) wanted.set("only", "1");
    if (page) wanted.set("page", page + 1);
    return wanted;
  }
  const remember = () => history.replaceState(null, "", `#errors?${state()}`);
  function restore(wanted) {
    const name = wanted.get("data") || "";
    options("data", [...blocks.keys()].map((key) => [key, key]), blocks.has(name) ? name : matching(name));
    fill(wanted);
    search();
    page = (Number(wanted.get("page")) || 1) - 1;
    turn();
  }
  // A corpus that was compared in several ways has a block for each; a link names the corpus alone.
  const matching = (name) => [...blocks.keys()].find((key) => key.startsWith(`${name} (`)) || "";
  function fromHash() {
    const [id, query] = location.hash.split("?");
    if (id !== "#errors" || query === undefined) return false;
    restore(new URLSearchParams(query));
    form.scrollIntoView({ block: "start" });
    return true;
  }
  form.addEventListener("change", () => {
    restore(new URLSearchParams([...state()].filter(([name]) => name !== "page")));
    remember();
  });
  let typing = 0;
  form.addEventListener("input", (event) => {
    if (event.target.name !== "q") return;
    clearTimeout(typing);
    typing = setTimeout(() => { page = 0; search(); turn(); remember(); }, 200);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    restore(new URLSearchParams({ model: field("model").value, data: field("data").value }));
    remember();
  });
  one("#browser-pages").addEventListener("click", (event) => {
    if (!event.target.dataset.step) return;
    turn(Number(event.target.dataset.step));
    remember();
    form.scrollIntoView({ block: "start" });
  });
  const light = (event) => {
    const node = event.target instanceof Element ? event.target.closest("#browser-list [data-span^='e']") : null;
    all("#browser-list .lit").forEach((n) => n.classList.remove("lit"));
    if (node) all(`[data-span="${node.dataset.span}"]`, node.closest("li")).forEach((n) => n.classList.add("lit"));
  };
  ["mouseover", "focusin", "click"].forEach((kind) => document.addEventListener(kind, light));
  window.addEventListener("hashchange", fromHash);
  form.hidden = false;
  if (!fromHash()) restore(new URLSearchParams());
})();

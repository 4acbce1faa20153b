(() => {
  // Listening once on the document serves every fragment on the page, also those added later.
  if (window.isnadViewer) return;
  window.isnadViewer = true;
  let lit = [], pinned = null;
  const target = (node) => node instanceof Element ? node.closest(".isnad-doc :is(mark, [data-ends], [data-group])") : null;
  const scope = (node) => node.closest(".isnad-doc");

  function related(node) {
    const doc = scope(node), all = (selector) => [...doc.querySelectorAll(selector)];
    const { group, ends, index } = node.dataset;
    if (ends) return [node, ...ends.split(" ").flatMap((i) => all(`mark[data-index="${i}"]`))];
    const marks = group ? all(`[data-group="${group}"]`) : all(`mark[data-index="${index}"]`);
    const wanted = new Set(marks.map((mark) => mark.dataset.index));
    return [...marks, ...all("[data-ends]").filter((row) => row.dataset.ends.split(" ").some((i) => wanted.has(i)))];
  }
  function light(node) {
    lit.forEach((n) => n.classList.remove("isnad-on"));
    lit = node && node.isConnected ? related(node) : [];
    lit.forEach((n) => n.classList.add("isnad-on"));
  }
  function pin(node) {
    document.querySelectorAll(".isnad-info").forEach((p) => { p.hidden = true; });
    pinned = node === pinned ? null : node;
    light(pinned);
    if (!pinned) return;
    const info = scope(pinned).querySelector(".isnad-info");
    info.textContent = pinned.title;
    info.hidden = !pinned.title;
    if (pinned.matches("mark")) return;
    const first = lit.find((n) => n.matches("mark"));
    if (first) first.scrollIntoView({ block: "nearest" });
  }
  function toggle(key) {
    const shown = key.getAttribute("aria-pressed") === "false";
    key.setAttribute("aria-pressed", String(shown));
    scope(key).querySelectorAll("mark").forEach((mark) => {
      if (mark.dataset.label === key.dataset.label) mark.classList.toggle("isnad-off", !shown);
    });
  }
  document.addEventListener("mouseover", (event) => light(target(event.target) || pinned));
  document.addEventListener("focusin", (event) => light(target(event.target) || pinned));
  document.addEventListener("click", (event) => {
    const key = event.target.closest(".isnad-doc .isnad-key");
    if (key) toggle(key);
    else if (target(event.target) || pinned) pin(target(event.target));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") pin(null);
    if (event.key !== "Enter" && event.key !== " ") return;
    if (!event.target.matches(".isnad-doc :is([data-ends], [data-group])")) return;
    event.preventDefault();
    pin(event.target);
  });
})();

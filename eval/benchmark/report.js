(() => {
  "use strict";
  const one = (selector, node = document) => node.querySelector(selector);
  const all = (selector, node = document) => [...node.querySelectorAll(selector)];

  // Tables: a click on a head sorts, a second one turns the order round; averages stay at the foot.
  function value(row, column) {
    const cell = row.cells[column], measured = row.closest(".measured");
    const measure = measured ? measured.dataset.measure : "f1";
    const raw = cell.dataset.v !== undefined ? cell.dataset.v : cell.dataset[measure];
    if (raw === undefined) return cell.textContent.trim();
    return raw === "" ? null : Number(raw);
  }
  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  }
  function sort(head) {
    const column = head.cellIndex, table = head.closest("table"), body = table.tBodies[0];
    const before = head.getAttribute("aria-sort"), number = head.classList.contains("num");
    const down = before ? before === "ascending" : number;
    all("th[aria-sort]", table).forEach((th) => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => ({ row, key: value(row, column) }));
    rows.sort((a, b) => {
      const none = (a.key === null) - (b.key === null); // missing numbers come last in either order
      return none || (down ? -1 : 1) * (a.key === null ? 0 : compare(a.key, b.key));
    });
    body.append(...rows.map(({ row }) => row));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.sort");
    if (button) sort(button.closest("th"));
  });
  document.addEventListener("change", (event) => {
    const field = event.target.closest(".measure");
    if (field && event.target.checked) field.nextElementSibling.dataset.measure = event.target.value;
  });

  // Panels, of which one shows: that of the chosen model and data.
  all(".controls[data-group]").forEach((controls) => {
    const panels = all(`.panel[data-of="${controls.dataset.group}"]`);
    const chosen = (what) => one(`[data-choose="${what}"]`, controls).value;
    const show = () => {
      let found = false;
      panels.forEach((panel) => {
        panel.hidden = panel.dataset.model !== chosen("model") || panel.dataset.data !== chosen("data");
        found = found || !panel.hidden;
      });
      one(".missing", controls).hidden = found;
    };
    controls.hidden = panels.length < 2;
    controls.addEventListener("change", show);
    if (panels.length > 1) show();
  });
})();

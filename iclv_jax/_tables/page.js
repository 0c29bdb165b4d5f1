for (const head of document.querySelectorAll("table.sortable thead th")) {
  const button = head.querySelector("button");
  button.addEventListener("click", () => {
    const table = head.closest("table"), at = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
      if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;
      const order = Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y, undefined, {numeric: true}) : m - n;
      return down ? -order : order;
    };
    for (const body of table.tBodies) body.append(...[...body.rows].filter((r) => !r.classList.contains("heading")).sort(compare));
  });
}

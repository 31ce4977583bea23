// In a table with data-rows: j and k walk the rows, x ticks one, Enter opens its first link.
const moves = { j: 1, k: -1 };
const typing = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog[open]";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(typing)) return;
  const table = event.target.closest("table[data-rows]") ?? document.querySelector("table[data-rows]");
  if (!table) return;
  const row = event.target.closest("table[data-rows] tbody tr");
  if (event.key in moves) walk(table, row, moves[event.key], event);
  else if (event.key === "x" && row) tick(row, event);
  else if (event.key === "Enter" && row === event.target) row.querySelector("a[href]")?.click();
});

function walk(table, row, by, event) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const at = row ? rows.indexOf(row) + by : 0;
  const next = rows[Math.min(Math.max(at, 0), rows.length - 1)];
  if (!next) return;
  event.preventDefault();
  next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function tick(row, event) {
  const box = row.querySelector("input[type=checkbox]");
  if (!box) return;
  event.preventDefault();
  box.click();
  row.focus();
}

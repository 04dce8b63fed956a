"use strict";
const rows = JSON.parse(document.getElementById("rows").textContent);
const at = (id) => document.getElementById(id);
const body = at("body"), count = at("count"), drawer = at("drawer");

function cell(row, text, kind) {
  const made = document.createElement("td");
  made.textContent = text.length > 160 ? text.slice(0, 160) + "…" : text;
  if (kind) made.className = kind;
  row.append(made);
}

function chosen() {
  const words = at("search").value.toLowerCase();
  const who = at("who").value;
  return rows.filter((row) =>
    (!at("differing").checked || row.a !== row.b) &&
    (who === "all" || (who === "wrong" ? row.score_a === 0 && row.score_b === 0 : row.better === who)) &&
    (!words || [row.id, row.text, row.expected, row.a, row.b].join("\n").toLowerCase().includes(words)));
}

function open(row) {
  for (const key of ["id", "text", "expected", "a", "b"]) at("d-" + key).textContent = row[key];
  at("d-score_a").textContent = row.score_a;
  at("d-score_b").textContent = row.score_b;
  drawer.showModal();
}

function show() {
  const found = chosen();
  count.textContent = found.length + " of " + rows.length + " rows";
  body.replaceChildren(...found.slice(0, 500).map((row) => {
    const line = document.createElement("tr");
    const head = document.createElement("th"), button = document.createElement("button");
    head.scope = "row";
    button.textContent = row.id;
    button.addEventListener("click", () => open(row));
    head.append(button);
    line.append(head);
    cell(line, row.text);
    cell(line, row.expected);
    cell(line, row.a, row.better === "a" ? "better" : "");
    cell(line, row.b, row.better === "b" ? "better" : "");
    return line;
  }));
  at("more").hidden = found.length <= 500;
}

at("download").addEventListener("click", () => {
  const lines = chosen().map((row) => JSON.stringify(row) + "\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, {type: "application/jsonl"}));
  link.download = "rows.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
});
for (const id of ["differing", "who", "search"]) at(id).addEventListener("input", show);
at("close").addEventListener("click", () => drawer.close());
show();

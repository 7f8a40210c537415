// What is shown, as a file.

export function exporter(name, rows) {
  return [
    ["JSON", () => save(`${name}.json`, "application/json", JSON.stringify(rows(), null, 2) + "\n")],
    ["CSV", () => save(`${name}.csv`, "text/csv", csv(rows()))],
  ];
}

export function csv(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [columns.map(cell).join(","), ...rows.map((row) => columns.map((column) => cell(row[column])).join(","))].join("\r\n") + "\r\n";
}

function cell(value) {
  let content = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(content)) content = "'" + content; // a spreadsheet would calculate it
  return /[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content;
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Tables as files, as `spinscreen screen --csv` and `--json` write them: numbers as they are stored.

const FORMULA = /^[=+\-@\t\r]/;

function csvCell(value) {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value).replace("Infinity", "inf");
  // A spreadsheet runs a text that begins like a formula; an apostrophe says that it is a text.
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvText(rows, names) {
  const lines = [["material", ...names], ...rows.map((row) => ["material", ...names].map((name) => row[name]))];
  return lines.map((cells) => cells.map(csvCell).join(",")).join("\n") + "\n";
}

function jsonText(rows, names) {
  const plainNumber = (value) => (typeof value === "number" && !Number.isFinite(value) ? null : value);
  const records = rows.map((row) =>
    Object.fromEntries(["material", ...names].map((name) => [name, plainNumber(row[name])])),
  );
  return JSON.stringify(records, null, 1);
}

function saveAs(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Rows of a table with the names of columns, read from the source.
async function records(source, rows, names) {
  const columns = await Promise.all(names.map((name) => source.column(name)));
  return rows.map((row) => ({
    material: source.data.ids[row],
    ...Object.fromEntries(names.map((name, n) => [name, columns[n][row]])),
  }));
}

async function download(source, rows, names, format) {
  const found = await records(source, rows, names);
  if (format === "csv") saveAs("materials.csv", csvText(found, names), "text/csv;charset=utf-8");
  else saveAs("materials.json", jsonText(found, names), "application/json");
  announce(`${rows.length} materials written as ${format.toUpperCase()}`);
}

function saveFigure(figure, name) {
  const svg = figure.tagName.toLowerCase() === "svg" ? figure : figure.querySelector(":scope > svg:last-of-type");
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.style.color = getComputedStyle(svg).color;
  copy.style.fontFamily = "sans-serif";
  saveAs(name, new XMLSerializer().serializeToString(copy), "image/svg+xml");
}

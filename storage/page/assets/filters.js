// What is kept of the table, and the same as `spinscreen screen` would be told.

const SYMBOL = /^-?[A-Z][a-z]?$/;

function freshFilters(dimensions) {
  return {
    dimension: dimensions.length > 1 ? dimensions[0] : "all",
    name: "",
    formula: "",
    elements: "",
    qualities: new Set(["converged", "unconverged", "unknown"]),
    campaign: "",
    ranges: [],
    older: false,
  };
}

// Symbols that must be there and, with a minus before them, must not; null where a word is no symbol.
function readElements(text) {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  return words.every((word) => SYMBOL.test(word)) ? words : null;
}

function numberOf(text) {
  const words = String(text).trim().replace(",", ".").replace("−", "-");
  return words === "" ? null : Number(words);
}

// Ranges that say something, in the numbers that are stored.
function readRanges(filters, source) {
  return filters.ranges
    .filter(({ column }) => source.has(column) && !source.described(column).text)
    .map(({ column, least, most, size }) => {
      const unit = source.unit(column, filters.dimension);
      const [low, high] = [least, most].map(numberOf);
      return { column, low, high, size, factor: unit ? unit[0] : 1, mixed: unit === null };
    })
    .filter(({ low, high, mixed }) => !mixed && [low, high].some((n) => n !== null && !Number.isNaN(n)));
}

// Columns that the filters look at.
function columnsOf(filters, source) {
  const wanted = ["dimension", "name", "formula", "elements", "quality", "campaign"];
  return [...wanted, ...readRanges(filters, source).map((range) => range.column)].filter((n) => source.has(n));
}

async function keptRows(filters, source) {
  const names = columnsOf(filters, source);
  const values = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await source.column(name)])),
  );
  const elements = readElements(filters.elements) ?? [];
  const ranges = readRanges(filters, source);
  return source.data.ids.map((_, row) => row).filter((row) => {
    if (!filters.older && !source.data.newest[row]) return false;
    if (filters.dimension !== "all" && values.dimension?.[row] !== Number(filters.dimension)) return false;
    if (filters.name && !values.name[row].includes(filters.name)) return false;
    if (filters.formula && !(values.formula?.[row] ?? "").includes(filters.formula)) return false;
    if (values.quality && !filters.qualities.has(values.quality[row])) return false;
    if (filters.campaign && values.campaign?.[row] !== filters.campaign) return false;
    const own = (values.elements?.[row] ?? "").split(" ");
    if (!elements.every((e) => (e.startsWith("-") ? !own.includes(e.slice(1)) : own.includes(e)))) return false;
    return ranges.every(({ column, low, high, size, factor }) => {
      const value = size ? Math.abs(values[column][row]) : values[column][row];
      return (low === null || value >= low / factor) && (high === null || value <= high / factor);
    });
  });
}

// The expression of `--where` that keeps the same, "" where it keeps all.
function whereText(filters, source) {
  const parts = [];
  if (filters.dimension !== "all" && source.has("dimension")) parts.push(`dimension == ${filters.dimension}`);
  if (filters.name) parts.push(`${JSON.stringify(filters.name)} in name`);
  if (filters.formula) parts.push(`${JSON.stringify(filters.formula)} in formula`);
  for (const element of readElements(filters.elements) ?? []) {
    parts.push(element.startsWith("-") ? `not has("${element.slice(1)}")` : `has("${element}")`);
  }
  if (filters.qualities.size < 3 && source.has("quality")) {
    const wanted = [...filters.qualities].map((quality) => JSON.stringify(quality));
    parts.push(wanted.length === 1 ? `quality == ${wanted[0]}` : `quality in (${wanted.join(", ")})`);
  }
  if (filters.campaign) parts.push(`campaign == ${JSON.stringify(filters.campaign)}`);
  for (const { column, low, high, size, factor } of readRanges(filters, source)) {
    const name = size ? `abs(${column})` : column;
    if (low !== null) parts.push(`${name} >= ${low / factor}`);
    if (high !== null) parts.push(`${name} <= ${high / factor}`);
  }
  return parts.join(" and ");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// The whole command; sort: expression or "".
function commandText(filters, source, sort, columns) {
  const where = whereText(filters, source);
  const words = ["spinscreen screen", quoted(source.data.store)];
  if (where) words.push("--where", quoted(where));
  if (sort) words.push("--sort", quoted(sort));
  if (filters.older) words.push("--all");
  words.push("--columns", quoted(columns.join(",")));
  return words.join(" ");
}

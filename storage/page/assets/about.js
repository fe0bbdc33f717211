// Structure and provenance of a material; campaigns, failures and citations of the store.

function definitions(entries) {
  return make("dl", {}, entries.filter(([, text]) => text !== "" && text !== null && text !== undefined)
    .flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
}

function cellOf(lattice) {
  const length = lattice.map((v) => Math.hypot(...v));
  const angle = (i, j) => (Math.acos(d3.sum(lattice[i], (x, n) => x * lattice[j][n]) / (length[i] * length[j])) * 180) / Math.PI;
  return { length, angles: [angle(1, 2), angle(0, 2), angle(0, 1)] };
}

// Atoms and the cell, seen along one of its axes.
function cellFigure({ lattice, symbols, positions }, along) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const dot = (a, b) => d3.sum(a, (x, n) => x * b[n]);
  const towards = unit(lattice[along]);
  const start = lattice[(along + 1) % 3];
  const right = unit(start.map((x, n) => x - dot(start, towards) * towards[n]));
  const up = cross(towards, right);
  const flat = (v) => ({ x: dot(v, right), y: dot(v, up), z: dot(v, towards) });
  const corner = (i, j, k) => flat([0, 1, 2].map((n) => i * lattice[0][n] + j * lattice[1][n] + k * lattice[2][n]));
  const edges = d3.cross([0, 1], [0, 1]).flatMap(([i, j]) => [
    [corner(0, i, j), corner(1, i, j)], [corner(i, 0, j), corner(i, 1, j)], [corner(i, j, 0), corner(i, j, 1)]]);
  const atoms = positions.map((p, n) => ({ ...flat(p), symbol: symbols[n], n })).sort((a, b) => a.z - b.z);
  return spoken(Plot.plot({
    width: 320, height: 260, aspectRatio: 1, axis: null, inset: 18,
    ariaLabel: `The cell with ${symbols.length} atoms, seen along axis ${"abc"[along]}`,
    style: { background: "transparent", fontSize: "12px" },
    color: { legend: true, domain: [...new Set(symbols)], range: palette() },
    marks: [
      Plot.link(edges, { x1: (e) => e[0].x, y1: (e) => e[0].y, x2: (e) => e[1].x, y2: (e) => e[1].y, strokeOpacity: 0.35 }),
      Plot.dot(atoms, { x: "x", y: "y", r: 8, fill: "symbol", stroke: "var(--page)", title: (a) => `${a.symbol} ${a.n + 1}` }),
    ],
  }), "img");
}

function structureSection({ structure }) {
  const section = make("section", { "aria-label": "Structure" }, make("h2", {}, "Structure"));
  if (!structure.lattice) return section.append(make("p", {}, "No structure was stored.")), section;
  const { length, angles } = cellOf(structure.lattice);
  section.append(definitions([["formula", structure.formula], ["space group", structure.space_group],
    ["a, b, c", `${length.map((x) => x.toFixed(4)).join(", ")} Å`], ["α, β, γ", `${angles.map((x) => x.toFixed(2)).join("°, ")}°`]]));
  if (!structure.symbols.length) return section.append(make("p", { class: "hint" }, "Of the atoms nothing is known.")), section;
  const figure = make("div", {});
  const along = make("select", {}, ["a", "b", "c"].map((axis, n) => option(n, axis, n === 2)));
  const draw = () => figure.replaceChildren(cellFigure(structure, Number(along.value)));
  along.addEventListener("change", draw);
  draw();
  const rows = structure.positions.map((position, n) => make("tr", {}, make("td", {}, structure.symbols[n]), position.map((x) => make("td", {}, x.toFixed(4)))));
  section.append(field("Seen along", along), figure, make("details", {}, make("summary", {}, `${rows.length} atoms, Cartesian, Å`),
    make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ["atom", "x", "y", "z"].map((h) => make("th", { scope: "col" }, h)))), make("tbody", {}, rows))));
  return section;
}

function provenanceSection(found) {
  const given = Object.entries(found.columns).map(([name, value]) => [name, String(value)]);
  const list = (title, texts) => (texts.length ? make("details", {}, make("summary", {}, `${title} (${texts.length})`), make("ul", {}, texts.map((text) => make("li", {}, text)))) : null);
  return make("section", { "aria-label": "Provenance" }, make("h2", {}, "Where it comes from"),
    make("p", {}, "All of it, in Python:"),
    make("div", { class: "bar" }, make("code", { class: "code", tabindex: "0" }, found.open), copyButton(found.open)),
    definitions([...given, ...found.provenance.map(([name, text, unit]) => [name.replaceAll("_", " "), unit ? `${text} ${unit}` : text])]),
    list("Files", found.files), list("Assumed on the way", found.notes), list("Warned about", found.warnings), make("p", { class: "hint" }, found.references));
}

function settingsText(settings) {
  return JSON.stringify(settings, (_, value) => (value === null ? undefined : value), 1);
}

function showAbout(data) {
  const bibliography = data.cite.split("; ").map((text) => make("li", {}, text));
  const campaigns = data.campaigns.map((campaign) => make("details", {},
    make("summary", {}, `${campaign.id}: spinscreen ${campaign.spinscreen_version ?? "?"}, ${campaign.first_run ?? ""}`),
    make("pre", { tabindex: "0" }, settingsText(campaign.settings))));
  const problems = [...data.failures.map((f) => [`${f.id}`, f.error]), ...data.damaged.map((told) => ["damaged", told])];
  document.getElementById("view-about").replaceChildren(
    make("h1", {}, data.store),
    make("p", {}, `${data.ids.length} results; page ${data.live ? "served" : "made"} ${data.made} by spinscreen ${data.version}.`),
    make("h2", {}, "How to cite"), make("ul", {}, bibliography),
    make("h2", {}, `Campaigns (${campaigns.length})`), ...(campaigns.length ? campaigns : [make("p", {}, "None was recorded.")]),
    make("h2", {}, `Failed materials (${problems.length})`),
    problems.length ? definitions(problems) : make("p", {}, "None."),
    make("h2", {}, "What the numbers are"),
    definitions(Object.entries(data.quantities).map(([name, told]) => [name, `${told.title} (${told.theory}). ${told.comment}`])));
}

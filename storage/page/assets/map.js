// Any two columns of the materials that the filters keep, coloured by a third.

function isWide(values) {
  const sizes = finite(values).map(Math.abs).filter((size) => size > 0);
  return sizes.length > 2 && d3.max(sizes) > 100 * d3.median(sizes);
}

class MapView {
  constructor(source, filters) {
    Object.assign(this, { source, filters, rows: [], log: null });
    const { usual } = source.data;
    const numbers = source.data.columns.filter((column) => !column.text).map((column) => column.name);
    const pick = (...names) => names.find((name) => numbers.includes(name)) ?? numbers[0];
    this.x = pick(`conventional_${usual}`, `proper_${usual}`, "fermi_level");
    this.y = pick(`conserved_${usual}`, `proper_${usual}`, "gap", "carrier_density");
    this.color = ["gap", "quality"].find((name) => source.has(name)) ?? "";
    this.build();
  }

  chooser(label, key, names) {
    const select = make("select", {});
    const groups = d3.group(names, (name) => (name === "" ? "" : name.split("_")[0]));
    const single = [...groups.values()].filter((group) => group.length < 3).flat();
    select.append(...single.map((name) => option(name, name || "nothing", name === this[key])));
    for (const [group, members] of groups) {
      if (members.length < 3) continue;
      select.append(make("optgroup", { label: group }, members.map((name) => option(name, name, name === this[key]))));
    }
    select.addEventListener("change", () => { this[key] = select.value; this.draw(); });
    return field(label, select);
  }

  build() {
    const { columns } = this.source.data;
    const errors = new Set(columns.map((column) => column.error));
    const numbers = columns.filter(({ text, name }) => !text && !errors.has(name)).map(({ name }) => name);
    const texts = ["quality", "space_group", "formula", "campaign"].filter((name) => this.source.has(name));
    this.charts = make("div", { class: "charts" });
    this.told = make("p", { class: "count", role: "status", "aria-live": "polite" });
    document.getElementById("view-map").replaceChildren(
      make("h1", { class: "offscreen" }, "Map of materials"),
      make("div", { class: "filters" },
        this.chooser("Across", "x", numbers), this.chooser("Up", "y", numbers),
        this.chooser("Colour", "color", ["", ...texts, ...numbers]),
        this.logBox = checkbox("logarithmic beyond 1/1000 of the largest", false, (on) => { this.log = on; this.draw(); })),
      this.told, this.charts);
  }

  show(rows) {
    this.rows = rows;
    if (!document.getElementById("view-map").hidden) this.draw();
  }

  draw() {
    this.drawn().catch(complain);
  }

  async drawn() {
    const { source } = this;
    const error = (name) => source.described(name)?.error;
    const wanted = ["name", "dimension", this.x, this.y, this.color, error(this.x), error(this.y)];
    const names = wanted.filter((name) => name && source.has(name));
    const values = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await source.column(n)])));
    const differ = [this.x, this.y].some((name) => source.unit(name, this.filters.dimension) === null);
    // Numbers in different units never share an axis.
    const groups = differ ? d3.groups(this.rows, (row) => values.dimension[row]).sort((a, b) => b[0] - a[0]) : [[this.filters.dimension, this.rows]];
    // Until somebody says otherwise: where most would lie on top of each other.
    const log = this.log ?? [this.x, this.y].some((name) => isWide(values[name]));
    this.logBox.firstChild.checked = log;
    const figures = groups.map(([dimension, rows]) => this.figure(rows, values, dimension, differ, log));
    this.charts.replaceChildren(...figures.map(({ element }) => element));
    const drawn = d3.sum(figures, (figure) => figure.drawn);
    this.told.textContent = `${drawn} of ${this.rows.length} materials that the filters keep have both numbers.`;
  }

  figure(rows, values, dimension, titled, log) {
    const { source } = this;
    const axis = (name) => {
      const [factor, unit] = source.unit(name, dimension) ?? [1, ""];
      const bars = values[source.described(name)?.error];
      return { factor, unit, of: (row) => values[name][row] * factor, bar: (row) => (bars ? bars[row] * factor : undefined), label: unit ? `${name} (${unit})` : name };
    };
    const [x, y] = [axis(this.x), axis(this.y)];
    const discrete = this.color !== "" && source.described(this.color).text;
    const shade = this.color === "" ? null : discrete ? { of: (row) => values[this.color][row] || "unknown", label: this.color } : axis(this.color);
    const points = rows.map((row) => ({
      id: source.data.ids[row], name: values.name?.[row] || source.data.ids[row],
      x: x.of(row), y: y.of(row), dx: x.bar(row), dy: y.bar(row), color: shade?.of(row),
    }));
    const same = x.unit !== "" && x.unit === y.unit && this.x !== this.y;
    const told = scatterFigure(points, {
      x: x.label, y: y.label, xName: this.x, yName: this.y, color: shade?.label, discrete, same, log,
      width: Math.min(this.charts.clientWidth || 700, 860),
    });
    const notes = [
      same ? "Tinted: opposite signs. Dashed: equal values." : "",
      told.many ? "Too many for points: the area of a hexagon is the number of materials in it." : "",
    ].filter(Boolean);
    const element = make("figure", {}, titled ? make("h2", {}, DIMENSIONS[dimension] ?? "of unknown dimension") : null, told.figure,
      make("figcaption", {}, notes.join(" "), " ",
        make("button", { type: "button", class: "quiet", onclick: () => saveFigure(told.figure, "map.svg") }, "Save as SVG")));
    return { element, drawn: told.drawn };
  }
}

// The table of materials: filters above, columns to choose, what to type for the same on a command line.

class TableView {
  // changed(rows): called with the rows that are kept, whenever that changes.
  constructor(source, filters, changed) {
    this.source = source;
    this.filters = filters;
    this.changed = changed;
    this.columns = source.data.first.filter((name) => source.has(name));
    this.bySize = false;
    this.kept = [];
    this.build();
  }

  build() {
    const place = document.getElementById("view-table");
    this.count = make("p", { class: "count", role: "status", "aria-live": "polite" });
    this.command = make("input", { type: "text", readonly: true, class: "command", spellcheck: "false" });
    this.host = make("div", { id: "table" });
    this.mixed = make("p", { class: "hint" });
    place.replaceChildren(
      make("h1", { class: "offscreen" }, "Materials"),
      make("div", { class: "bar" },
        this.count,
        make("div", { class: "actions" },
          checkbox("rank by size, |value|", this.bySize, (on) => { this.bySize = on; this.grid.setSort(this.grid.getSorters().map(({ field, dir }) => ({ column: field, dir }))); }),
          make("button", { type: "button", onclick: () => this.chooseColumns() }, "Columns…"),
          this.downloads(),
        )),
      this.mixed,
      this.host,
      make("div", { class: "bar" },
        field("The same on a command line", this.command, { class: "field grow" }),
        copyButton(() => whereText(this.filters, this.source), "Copy --where"),
        copyButton(() => this.command.value, "Copy command"),
      ),
    );
    this.grid = new Tabulator(this.host, {
      index: "row",
      layout: "fitDataFill",
      maxHeight: "72vh",
      nestedFieldSeparator: false,
      placeholder: make("p", { class: "empty" }, this.source.data.ids.length ? "No material passes these filters." : "No results yet."),
      columnDefaults: { headerSortTristate: true, headerSortStartingDir: "desc", resizable: true },
      columns: [],
      data: [],
    });
    this.ready = new Promise((resolve) => this.grid.on("tableBuilt", resolve)).then(() => {
      // What scrolls is focusable, so that arrow keys move it, and nothing of a grid without a role of one.
      this.host.querySelector(".tabulator-tableholder").setAttribute("role", "rowgroup");
      this.host.querySelector(".tabulator-table").setAttribute("role", "presentation");
    });
    this.grid.on("dataSorted", () => this.tell());
  }

  downloads() {
    const which = make("select", { "aria-label": "Columns to download" },
      option("shown", "shown columns"), option("all", "all columns"));
    const names = () => (which.value === "all" ? this.source.data.columns.map((c) => c.name) : this.written());
    const write = (format) => () =>
      download(this.source, this.order(), names(), format).catch(complain);
    return make("span", { class: "group" }, which,
      make("button", { type: "button", onclick: write("csv") }, "Download CSV"),
      make("button", { type: "button", onclick: write("json") }, "Download JSON"));
  }

  // Columns with their errors behind them, as a file has them.
  written() {
    const names = ["name", ...this.columns.filter((name) => name !== "name")].filter((n) => this.source.has(n));
    return [...new Set(names.flatMap((name) => [name, this.source.described(name).error].filter(Boolean)))];
  }

  order() {
    return this.grid.getRows("active").map((row) => row.getData().row);
  }

  async update() {
    await this.ready;
    this.kept = await keptRows(this.filters, this.source);
    const names = [...new Set(["name", "dimension", ...this.written()])].filter((n) => this.source.has(n));
    const values = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await this.source.column(name)])),
    );
    const sorters = this.grid.getSorters().map(({ field, dir }) => ({ column: field, dir }));
    // Without rows: columns do not fit those that are there.
    this.grid.clearData();
    this.grid.setColumns(this.definitions());
    await this.grid.setData(this.kept.map((row) => ({
      row, material: this.source.data.ids[row], ...Object.fromEntries(names.map((name) => [name, values[name][row]])),
    })));
    this.grid.setSort(sorters.filter(({ column }) => column === "name" || this.columns.includes(column)));
    this.tell();
    this.changed(this.order());
  }

  definitions() {
    const narrow = matchMedia("(max-width: 700px)").matches;
    const first = { ...this.definition("name"), frozen: !narrow, headerSortStartingDir: "asc", minWidth: 120 };
    return [first, ...this.columns.filter((name) => name !== "name").map((name) => this.definition(name))];
  }

  definition(name) {
    const told = this.source.described(name) ?? { text: true };
    const unit = this.source.unit(name, this.filters.dimension);
    const heading = told.heading ?? name;
    return {
      title: heading,
      field: name,
      hozAlign: told.text ? "left" : "right",
      headerHozAlign: told.text ? "left" : "right",
      headerSortStartingDir: told.text ? "asc" : "desc",
      titleFormatter: () =>
        make("button", { type: "button", class: "sort", title: `Sort by ${heading}` }, heading,
          make("span", { class: "unit" }, unit === null ? "units differ" : unit[1])),
      formatter: (cell) => (name === "name" ? this.link(cell) : this.cell(name, told, cell)),
      sorter: (a, b, rowA, rowB, column, dir) => this.compared(name, told, unit, rowA.getData(), rowB.getData(), dir),
    };
  }

  link(cell) {
    const { row, material, name } = cell.getData();
    const text = (name ?? material) || material;
    return make("a", { href: `#/material/${encodeURIComponent(material)}`, title: material, "data-row": row }, text);
  }

  cell(name, told, cell) {
    const data = cell.getData();
    const value = data[name];
    if (told.text) {
      if (name !== "quality") return document.createTextNode(value);
      return make("span", { class: `quality ${value}` }, value);
    }
    const [factor, unit, rounding = 0] = this.source.unit(name, data.dimension) ?? [1, ""];
    const error = told.error ? data[told.error] * factor : undefined;
    const mixed = this.source.unit(name, this.filters.dimension) === null;
    // As `spinscreen screen`: what is rounding in the unit of the row, whatever other materials have.
    const zero = [value * factor, error ?? 0].every((number) => Math.abs(number) <= rounding);
    const text = zero ? "0" : withError(value * factor, error);
    return make("span", zero && value !== 0 ? { title: String(value) } : {}, mixed && unit && text !== "–" ? `${text} ${unit}` : text);
  }

  compared(name, told, unit, a, b, dir) {
    const sign = dir === "asc" ? 1 : -1;
    // Crystals, layers and chains by themselves where their units differ: numbers of one say nothing of another.
    if (unit === null && a.dimension !== b.dimension) return sign * (b.dimension - a.dimension);
    if (told.text) return a[name] < b[name] ? -1 : a[name] > b[name] ? 1 : 0;
    const [x, y] = [a[name], b[name]].map((v) => (this.bySize ? Math.abs(v) : v));
    if (Number.isNaN(x) || Number.isNaN(y)) return sign * (Number.isNaN(x) - Number.isNaN(y));
    return x - y;
  }

  // The sort expression of `screen`, "" where there is none.
  sortText() {
    const [first] = this.grid.getSorters();
    if (!first || !this.source.has(first.field)) return "";
    const { text } = this.source.described(first.field);
    if (text && first.dir === "asc") return "";
    const name = this.bySize && !text ? `abs(${first.field})` : first.field;
    return first.dir === "asc" ? `-${name}` : name;
  }

  tell() {
    const { ids, newest } = this.source.data;
    const older = newest.filter((is) => !is).length;
    const hidden = this.filters.older || !older ? "" : `; ${older} superseded by newer results are left out`;
    this.count.textContent = `${this.kept.length} of ${ids.length} results${hidden}`;
    this.command.value = commandText(this.filters, this.source, this.sortText(), this.written());
    const converts = this.columns.some((name) => (this.source.unit(name, this.filters.dimension) ?? [1])[0] !== 1);
    const differ = this.columns.some((name) => this.source.unit(name, this.filters.dimension) === null);
    this.mixed.textContent = differ
      ? "Crystals, layers and chains have different units and are ranked apart; choose one kind to filter such columns by a range."
      : converts ? "Layers are shown in e/2π; --where, downloads and the store have (ħ/e) S." : "";
  }

  chooseColumns() {
    const search = make("input", { type: "search", placeholder: "conserved, gap, …" });
    const list = make("div", { class: "choices" });
    const fill = () => {
      const wanted = search.value.toLowerCase();
      const errors = new Set(this.source.data.columns.map((column) => column.error));
      const found = this.source.data.columns.filter(({ name, heading }) =>
        !errors.has(name) && name !== "name" && `${name} ${heading ?? ""}`.toLowerCase().includes(wanted));
      const shownFirst = [...found.filter((c) => this.columns.includes(c.name)), ...found.filter((c) => !this.columns.includes(c.name))];
      list.replaceChildren(...shownFirst.slice(0, 200).map(({ name, heading }) =>
        checkbox(heading && heading !== name ? `${heading} (${name})` : name, this.columns.includes(name), (on) => {
          this.columns = on ? [...this.columns, name] : this.columns.filter((other) => other !== name);
          this.update().catch(complain);
        })), found.length > 200 ? make("p", { class: "hint" }, `and ${found.length - 200} more: search for them`) : "");
    };
    search.addEventListener("input", fill);
    fill();
    const dialog = make("dialog", { "aria-label": "Columns of the table" },
      make("form", { method: "dialog" },
        make("div", { class: "bar" }, make("h2", {}, "Columns"), make("button", { class: "primary" }, "Done")),
        field("Search", search), list));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    search.focus();
  }
}

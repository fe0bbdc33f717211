// The controls of the filters.

class FilterPanel {
  // changed(): called after every change.
  constructor(source, filters, changed) {
    Object.assign(this, { source, filters, changed });
    this.timer = null;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(), 150);
  }

  text(label, key, attributes = {}) {
    const input = make("input", { type: "search", value: this.filters[key], autocomplete: "off", ...attributes });
    input.addEventListener("input", () => {
      this.filters[key] = input.value.trim();
      if (key === "elements") input.setAttribute("aria-invalid", String(readElements(input.value) === null));
      this.later();
    });
    return field(label, input);
  }

  async build() {
    const dimensions = [...new Set(await this.source.column("dimension"))].filter((d) => d in DIMENSIONS);
    const campaigns = [...new Set(await this.source.column("campaign"))].filter(Boolean);
    this.ranges = make("div", { class: "ranges" });
    document.getElementById("filters").replaceChildren(
      make("div", { class: "filters" },
        this.dimensionField(dimensions.sort().reverse()),
        this.source.has("name") ? this.text("Name contains", "name", { placeholder: "case matters" }) : null,
        this.source.has("formula") ? this.text("Formula contains", "formula", { placeholder: "case matters" }) : null,
        this.source.has("elements") ? this.text("Elements", "elements", { placeholder: "Pt Se -Pb" }) : null,
        this.source.has("quality") ? this.qualities() : null,
        campaigns.length > 1 ? this.campaignField(campaigns) : null,
        this.source.data.newest.every(Boolean) ? null
          : checkbox("superseded results too", this.filters.older, (on) => { this.filters.older = on; this.changed(); }),
        make("button", { type: "button", onclick: () => { this.filters.ranges.push({ column: this.source.data.first.find((n) => !this.source.described(n).text) ?? "gap", least: "", most: "", size: false }); this.showRanges(true); } }, "Add a range"),
        make("button", { type: "button", class: "quiet", onclick: () => { Object.assign(this.filters, freshFilters(["all"]), { dimension: this.filters.dimension }); this.build().then(this.changed); } }, "Clear")),
      this.ranges);
    this.showRanges();
  }

  dimensionField(dimensions) {
    if (dimensions.length < 2) return null;
    const entries = [...dimensions.map((d) => [String(d), DIMENSIONS[d]]), ["all", "All, each in its units"]];
    const select = make("select", {}, entries.map(([value, text]) => option(value, text, value === String(this.filters.dimension))));
    select.addEventListener("change", () => { this.filters.dimension = select.value; this.showRanges(); this.changed(); });
    return field("Materials", select);
  }

  campaignField(campaigns) {
    const select = make("select", {}, option("", "all", !this.filters.campaign),
      campaigns.map((name) => option(name, name, name === this.filters.campaign)));
    select.addEventListener("change", () => { this.filters.campaign = select.value; this.changed(); });
    return field("Campaign", select);
  }

  qualities() {
    const told = { converged: "converged", unconverged: "unconverged", unknown: "error unknown" };
    return make("fieldset", {}, make("legend", {}, "Quality"), Object.entries(told).map(([name, text]) =>
      checkbox(text, this.filters.qualities.has(name), (on) => {
        this.filters.qualities[on ? "add" : "delete"](name);
        this.changed();
      }, { "data-quality": name })));
  }

  showRanges(focus = false) {
    const numbers = this.source.data.columns.filter((column) => !column.text);
    const names = make("datalist", { id: "number-columns" }, numbers.map(({ name }) => option(name)));
    const rows = this.filters.ranges.map((range, n) => this.rangeRow(range, n));
    this.ranges.replaceChildren(...rows, rows.length ? names : "");
    if (focus) rows[rows.length - 1]?.querySelector("input").select();
  }

  rangeRow(range, n) {
    const unitText = make("span", { class: "unit" });
    const bound = (label, key) => {
      const input = make("input", { type: "text", inputmode: "decimal", value: range[key], size: 9 });
      input.addEventListener("input", () => {
        range[key] = input.value;
        input.setAttribute("aria-invalid", String(Number.isNaN(numberOf(input.value))));
        this.later();
      });
      return field(label, input);
    };
    const column = make("input", { type: "text", list: "number-columns", value: range.column, size: 26, autocomplete: "off" });
    const told = () => {
      const known = this.source.has(range.column) && !this.source.described(range.column).text;
      column.setAttribute("aria-invalid", String(!known));
      const unit = known ? this.source.unit(range.column, this.filters.dimension) : [1, "no such column of numbers"];
      unitText.textContent = unit === null ? "units differ: choose crystals, layers or chains" : unit[1];
    };
    column.addEventListener("input", () => { range.column = column.value.trim(); told(); this.later(); });
    told();
    return make("div", { class: "range", role: "group", "aria-label": `Range ${n + 1}` },
      field("Column", column), bound("from", "least"), bound("to", "most"), unitText,
      checkbox("of |value|", range.size, (on) => { range.size = on; this.changed(); }),
      make("button", { type: "button", class: "quiet", "aria-label": `Remove range ${n + 1}`, onclick: () => { this.filters.ranges.splice(n, 1); this.showRanges(); this.changed(); } }, "Remove"));
  }
}

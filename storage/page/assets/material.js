// One material: curves, tensors, structure, where its numbers come from.

const HALL = ["conventional_hall_conductivity", "conserved_hall_conductivity", "proper_hall_conductivity"];
const HALL_TITLES = { [HALL[0]]: "conventional (T4)", [HALL[1]]: "conserved, packet picture (T6)", [HALL[2]]: "full response (T14)" };
const CARTESIAN = ["current_axis", "field_axis", "axis"];

class MaterialView {
  constructor(source) {
    this.source = source;
    this.place = document.getElementById("view-material");
    this.choices = { window: ["", ""], log: false, robust: true };
  }

  // rows: those of the table, in its order, for the ways to the next and the one before.
  async show(row, rows) {
    const found = await this.source.material(row);
    this.found = found;
    const beside = rows.indexOf(row);
    const way = (step, text) => {
      const other = rows[beside + step];
      return beside < 0 || other === undefined ? null
        : make("a", { href: `#/material/${encodeURIComponent(this.source.data.ids[other])}` }, text);
    };
    const [formula, group] = [found.structure.formula, found.structure.space_group];
    const level = found.level === null ? "Fermi level unknown" : `Fermi level ${found.level.toFixed(4)} eV`;
    this.place.replaceChildren(
      make("nav", { class: "bar", "aria-label": "Materials" },
        make("a", { href: "#/" }, "← all materials"), make("span", { class: "group" }, way(-1, "← before"), way(1, "next →"))),
      make("h1", { id: "material-title", tabindex: "-1" }, found.name),
      make("p", { class: "facts" },
        [formula, group, level, found.id].filter(Boolean).flatMap((text) => [make("span", {}, text), " "]),
        make("span", { class: `quality ${found.quality}` }, found.quality === "unknown" ? "error unknown" : found.quality)),
      make("div", { class: "columns" },
        make("div", {}, this.curves(), structureSection(found)),
        make("div", {}, this.tensors(), provenanceSection(found))));
    this.draw();
    document.getElementById("material-title").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  curves() {
    const { curves } = this.found;
    if (!curves.length) return make("section", {}, make("h2", {}, "Curves"), make("p", {}, "This result holds no curves."));
    this.figure = make("div", { class: "figure" });
    this.notes = make("p", { class: "hint" });
    const quantity = make("select", { id: "quantity" });
    const hall = curves.some((curve) => HALL.includes(curve.variable));
    const others = [...new Set(curves.map((curve) => curve.variable))].filter((name) => !HALL.includes(name));
    quantity.append(...(hall ? [option("hall", "Hall conductivities (T4, T6, T14)")] : []), ...others.map((name) => option(name, this.title(name))));
    this.quantity = quantity;
    this.component = make("select", { id: "component" });
    quantity.addEventListener("change", () => { this.fillComponents(); this.draw(); });
    this.component.addEventListener("change", () => this.draw());
    this.fillComponents();
    const bound = (n, label) => {
      const input = make("input", { type: "text", inputmode: "decimal", size: 5, value: this.choices.window[n] });
      input.addEventListener("input", () => { this.choices.window[n] = input.value; this.draw(); });
      return field(label, input);
    };
    return make("section", { "aria-label": "Curves" }, make("h2", {}, "Against the Fermi energy"),
      make("div", { class: "filters" }, field("Quantity", quantity), field("Component", this.component),
        bound(0, "from (eV)"), bound(1, "to (eV)"),
        checkbox("logarithmic", this.choices.log, (on) => { this.choices.log = on; this.draw(); }),
        checkbox("clip poles", this.choices.robust, (on) => { this.choices.robust = on; this.draw(); })),
      this.figure, this.notes);
  }

  title(variable) {
    return this.found.tensors.find((tensor) => tensor.name === variable)?.title
      ?? this.source.data.quantities[variable]?.title ?? variable;
  }

  isChosen(curve) {
    return this.quantity.value === "hall" ? HALL.includes(curve.variable) : curve.variable === this.quantity.value;
  }

  fillComponents() {
    const names = [...new Set(this.found.curves.filter((c) => this.isChosen(c)).map((curve) => curve.component))];
    const before = this.component.value || this.found.component;
    this.component.replaceChildren(...names.map((name) => option(name, name || "–", name === before)));
    this.component.disabled = names.length < 2;
  }

  draw() {
    const { found } = this;
    if (!found?.curves.length) return;
    const chosen = found.curves.filter((c) => this.isChosen(c) && c.component === this.component.value);
    const lines = chosen
      .sort((a, b) => HALL.indexOf(a.variable) - HALL.indexOf(b.variable))
      .map((curve) => ({ ...curve, title: [HALL_TITLES[curve.variable] ?? this.title(curve.variable), curve.part].filter(Boolean).join(", ") }));
    const [low, high] = this.choices.window.map(numberOf);
    const shift = found.level ?? 0;
    const ends = [found.x[0] - shift, found.x[found.x.length - 1] - shift];
    const window = [Number.isFinite(low) && low !== null ? low : ends[0], Number.isFinite(high) && high !== null ? high : ends[1]];
    if (!(window[0] < window[1]) && found.x.length > 1) return;
    const { figure, clipped } = curveFigure(found.x, lines, {
      level: found.level, window, log: this.choices.log, robust: this.choices.robust && !this.choices.log,
      width: Math.max(320, Math.min(this.figure.clientWidth || 720, 900)),
      label: `${this.quantity.selectedOptions[0].text}, component ${this.component.value}, of ${found.name}, against the energy`,
    });
    this.figure.replaceChildren(legend(lines), figure);
    const told = [
      lines.some((line) => line.errors) ? "Bands are error bars." : "No error bars were stored with this result.",
      clipped ? "The axis is clipped at poles." : "",
      "Curves are kept to four digits; the table beside has the stored values.",
      found.left_out ? `${found.left_out} curves of small components had no room in this file; spinscreen serve shows all.` : "",
    ];
    this.notes.replaceChildren(told.filter(Boolean).join(" "), " ",
      make("button", { type: "button", class: "quiet", onclick: () => saveFigure(figure, `${found.id}.svg`) }, "Save as SVG"));
  }

  tensors() {
    const { tensors, at } = this.found;
    const section = make("section", { "aria-label": "Values at the Fermi level" }, make("h2", {}, "At the Fermi level"));
    if (at === null || at === undefined) {
      section.append(make("p", {}, this.found.level === null
        ? "The Fermi level of this result is unknown, so there are no values at it."
        : "The scan does not contain the Fermi level, or has no energy within 0.05 eV of it, so there are no values at it."));
      return section;
    }
    const { level } = this.found;
    const beside = level === null || Math.abs(at - level) <= 1.001e-3 ? "" : `, not the Fermi level itself, ${level.toFixed(4)} eV`;
    const select = make("select", { id: "tensor" }, tensors.map((tensor) => option(tensor.name, tensor.title)));
    const place = make("div", {});
    const fill = () => place.replaceChildren(...tensorTables(tensors.find((t) => t.name === select.value), this.source.data.quantities));
    select.addEventListener("change", fill);
    fill();
    section.append(make("div", { class: "filters" }, field("Quantity", select),
      make("span", { class: "hint" }, `energy ${at.toFixed(4)} eV${beside}`)), place);
    return section;
  }
}

function nested(values, place) {
  return place.reduce((inner, n) => inner[n], values);
}

// All places of dims of these lengths.
function places(lengths) {
  return lengths.reduce((found, length) => found.flatMap((place) => d3.range(length).map((n) => [...place, n])), [[]]);
}

function tensorTables(tensor, quantities) {
  const lengths = tensor.labels.map((labels) => labels.length);
  const outer = tensor.dims.map((dim, n) => n).filter((n) => !CARTESIAN.includes(tensor.dims[n]));
  const inner = tensor.dims.map((dim, n) => n).filter((n) => CARTESIAN.includes(tensor.dims[n]));
  const key = (place) => place.join(",");
  const forbidden = tensor.forbidden === "all" ? null : new Set(tensor.forbidden.map(key));
  const independent = tensor.independent && new Set(tensor.independent.map(key));
  // Of one observable with another unit nothing is compared.
  const sizeOf = (place) => Math.abs(nested(tensor.values, place) ?? 0);
  const units = (place) => tensor.units[place[tensor.dims.indexOf("observable")]] ?? tensor.units[0];
  const largest = d3.rollup(places(lengths), (all) => d3.max(all, sizeOf), units);
  const cell = (place) => {
    const value = nested(tensor.values, place);
    const error = tensor.errors ? nested(tensor.errors, place) : undefined;
    if (tensor.dims.length && (forbidden === null || forbidden.has(key(place)))) {
      return make("td", { class: "forbidden", title: `forbidden by symmetry; computed: ${value === 0 && error === 0 ? "no more than its error" : withError(value ?? NaN, error)}` }, "0",
        make("span", { class: "offscreen" }, " by symmetry"));
    }
    const bar = error ?? (tensor.errors ? NaN : undefined);
    const rounding = ROUNDING * largest.get(units(place));
    const isZero = value !== null && Math.abs(value) <= rounding && (bar === undefined || bar <= rounding);
    return make("td", { class: independent?.has(key(place)) ? "independent" : "", title: isZero && value ? String(value) : null },
      isZero ? "0" : withError(value ?? NaN, bar));
  };
  const tables = places(outer.map((n) => lengths[n])).map((chosen) => {
    const at = (rest) => tensor.dims.map((_, n) => (outer.includes(n) ? chosen[outer.indexOf(n)] : rest[inner.indexOf(n)]));
    const observable = outer.find((n) => tensor.dims[n] === "observable");
    const which = observable === undefined ? 0 : chosen[outer.indexOf(observable)];
    const unit = tensor.units[which] ?? tensor.units[0];
    const names = outer.map((n, i) => (n === observable ? tensor.observables[chosen[i]] : tensor.labels[n][chosen[i]]));
    const caption = make("caption", {}, names.join(", "), " ", make("span", { class: "unit" }, unit));
    const axes = inner.map((n) => tensor.labels[n]);
    const said = inner.map((n) => tensor.dims[n].replace("_axis", ""));
    const headings = axes.length ? axes[axes.length - 1] : [""];
    const lines = axes.length === 2 ? axes[0] : [""];
    return make("table", { class: "tensor" }, caption,
      axes.length ? make("thead", {}, make("tr", {}, axes.length === 2 ? make("th", { scope: "col" }, `${said[0]} \\ ${said[1]}`) : null, headings.map((label) => make("th", { scope: "col" }, label)))) : null,
      make("tbody", {}, lines.map((line, i) => make("tr", {}, axes.length === 2 ? make("th", { scope: "row" }, line) : null,
        headings.map((_, j) => cell(at(axes.length === 2 ? [i, j] : axes.length ? [j] : [])))))));
  });
  const told = quantities[tensor.name];
  const notes = [told?.comment, told ? `Formula ${told.theory}.` : "", tensor.note ? `Note: ${tensor.note.replaceAll("`", "")}.` : "",
    tensor.converged === 0 || tensor.converged === false ? "Not converged." : "",
    independent && tensor.known_symmetry ? "Bold: independent components; grey: forbidden by symmetry." : tensor.dims.length ? "Which components symmetry forbids was not recorded." : ""];
  return [...tables, make("p", { class: "hint" }, notes.filter(Boolean).join(" "))];
}

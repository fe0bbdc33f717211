// Which view is shown, by the address behind the #; news of a served store.

const POLL = 10_000;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class Page {
  async start() {
    this.source = await Source.open();
    const dimensions = await this.source.column("dimension");
    const counts = d3.rollups(dimensions ?? [], (all) => all.length, (d) => d).filter(([d]) => d in DIMENSIONS);
    this.filters = freshFilters(counts.sort((a, b) => b[1] - a[1]).map(([d]) => String(d)));
    this.rows = [];
    await this.build();
    addEventListener("hashchange", () => this.route());
    darkness.addEventListener("change", () => this.redraw());
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) this.redraw();
      width = innerWidth;
    });
    if (this.source.data.live) setInterval(() => this.look(), POLL);
    document.getElementById("loading").remove();
    document.body.dataset.ready = "true";
  }

  async build() {
    const { data } = this.source;
    document.getElementById("store").textContent = data.store;
    const problems = data.failures.length + data.damaged.length;
    document.getElementById("told").replaceChildren(...[
      `results: ${data.ids.length}`, `campaigns: ${data.campaigns.length}`, problems ? `failed: ${problems}` : "",
      `${data.live ? "live" : data.made.slice(0, 10)}, spinscreen ${data.version}`, "how to cite",
    ].filter(Boolean).map((text) => make("a", { href: "#/about" }, text)));
    showAbout(data);
    const before = this.table?.columns;
    this.table = new TableView(this.source, this.filters, (rows) => {
      this.rows = rows;
      this.map.show(rows);
    });
    if (before) this.table.columns = before.filter((name) => this.source.has(name));
    this.map = new MapView(this.source, this.filters);
    this.material = new MaterialView(this.source);
    this.panel = new FilterPanel(this.source, this.filters, () => this.table.update().catch(complain));
    await this.panel.build();
    await this.table.update();
    await this.route();
  }

  async route() {
    complain(null);
    const [, view = "", id = ""] = location.hash.split("/");
    const shown = ["map", "about", "material"].includes(view) ? view : "table";
    for (const name of ["table", "map", "about", "material"]) document.getElementById(`view-${name}`).hidden = name !== shown;
    document.getElementById("filters").hidden = !["table", "map"].includes(shown);
    for (const link of document.querySelectorAll("[data-view]")) {
      if (link.dataset.view === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const name = decoded(id);
    document.title = `${shown === "material" ? name : this.source.data.store} - spinscreen`;
    if (shown === "table") this.table.grid.redraw(true);
    if (shown === "map") this.map.draw();
    if (shown === "material") await this.open(name);
  }

  async open(id) {
    const row = this.source.data.ids.indexOf(id);
    this.material.place.replaceChildren();
    try {
      if (row < 0) throw new Error(`no result ${id} on this page.`);
      await this.material.show(row, this.rows);
    } catch (problem) {
      complain(problem);
    }
  }

  redraw() {
    this.map.show(this.rows);
    if (!document.getElementById("view-material").hidden) this.material.draw();
  }

  async look() {
    if (document.hidden) return;
    try {
      const before = this.source.data.ids.length;
      if (!(await this.source.renewed())) return;
      await this.build();
      announce(`${this.source.data.ids.length - before} new results`);
    } catch (problem) {
      announce("the server does not answer; the page shows what it had");
    }
  }
}

new Page().start().catch((problem) => {
  complain(problem);
  document.body.dataset.ready = "failed";
});

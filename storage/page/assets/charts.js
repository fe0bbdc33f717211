// Figures, drawn by Observable Plot. Colours are those of Okabe and Ito, which everybody tells apart; lines differ
// in their dashes as well.

const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"];
const DARK = ["#56b4e9", "#e69f00", "#2fbf94", "#e79ac6", "#f0f0f0"];
const DASHES = ["none", "7 3", "9 3 2 3", "2 3", "12 3"];

const darkness = matchMedia("(prefers-color-scheme: dark)");

function palette() {
  return darkness.matches ? DARK : LIGHT;
}

function finite(values) {
  return Array.from(values).filter(Number.isFinite);
}

// Plot names its groups for whoever draws; for whoever listens the figure has one name, and each link its own.
function spoken(figure, role) {
  const svg = figure.tagName.toLowerCase() === "svg" ? figure : figure.querySelector(":scope > svg:last-of-type");
  for (const part of svg.querySelectorAll("[aria-label]")) {
    part.closest("a")?.setAttribute("aria-label", part.getAttribute("aria-label"));
    if (part.tagName !== "a") part.removeAttribute("aria-label");
  }
  svg.setAttribute("role", role);
  return figure;
}

// Least and most of what is drawn; robust: poles, which are a few of the energies, do not set the scale.
function spanOf(curves, shown, robust) {
  const all = curves.flatMap((curve) =>
    finite(shown.flatMap((n) => {
      const error = finite([curve.errors?.[n] ?? 0])[0] ?? 0;
      return [curve.values[n] - error, curve.values[n] + error];
    })),
  );
  if (!all.length) return { domain: [-1, 1], clipped: false };
  const [low, high] = d3.extent(all);
  const [within, above] = [d3.quantile(all, 0.02), d3.quantile(all, 0.98)];
  const width = Math.max(above - within, 1e-12 * Math.max(Math.abs(low), Math.abs(high)));
  const clipped = robust && width > 0 && high - low > 4 * width;
  const [from, to] = clipped ? [within - 0.5 * width, above + 0.5 * width] : [low, high];
  const margin = 0.04 * (to - from) || Math.abs(to) || 1;
  return { domain: [Math.min(from, 0) - margin, Math.max(to, 0) + margin], clipped };
}

// Logarithmic beyond a share of the largest, linear within: ticks at 0 and at powers of ten.
function symlog(largest) {
  const constant = largest * 1e-3 || 1;
  const [low, high] = [constant, largest].map((value) => Math.floor(Math.log10(value)));
  const powers = d3.range(low + 1, high + 1).map((exponent) => 10 ** exponent);
  const ticks = [...powers.map((value) => -value), 0, ...powers];
  return { type: "symlog", constant, ticks, tickFormat: plain };
}

function tickFormat(largest) {
  return largest >= 1e5 || largest < 1e-2 ? "~e" : undefined;
}

// curves: {title, values, errors, unit}; options: level (null: energies are absolute), window, log, robust, width.
function curveFigure(x, curves, options) {
  const shift = options.level ?? 0;
  const energy = Array.from(x, (value) => value - shift);
  const [from, to] = options.window ?? [energy[0], energy[energy.length - 1]];
  const shown = energy.map((_, n) => n).filter((n) => energy[n] >= from - 1e-9 && energy[n] <= to + 1e-9);
  const { domain, clipped } = spanOf(curves, shown, options.robust);
  const units = [...new Set(curves.map((curve) => curve.unit))];
  const colors = palette();
  const alone = shown.length === 1;
  const largest = Math.max(...domain.map(Math.abs));
  const told = (n) =>
    [`${energy[n].toFixed(3)} eV`, ...curves.map((curve) => `${curve.title}: ${told1(curve, n)}`)].join("\n");
  const told1 = (curve, n) => withError(Number(curve.values[n].toPrecision(4)), curve.errors?.[n]);
  const marks = curves.flatMap((curve, c) => {
    // One energy alone: side by side, so that no bar hides another.
    const aside = alone ? 0.04 * (c - (curves.length - 1) / 2) : 0;
    const channels = { x: (n) => energy[n] + aside, clip: true };
    const color = colors[c % colors.length];
    const lower = (n) => curve.values[n] - curve.errors[n];
    const upper = (n) => curve.values[n] + curve.errors[n];
    const band = curve.errors
      ? alone
        ? [Plot.ruleX(shown, { ...channels, y1: lower, y2: upper, stroke: color })]
        : [Plot.areaY(shown, { ...channels, y1: lower, y2: upper, fill: color, fillOpacity: 0.22 })]
      : [];
    const y = (n) => curve.values[n];
    const line = alone
      ? Plot.dot(shown, { ...channels, y, fill: color, r: 4 })
      : Plot.lineY(shown, {
          ...channels, y, stroke: color, strokeWidth: 1.8, strokeDasharray: DASHES[c % DASHES.length],
        });
    return [...band, line];
  });
  const figure = Plot.plot({
    width: options.width,
    height: Math.max(260, Math.min(420, options.width * 0.5)),
    marginLeft: 64,
    marginBottom: 42,
    ariaLabel: options.label,
    style: { background: "transparent", fontSize: "12px", overflow: "visible" },
    x: {
      label: options.level === null ? "Fermi energy (eV) →" : "energy − Fermi level (eV) →",
      domain: alone ? [energy[shown[0]] - 0.5, energy[shown[0]] + 0.5] : [from, to],
    },
    y: {
      label: `↑ ${units.join(" or ")}`,
      grid: true,
      domain,
      ...(options.log ? symlog(largest) : { tickFormat: tickFormat(largest) }),
    },
    marks: [
      Plot.ruleY([0], { strokeOpacity: 0.4 }),
      ...(options.level === null ? [] : [Plot.ruleX([0], { strokeDasharray: "3 3", strokeOpacity: 0.6, clip: true })]),
      ...marks,
      Plot.ruleX(shown, Plot.pointerX({ x: (n) => energy[n], strokeOpacity: 0.5 })),
      Plot.tip(shown, Plot.pointerX({ x: (n) => energy[n], y: () => domain[1], title: told, anchor: "top-left", fill: "var(--surface)", fontSize: 12 })),
    ],
  });
  return { figure: spoken(figure, "img"), clipped, shown };
}

function legend(curves) {
  const colors = palette();
  return make("ul", { class: "legend", "aria-label": "Lines" }, curves.map((curve, c) => {
    const key = d3.create("svg").attr("width", 34).attr("height", 10).attr("aria-hidden", "true");
    key.append("line").attr("x1", 1).attr("x2", 33).attr("y1", 5).attr("y2", 5).attr("stroke-width", 2.2)
      .attr("stroke", colors[c % colors.length]).attr("stroke-dasharray", DASHES[c % DASHES.length]);
    return make("li", {}, key.node(), ` ${curve.title}`);
  }));
}

// Points whose names do not cover the name of one before.
function apart(points, [across, up]) {
  const taken = [];
  return points.filter((p) => {
    const [x, y, half] = [across.apply(p.x), up.apply(p.y), 3.2 * p.name.length + 2];
    const free = taken.every((other) => Math.abs(other.x - x) > half + other.half || Math.abs(other.y - y) > 13);
    if (free) taken.push({ x, y, half });
    return free;
  });
}

// points: {row, name, x, y, dx, dy, color}; options: x, y, color (labels), same (one unit), log, width, discrete.
function scatterFigure(points, options) {
  const drawn = points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  const reach = (axis) => d3.max(drawn, (p) => Math.abs(p[axis])) || 1;
  const both = options.same ? Math.max(reach("x"), reach("y")) : null;
  const domains = ["x", "y"].map((axis) => {
    const [low, high] = d3.extent(drawn, (p) => p[axis]);
    const edge = 1.15 * (both ?? reach(axis));
    if (options.same || (low < 0 && high > 0)) return [-edge, edge];
    const margin = 0.06 * (high - low) || Math.abs(high) || 1;
    return [low - margin, high + margin];
  });
  const scale = (axis, domain) => ({
    label: options[axis],
    domain,
    grid: true,
    labelAnchor: "center",
    ...(options.log ? symlog(both ?? reach(axis)) : { tickFormat: tickFormat(Math.max(...domain.map(Math.abs))) }),
  });
  const height = Math.min(options.width, 640);
  const scales = [
    Plot.scale({ x: { ...scale("x", domains[0]), range: [68, options.width - 24] } }),
    Plot.scale({ y: { ...scale("y", domains[1]), range: [height - 48, 24] } }),
  ];
  const [[x1, x2], [y1, y2]] = domains;
  const opposite = options.same
    ? [
        Plot.rect([{ x1, x2: 0, y1: 0, y2 }, { x1: 0, x2, y1, y2: 0 }], { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "var(--tint)" }),
        Plot.line([[-both, -both], [both, both]], { strokeOpacity: 0.45, strokeDasharray: "4 4" }),
      ]
    : [];
  // In a cloud of thousands nobody sees points, and no browser draws them quickly.
  const many = drawn.length > 5000;
  const named = (p) => `${p.name}\n${options.xName}: ${withError(p.x, p.dx)}\n${options.yName}: ${withError(p.y, p.dy)}${options.color ? `\n${options.color}: ${typeof p.color === "number" ? withError(p.color) : p.color}` : ""}`;
  const href = (p) => `#/material/${encodeURIComponent(p.id)}`;
  const bars = { strokeOpacity: 0.35, clip: true };
  const marks = many
    ? [Plot.dot(drawn, Plot.hexbin({ r: "count" }, { x: "x", y: "y", fill: palette()[0], fillOpacity: 0.7 }))]
    : [
        Plot.ruleY(drawn.filter((p) => p.dx > 0), { ...bars, y: "y", x1: (p) => p.x - p.dx, x2: (p) => p.x + p.dx }),
        Plot.ruleX(drawn.filter((p) => p.dy > 0), { ...bars, x: "x", y1: (p) => p.y - p.dy, y2: (p) => p.y + p.dy }),
        Plot.dot(drawn, {
          x: "x", y: "y", r: 4.5, href, ariaLabel: named, symbol: options.discrete ? "color" : "circle",
          fill: options.color ? "color" : palette()[0], stroke: "currentColor", strokeWidth: 0.6, strokeOpacity: 0.7,
        }),
        ...(drawn.length <= 60 ? [Plot.text(apart(drawn, scales), { x: "x", y: "y", text: "name", dy: -9, fontSize: 10.5, fillOpacity: 0.85, stroke: "var(--page)", strokeWidth: 3, fill: "currentColor" })] : []),
        Plot.tip(drawn, Plot.pointer({ x: "x", y: "y", title: named, fill: "var(--surface)", fontSize: 12 })),
      ];
  const figure = Plot.plot({
    width: options.width,
    height,
    marginLeft: 68, marginBottom: 48, marginTop: 24, marginRight: 24,
    ariaLabel: `${options.y} against ${options.x}, ${drawn.length} materials`,
    style: { background: "transparent", fontSize: "12px" },
    x: scale("x", domains[0]),
    y: scale("y", domains[1]),
    color: options.color
      ? options.discrete
        ? { legend: true, range: palette(), domain: [...new Set(drawn.map((p) => p.color))].sort() }
        : { legend: true, scheme: "viridis", label: options.color, unknown: "#888" }
      : undefined,
    symbol: options.discrete ? { legend: false, domain: [...new Set(drawn.map((p) => p.color))].sort() } : undefined,
    marks: [...opposite, Plot.ruleX([0], { strokeOpacity: 0.3 }), Plot.ruleY([0], { strokeOpacity: 0.3 }), ...marks],
  });
  return { figure: spoken(figure, "group"), drawn: drawn.length, many };
}

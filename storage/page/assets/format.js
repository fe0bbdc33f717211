// Numbers with their errors, as the command line prints them; elements of the page, whose texts are never HTML.

const EXACT = 1e-10;

// Share of the largest component of its tensor up to which one, and its error, are shown as 0.
const ROUNDING = 1e-9;

function scientific(text) {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

function plain(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e-4 && size < 1e6) return String(Number(value.toPrecision(6)));
  return scientific(String(value.toExponential(5)).replace(/\.?0+e/, "e"));
}

// error: undefined where there is none, NaN where it is not known.
function withError(value, error) {
  if (value === null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (error === undefined || error <= EXACT * Math.abs(value)) return plain(value);
  if (error === null || !Number.isFinite(error)) return `${plain(Number(value.toPrecision(3)))}±?`;
  const size = Math.max(Math.abs(value), error);
  const exponent = size >= 1e-3 && size < 1e7 ? 0 : Math.floor(Math.log10(size));
  const [v, e] = [value, error].map((x) => x / 10 ** exponent);
  const digits = 1 - Math.floor(Math.log10(e));
  const shown = [v, e].map((x) => {
    const rounded = digits > 100 ? x : Math.round(x * 10 ** digits) / 10 ** digits + 0;
    return rounded.toFixed(Math.min(Math.max(digits, 0), 100));
  });
  const text = `${shown[0].replace(/^-(0(\.0*)?)$/, "$1")}±${shown[1]}`;
  if (!exponent) return text;
  const power = `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  return `(${text})e${power}`;
}

// make("p", {class: "x"}, "text", element): texts stay texts, whatever is in them.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function option(value, text = value, selected = false) {
  return make("option", { value, selected }, text);
}

let labelled = 0;

// A form control with its label.
function field(text, control, attributes = {}) {
  control.id ||= `field-${(labelled += 1)}`;
  return make("div", { class: "field", ...attributes }, make("label", { for: control.id }, text), control);
}

function checkbox(text, checked, changed, attributes = {}) {
  const box = make("input", { type: "checkbox", checked, ...attributes });
  box.addEventListener("change", () => changed(box.checked));
  return make("label", { class: "check" }, box, ` ${text}`);
}

async function copyText(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages that were opened from a file may not use the clipboard everywhere.
    const area = make("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  announce(done ? "copied" : "not copied: the browser does not allow it");
}

function copyButton(text, label = "Copy") {
  const button = make("button", { type: "button" }, label);
  button.addEventListener("click", () => copyText(typeof text === "function" ? text() : text, button));
  return button;
}

function announce(text) {
  document.getElementById("news").textContent = text;
}

function complain(problem) {
  const place = document.getElementById("problem");
  place.textContent = problem ? String(problem.message ?? problem) : "";
  place.hidden = !problem;
}

const DIMENSIONS = { 3: "Crystals (3D)", 2: "Layers (2D)", 1: "Chains (1D)" };

// Where the data come from: the page itself, or the server that it came from. Both give the same.

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// First bytes of all numbers stand before all second ones.
function interleaved(planes, size) {
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane += 1) {
    for (let n = 0; n < count; n += 1) bytes[n * size + plane] = planes[plane * count + n];
  }
  return new DataView(bytes.buffer);
}

function doubles(planes) {
  const view = interleaved(planes, 8);
  return Float64Array.from({ length: planes.length / 8 }, (_, n) => view.getFloat64(8 * n, true));
}

// IEEE half precision.
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

function energiesOf(told) {
  if (told.all) return Float64Array.from(told.all);
  return Float64Array.from({ length: told.count }, (_, n) => told.first + n * told.step);
}

async function materialOf(packed) {
  const bytes = await inflated(packed);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const found = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (!found.energies) return found;
  found.x = energiesOf(found.energies);
  const halves = interleaved(bytes.subarray(4 + length), 2);
  let next = 0;
  const curve = () => {
    const start = 2 * next * found.x.length;
    const scale = found.scales[next];
    next += 1;
    return Float64Array.from(found.x, (_, n) => half(halves.getUint16(start + 2 * n, true)) * scale);
  };
  for (const one of found.curves) {
    one.values = curve();
    one.errors = one.error ? curve() : null;
  }
  return found;
}

async function answered(path, asked) {
  const response = await fetch(`${path}?${new URLSearchParams(asked)}`);
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: response.statusText }));
  throw Object.assign(new Error(error), { status: response.status });
}

// summary; column(name): numbers or texts of all rows; material(row); renewed(): whether there is news.
class Source {
  constructor(data) {
    this.data = data;
    this.columns = new Map();
  }

  static async open() {
    const data = JSON.parse(document.getElementById("data").textContent);
    if (data.live) return new Source(await (await answered("api/summary", {})).json());
    return new Source(data);
  }

  described(name) {
    this.byName ??= new Map(this.data.columns.map((column) => [column.name, column]));
    return this.byName.get(name);
  }

  has(name) {
    return this.described(name) !== undefined;
  }

  column(name) {
    if (!this.columns.has(name)) this.columns.set(name, this.read(name));
    return this.columns.get(name);
  }

  async read(name) {
    if (!this.has(name)) return null;
    if (!this.data.live) {
      const held = this.data.values[name];
      return Array.isArray(held) ? held : doubles(await inflated(fromBase64(held)));
    }
    const response = await answered("api/column", { name, revision: this.data.revision });
    if (this.described(name).text) return response.json();
    return doubles(await inflated(new Uint8Array(await response.arrayBuffer())));
  }

  async material(row) {
    if (!this.data.live) return materialOf(fromBase64(this.data.materials[row]));
    const response = await answered("api/material", { id: this.data.ids[row] });
    return materialOf(new Uint8Array(await response.arrayBuffer()));
  }

  async renewed() {
    const fresh = await (await answered("api/summary", { revision: this.data.revision })).json();
    if (fresh.revision === this.data.revision) return false;
    this.data = fresh;
    this.columns = new Map();
    this.byName = undefined;
    return true;
  }

  // [factor, unit] that show a column for materials of one dimension; null where that is different for each.
  unit(name, dimension) {
    const units = this.described(name)?.units ?? {};
    if (dimension in units) return units[dimension];
    const all = Object.values(units);
    const same = all.every(([factor, unit]) => factor === all[0][0] && unit === all[0][1]);
    return all.length === 0 ? [1, ""] : same ? all[0] : null;
  }
}

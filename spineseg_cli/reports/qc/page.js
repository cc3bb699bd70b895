"use strict";
const data = JSON.parse(document.getElementById("entries").textContent);
const entries = data.entries;
const MARKS = ["pass", "fail", "artifact"];
const ROW_PX = 26;
const LEGEND =
  "Axial slices: the patient's right is on the left, anterior is up, as in radiology; slices are numbered from below, as in the " +
  "sentences and charts here: 0 is the most inferior. Where the file is stored from top to bottom, (file: ...) is the slice's index in it. Sagittal: along the cord's curve, anterior on the left, superior up. Gray values: 1st to 99.5th " +
  "percentile. Outlines follow the edges of the voxels; the last named is on top.";
const KEYS =
  "↑ ↓: other results; Enter or the space bar: the next one without a mark. P, F, A: pass, fail, artifact; U: unmark. 1 to 5: rating. N: note. O or a click: outlines on and off; " +
  "[ and ]: fainter, stronger. V: 3-D view. Marks stay in this browser until exported; a result that changes loses its mark.";

// What the list shows, and how it is sorted; numbers that are not known come last.
const COLUMNS = {
  mark: entry => ratingOf(entry).mark,
  doubt: entry => entry.doubt,
  subject: entry => entry.subject ? [entry.subject, ...entitiesOf(entry)].join(" ") : fileOf(entry),
  session: entry => entry.session,
  contrast: entry => entry.contrast,
  step: entry => entry.step,
  state: entry => entry.state,
  "area mm²": entry => entry.area_mm2,
  date: entry => entry.date.slice(0, 10),
};
const NUMBERS = { doubt: 2, "area mm²": 1 };

// Their widths; those that are empty throughout, and a step that is that of all, leave their place to the subject.
const WIDTHS = { mark: "3.4em", doubt: "4.6em", subject: "minmax(4.5em, 1fr)", session: "4.4em", contrast: "4.6em", step: "7.5em",
  state: "4.8em", "area mm²": "5.4em", date: "5.6em" };
function widthOf(name) {
  const values = new Set(entries.map(COLUMNS[name]));
  const isIdle = name === "step" ? values.size < 2 : ["session", "date"].includes(name) && [...values].every(value => !value);
  return isIdle ? "0" : WIDTHS[name];
}

let sortedBy = "doubt", ascending = false, shown = [], chosen = null, overlay = 1, viewing = false, pointerIsDown = false;
const details = new Map();   // by the entry's name, as they are loaded
const ratings = new Map();   // of the rater, by the entry's key
const memory = new Map();    // where the browser keeps nothing for local pages, marks last until the page is closed

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function element(id) { return document.getElementById(id); }

// What a file's name says beside subject, session and contrast: two runs of a subject are told apart by it.
function entitiesOf(entry) {
  const [name, volume] = fileOf(entry).split(":");
  return [...name.split("_").filter(part => /^[a-z]+-/.test(part) && !/^(sub|ses)-/.test(part)), ...(volume ? [`volume ${volume}`] : [])];
}

function fileOf(entry) { return entry.title.split(/[\\/]/).pop(); }

// Marks

function load(key) {
  try { return localStorage.getItem(key); } catch { return memory.get(key) ?? null; }
}
function save(key, text) {
  try { localStorage.setItem(key, text); } catch { memory.set(key, text); }
}
function rater() { return element("rater").value.trim(); }

// A result that has changed must be marked again: its digest is another.
function keyOf(entry, name = rater()) { return ["spineseg-qc", location.pathname, name, entry.name, entry.digest].join(" "); }

function ratingOf(entry) {
  const key = keyOf(entry);
  if (!ratings.has(key)) ratings.set(key, { mark: "", rating: "", note: "", ...JSON.parse(load(key) || "{}") });
  return ratings.get(key);
}

function rate(entry, change) {
  const rating = Object.assign(ratingOf(entry), change);
  save(keyOf(entry), JSON.stringify(rating));
  drawRows();
  drawCount();
  if (!("note" in change)) element("marks").replaceWith(marksOf(entry));
}

// Marks that were made before a name was entered are of whoever enters it.
function takeName() {
  const name = rater(), key = `spineseg-qc-rater ${location.pathname}`;
  for (const entry of name && !load(key) ? entries : []) {
    const made = load(keyOf(entry, ""));
    if (made && !load(keyOf(entry, name))) save(keyOf(entry, name), made);
    if (made) save(keyOf(entry, ""), "{}");
  }
  save(key, name);
  ratings.clear();
  // The click that has left the field is still under way: what it points at must not be replaced before it arrives.
  if (pointerIsDown) document.addEventListener("pointerup", () => setTimeout(redraw), { once: true });
  else redraw();
}

function redraw() { updateList(); showEntry(); }

function rated() { return entries.filter(entry => Object.values(ratingOf(entry)).some(Boolean)); }

// The list: only the rows in view are made

function updateList() {
  const words = element("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = entry => [entry.title, entry.subject, entry.session, entry.contrast, entry.step, entry.state, entry.command, entry.date,
    entry.version, ...entry.reasons, ...Object.values(ratingOf(entry))].join(" ").toLowerCase();
  const value = COLUMNS[sortedBy];
  shown = words.length ? entries.filter(entry => { const all = text(entry); return words.every(word => all.includes(word)); }) : [...entries];
  const direction = ascending ? 1 : -1;
  shown.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x == null || y == null) return (x == null) - (y == null);
    return (x < y ? -1 : x > y ? 1 : 0) * direction || (a.title < b.title ? -1 : 1);
  });
  element("spacer").style.height = `${shown.length * ROW_PX}px`;
  drawColumns();
  drawCount();
  drawRows();
}

function drawColumns() {
  const arrow = ascending ? " ▲" : " ▼", rows = element("rows");
  element("columns").style.paddingRight = `${rows.offsetWidth - rows.clientWidth}px`;  // the scroll bar's width
  element("columns").replaceChildren(...Object.keys(COLUMNS).map(name => make("span", {
    textContent: name + (name === sortedBy ? arrow : ""), className: name in NUMBERS ? "number" : "", onclick: () => sortBy(name),
  })));
}

function drawCount() {
  const doubtful = entries.filter(entry => entry.doubt >= data.lookAt).length;
  element("count").textContent =
    `${shown.length} of ${entries.length} results shown, ${doubtful} to look at (doubt ${data.lookAt} or more), ${rated().length} marked`;
}

function drawRows() {
  const box = element("rows");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW_PX) - 5);
  const last = Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW_PX) + 5);
  element("spacer").replaceChildren(...shown.slice(first, last).map((entry, i) => rowOf(entry, first + i)));
}

function rowOf(entry, index) {
  const row = make("div", { className: "row" + (entry === chosen ? " chosen" : ""), title: `${entry.title}\n${entry.reasons.join("\n")}`,
    onclick: () => choose(entry) });
  row.style.top = `${index * ROW_PX}px`;
  for (const [name, value] of Object.entries(COLUMNS)) {
    const content = value(entry);
    const number = name in NUMBERS;
    const doubtful = name === "doubt" && content >= data.lookAt;
    row.append(make("span", {
      textContent: number ? (content == null ? "" : content.toFixed(NUMBERS[name])) : content,
      className: [number && "number", doubtful && "doubtful", ["mark", "state"].includes(name) && content].filter(Boolean).join(" "),
    }));
  }
  return row;
}

function sortBy(name) {
  ascending = name === sortedBy ? !ascending : !(name === "doubt");
  sortedBy = name;
  updateList();
}

function choose(entry) {
  if (!entry) return;
  chosen = entry;
  const box = element("rows"), top = shown.indexOf(entry) * ROW_PX;
  if (top < box.scrollTop) box.scrollTop = top;
  if (top + ROW_PX > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_PX - box.clientHeight;
  drawRows();
  showEntry();
  element("entry").scrollTop = 0;
  loadDetails(entry);
  const next = shown[shown.indexOf(entry) + 1];
  for (const view of next?.views ?? []) new Image().src = pathOf(next, `_${view}.webp`);
}

// The next result in the list that has no mark, from the top again after the last.
function nextUnmarked() {
  const at = shown.indexOf(chosen) + 1;
  return [...shown.slice(at), ...shown.slice(0, at)].find(entry => !ratingOf(entry).mark);
}

// One result

function pathOf(entry, end) { return `entries/${entry.name.split("/").map(encodeURIComponent).join("/")}${end}?${entry.digest}`; }

function loadDetails(entry) {
  if (!entry.pictured || details.has(entry.name)) return;
  document.head.append(make("script", { src: pathOf(entry, ".js") }));
}

// Called by the file of each entry's details.
function showDetails(name, content) {
  details.set(name, content);
  if (chosen?.name === name) showEntry();
}

function showEntry() {
  if (!chosen) return;
  // Details may arrive while a note is being typed: what is typed next must not act as keys.
  const typed = document.activeElement?.id === "note" ? document.activeElement : null;
  const entry = chosen, rating = ratingOf(entry), more = details.get(entry.name);
  const facts = { state: entry.state, command: entry.command, version: entry.version, "acquisition date": entry.date || "not known", ...more?.measures, ...more?.details };
  const note = make("textarea", { id: "note", rows: 2, placeholder: "Note", value: rating.note });
  note.oninput = () => rate(entry, { note: note.value });
  element("entry").replaceChildren(
    make("h1", { textContent: entry.title }),
    ...entry.reasons.map(reason => make("div", { className: "doubtful", textContent: reason })),
    make("p", {}, ...entry.masks.map(mask => make("span", { className: "mask" },
      Object.assign(make("span", { textContent: "▬ " }), { style: `color: ${mask.color}` }),
      mask.name === "centerline" ? mask.name : `${mask.name} ${mask.volume_mm3.toFixed(1)} mm³`))),
    marksOf(entry),
    note,
    ...(viewing && more?.volume ? [make("div", { id: "volume" }, make("canvas", { id: "canvas" }))] : []),
    make("div", { className: "pictures" }, ...entry.views.map(view => pictureOf(entry, view))),
    ...(more?.profile?.length > 1 ? [profileOf(entry, more.profile)] : []),
    ...Object.entries(more?.confidences ?? {}).filter(([, points]) => points.length > 1).map(([name, points]) => confidenceOf(entry, name, points)),
    make("p", { className: "note", textContent: LEGEND }),
    make("p", { className: "note", textContent: KEYS }),
    make("dl", {}, ...Object.entries(facts).flatMap(([name, value]) => [
      make("dt", { textContent: name }),
      make("dd", {}, make("code", { textContent: typeof value === "string" ? value : JSON.stringify(value) })),
    ])));
  if (typed) {
    note.focus();
    note.setSelectionRange(typed.selectionStart, typed.selectionEnd);
  }
  if (viewing && more?.volume) drawVolume(more.volume, entry);
}

function marksOf(entry) {
  const rating = ratingOf(entry);
  return make("div", { className: "marks", id: "marks" },
    ...MARKS.map(mark => make("button", { textContent: mark, className: rating.mark === mark ? "chosen" : "",
      onclick: () => rate(entry, { mark: rating.mark === mark ? "" : mark }) })),
    make("span", { className: "note", textContent: "rating" }),
    ...["1", "2", "3", "4", "5"].map(value => make("button", { textContent: value, className: rating.rating === value ? "chosen" : "",
      onclick: () => rate(entry, { rating: rating.rating === value ? "" : value }) })),
    ...(data.viewer && details.get(entry.name)?.volume ? [make("button", { textContent: "3-D view", id: "open3d",
      className: viewing ? "chosen" : "", onclick: toggleView })] : []));
}

function pictureOf(entry, view) {
  const outlined = entry.outlined.includes(view);
  const picture = make("div", { className: "picture", onclick: toggleOverlay },
    make("img", { src: pathOf(entry, `_${view}.webp`), alt: `${view}, the scan`, className: outlined ? "below" : "" }));
  if (outlined)
    picture.append(make("img", { src: pathOf(entry, `_${view}.png`), alt: `${view}, outlines`, className: "outlines" }));
  return picture;
}

function fade(value) {
  overlay = Math.min(1, Math.max(0, value));
  document.body.style.setProperty("--overlay", overlay);
}
function toggleOverlay() { fade(overlay > 0 ? 0 : 1); }

// The area along the cord, and the band of the cohort's scans of the same contrast

function profileOf(entry, points) {
  const [width, height, left, bottom, top] = [620, 220, 46, 34, 22];
  const band = data.bands[entry.contrast] || [];
  const xs = points.map(point => point[0]), ys = [...points.map(point => point[1]), ...band.flatMap(row => [row[1], row[3]])];
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys) * 0.95, Math.max(...ys) * 1.05];
  const x = value => (left + (value - x0) / ((x1 - x0) || 1) * (width - left - 12)).toFixed(1);
  const y = value => (top + (y1 - value) / ((y1 - y0) || 1) * (height - top - bottom)).toFixed(1);
  const inView = band.filter(row => row[0] >= x0 - 5 && row[0] <= x1 + 5);
  const edge = [...inView.map(row => [row[0], row[3]]), ...[...inView].reverse().map(row => [row[0], row[1]])];
  const line = rows => rows.map(([a, b]) => `${x(Math.min(Math.max(a, x0), x1))},${y(b)}`).join(" ");
  const ticks = [y0, (y0 + y1) / 2, y1].map(value => `<text x="${left - 5}" y="${+y(value) + 4}" text-anchor="end">${value.toFixed(0)}</text>`);
  const steps = [x0, (x0 + x1) / 2, x1].map(value => `<text x="${x(value)}" y="${height - 18}" text-anchor="middle">${value.toFixed(0)}</text>`);
  const z = entry.z == null ? "" : `, ${entry.z >= 0 ? "+" : ""}${entry.z} robust SD from the cohort's median`;
  const box = make("div", {});
  box.innerHTML = `<svg width="${width}" height="${height}">
    <text x="${left}" y="14">Area, mm²${z}${inView.length ? "; band: 5th to 95th centile of the cohort" : ""}</text>
    <polygon points="${line(edge)}" fill="#7890b0" opacity="0.45"/>
    <polyline points="${line(inView.map(row => [row[0], row[2]]))}" fill="none" stroke="#8aa" stroke-dasharray="4"/>
    <polyline points="${line(points)}" fill="none" stroke="#50c8ff" stroke-width="2"/>
    ${ticks.join("")}${steps.join("")}
    <text x="${width / 2}" y="${height - 4}" text-anchor="middle">distance from the top of the mask, mm</text></svg>`;
  return box;
}

// The confidence of each slice, and the line below which slices should be looked at

function confidenceOf(entry, name, points) {
  const [width, height, left, bottom, top] = [620, 130, 46, 34, 22];
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const x = slice => (left + (slice - first) / ((last - first) || 1) * (width - left - 12)).toFixed(1);
  const y = value => (top + (1 - value) * (height - top - bottom)).toFixed(1);
  const color = entry.masks.find(mask => mask.name === name)?.color ?? "#50c8ff";
  const dots = points.filter(([, value]) => value < data.lookAt)
    .map(([slice, value]) => `<circle cx="${x(slice)}" cy="${y(value)}" r="3" fill="var(--warn)"/>`);
  const ticks = [0, data.lookAt, 1].map(value => `<text x="${left - 5}" y="${+y(value) + 4}" text-anchor="end">${value}</text>`);
  const steps = [first, last].map(slice => `<text x="${x(slice)}" y="${height - 18}" text-anchor="middle">${slice}</text>`);
  const box = make("div", {});
  box.innerHTML = `<svg width="${width}" height="${height}">
    <text x="${left}" y="14">Confidence of the ${name}; below ${data.lookAt}: to look at</text>
    <line x1="${left}" x2="${width - 12}" y1="${y(data.lookAt)}" y2="${y(data.lookAt)}" stroke="#777" stroke-dasharray="4"/>
    <polyline points="${points.map(([slice, value]) => `${x(slice)},${y(value)}`).join(" ")}" fill="none" stroke="${color}" stroke-width="1.5"/>
    ${dots.join("")}${ticks.join("")}${steps.join("")}
    <text x="${width / 2}" y="${height - 4}" text-anchor="middle">axial slice, from below (0: the most inferior)</text></svg>`;
  return box;
}

// The 3-D view, with NiiVue, which is loaded when it is asked for first

function toggleView() { viewing = !viewing; showEntry(); }

function loadViewer() {
  return loadViewer.promise ??= new Promise((resolve, reject) =>
    document.head.append(make("script", { src: "niivue.js", onload: resolve, onerror: reject })));
}

function bytesOf(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
function urlOf(text) { return URL.createObjectURL(new Blob([bytesOf(text)])); }

async function drawVolume(volume, entry) {
  const canvas = element("canvas");
  try {
    await loadViewer();
    const viewer = new Niivue({ show3Dcrosshair: false, backColor: [0, 0, 0, 1], isColorbar: false, logLevel: "error",
      meshThicknessOn2D: 0.5, crosshairWidth: 0.5, meshXRay: 0.3 });
    await viewer.attachToCanvas(canvas);
    const rgb = name => entry.masks.find(mask => mask.name === name).color.match(/\d+/g).map(Number);
    await viewer.loadVolumes([{ url: urlOf(volume.scan), name: "scan.nii.gz", colormap: "gray" }]);
    const meshes = Object.entries(volume.surfaces).map(([name, text]) =>
      ({ url: urlOf(text), name: `${name}.mz3`, rgba255: [...rgb(name), 255], opacity: name === "cord" ? 0.35 : 1 }));
    if (meshes.length) await viewer.loadMeshes(meshes);
    const labels = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: ["outside"] };
    volume.names.forEach((name, i) => {
      const color = rgb(name);
      ["R", "G", "B"].forEach((channel, k) => labels[channel].push(color[k]));
      labels.A.push(110); labels.I.push(i + 1); labels.labels.push(name);
    });
    await viewer.addVolumeFromUrl({ url: urlOf(volume.mask), name: "mask.nii.gz", opacity: 0.6 });
    viewer.volumes[1].setColormapLabel(labels);
    viewer.updateGLVolume();
    viewer.setSliceType(viewer.sliceTypeMultiplanar);
    viewer.opts.multiplanarShowRender = 1;
    viewer.drawScene();
    canvas.dataset.meshes = viewer.meshes.length;
    canvas.dataset.volumes = viewer.volumes.length;
  } catch (error) {
    element("volume")?.replaceChildren(make("p", { textContent: `the 3-D view failed: ${error}` }));
  }
}

// Export, and the agreement with another rater

function table() {
  return rated().map(entry => {
    const rating = ratingOf(entry);
    return { scan: entry.title, step: entry.step, mark: rating.mark, rating: rating.rating, note: rating.note.replace(/[\t\n\r]+/g, " "),
      rater: rater(), version: entry.version };
  });
}

function tsvText(rows) {
  const columns = ["scan", "step", "mark", "rating", "note", "rater", "version"];
  return [columns, ...rows.map(row => columns.map(name => row[name]))].map(cells => cells.join("\t") + "\n").join("");
}

function yamlText(rows) {
  const lines = rows.map(row => Object.entries(row).map(([name, value], i) => `${i ? "    " : "  - "}${name}: ${JSON.stringify(value)}\n`).join(""));
  return lines.length ? "ratings:\n" + lines.join("") : "ratings: []\n";
}

function download(text, ending) {
  const name = rater().replace(/[^A-Za-z0-9]/g, "");
  make("a", { href: URL.createObjectURL(new Blob([text])), download: `ratings${name ? "_" + name : ""}.${ending}` }).click();
}

function kappa(pairs) {
  const share = (side, mark) => pairs.filter(pair => pair[side] === mark).length / pairs.length;
  const observed = pairs.filter(([a, b]) => a === b).length / pairs.length;
  const expected = MARKS.reduce((sum, mark) => sum + share(0, mark) * share(1, mark), 0);
  return expected === 1 ? NaN : (observed - expected) / (1 - expected);
}

async function compare(file) {
  const [head, ...lines] = (await file.text()).trim().split("\n").map(line => line.replace(/\r$/, "").split("\t"));
  const column = name => head.indexOf(name);
  const theirs = new Map(lines.map(cells => [`${cells[column("scan")]} ${cells[column("step")]}`, cells[column("mark")]]));
  const pairs = entries.map(entry => [ratingOf(entry).mark, theirs.get(`${entry.title} ${entry.step}`)]).filter(pair => pair[0] && pair[1]);
  const value = pairs.length ? kappa(pairs) : NaN;
  element("agreement").textContent = `${pairs.length} results marked by both, ${pairs.filter(([a, b]) => a === b).length} alike, ` +
    `Cohen's kappa ${Number.isNaN(value) ? "not defined" : value.toFixed(2)}`;
}

// Keys

document.addEventListener("keydown", event => {
  if (event.key === "Escape") { event.target.blur(); return; }
  if (event.key === "Enter" && event.target.tagName === "INPUT") event.target.blur();
  if (["INPUT", "TEXTAREA"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey || !chosen) return;
  if (["Enter", " "].includes(event.key) && event.target.tagName === "BUTTON") return;
  const key = event.key.toLowerCase();
  const mark = MARKS.find(name => name[0] === key);
  if (key === "o") toggleOverlay();
  else if (key === "[") fade(overlay - 0.2);
  else if (key === "]") fade(overlay + 0.2);
  else if (key === "v") toggleView();
  else if (key === "n") element("note").focus();
  else if (key >= "1" && key <= "5" && key.length === 1) rate(chosen, { rating: key });
  else if (mark || key === "u") rate(chosen, mark ? { mark } : { mark: "", rating: "" });
  else if (key === "enter" || key === " ") choose(nextUnmarked());
  else if (key === "arrowdown") choose(shown[shown.indexOf(chosen) + 1]);
  else if (key === "arrowup") choose(shown[shown.indexOf(chosen) - 1]);
  else return;
  event.preventDefault();
});

document.addEventListener("pointerdown", () => { pointerIsDown = true; }, true);
document.addEventListener("pointerup", () => { pointerIsDown = false; }, true);
element("rows").addEventListener("scroll", drawRows, { passive: true });
window.addEventListener("resize", drawRows);
element("filter").oninput = updateList;
element("rater").value = load(`spineseg-qc-rater ${location.pathname}`) || "";
element("rater").onchange = takeName;
element("tsv").onclick = () => download(tsvText(table()), "tsv");
element("yaml").onclick = () => download(yamlText(table()), "yaml");
element("other").onchange = event => event.target.files[0] && compare(event.target.files[0]);
document.body.style.setProperty("--widths", Object.keys(COLUMNS).map(widthOf).join(" "));
document.body.style.setProperty("--session-width", widthOf("session") === "0" ? "0" : "3em");
updateList();
choose(shown[0]);

/* The review page. Everything that comes from the index is put in as text, never as markup. */
"use strict";

const PAGE = 50;          // groups in one answer
const ROW = 76;           // pixels of a row of the list, as review.css says
const MOST_ZOOM = 16;
const csrf = document.querySelector('meta[name="csrf"]').content;
const by = (id) => document.getElementById(id);
const [stage, list, rows] = [by("stage"), by("list"), by("rows")];
const panes = [...stage.querySelectorAll(".pane")];
const pictures = [...stage.querySelectorAll("img")];

let pages = new Map();    // start → groups
let asked = new Map();    // start → the promise of them
let found = 0;            // groups that the filters let through
let decided = 0, all = 0;
let position = 0;         // of the group that is looked at, among these
let looked = 0;           // the file on the right, by id
let look = "side", top_ = 1;
let view = { zoom: 1, x: 0, y: 0 };
let busy = false;
let generation = 0;       // of the filters: answers to former ones are not taken
const done = [];          // what undo takes back

function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
}

const named = (text, tag = "span") => make(tag, { class: "name", dir: "auto" }, text);
const say = (text) => { by("said").textContent = text; };
const many = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// --- what the server says

async function ask(path, sent) {
    const options = sent === undefined ? {} : {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Imgindex-CSRF": csrf },
        body: JSON.stringify(sent),
    };
    const answer = await fetch(path, options);
    const value = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    if (!answer.ok) throw Object.assign(new Error(value.error), { status: answer.status });
    return value;
}

function filters(more = {}) {
    const query = new URLSearchParams(more);
    for (const id of ["kind", "folder", "text"]) if (by(id).value) query.set(id, by(id).value);
    for (const id of ["undecided", "conflict"]) if (by(id).checked) query.set(id, "1");
    return query;
}

function page(start) {
    if (!asked.has(start)) asked.set(start, load(start, generation));
    return asked.get(start);
}

async function load(start, current) {
    try {
        const answer = await ask(`/api/groups?${filters({ start, count: PAGE })}`);
        if (current !== generation) return;
        pages.set(start, answer.groups);
        [found, decided, all] = [answer.found, answer.decided, answer.all];
        drawProgress();
    } catch (error) {
        if (current !== generation) return;
        asked.delete(start);
        say(`Cannot be loaded: ${error.message}.`);
    }
}

const startOf = (index) => index - (index % PAGE);
const card = (index = position) => (pages.get(startOf(index)) ?? [])[index % PAGE];

function replace(changed) {
    for (const groups of pages.values()) {
        const at = groups.findIndex((one) => one.number === changed.number);
        if (at >= 0) groups[at] = changed;
    }
}

// --- the list: only the rows that are in view exist

async function reload(at = 0) {
    generation += 1;
    [pages, asked] = [new Map(), new Map()];
    await page(startOf(Math.max(0, at)));
    await go(Math.max(0, Math.min(at, found - 1)));
}

function drawList() {
    rows.style.height = `${found * ROW}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
    const last = Math.min(found, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4);
    for (let start = startOf(first); start < last; start += PAGE) {
        if (!asked.has(start)) page(start).then(drawList);
    }
    const focused = rows.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    rows.replaceChildren(...Array.from({ length: Math.max(0, last - first) }, (_, at) => row(first + at)));
    if (focused !== null) rows.querySelector(`[data-at="${Number(focused)}"]`)?.focus({ preventScroll: true });
}

function row(index) {
    const group = card(index);
    const item = make("li", { "aria-setsize": found, "aria-posinset": index + 1 });
    item.style.top = `${index * ROW}px`;
    if (!group) return item;
    const others = group.files.filter((file) => file.id !== group.keeper);
    const kept = group.files.find((file) => file.id === group.keeper);
    const thumbs = [kept, others[0]].map((file) => make("img", { src: `/thumbnail/${file.id}`, alt: "", loading: "lazy" }));
    const words = [`${group.kind} · ${many(group.files.length, "file")}`, state(group), group.conflict ? "labels disagree" : ""];
    const what = make("span", { class: "what" }, named(kept.name), make("span", { class: "dim" }, words.filter(Boolean).join(" · ")));
    const button = make("button", { type: "button", "data-at": index, "aria-current": String(index === position) }, ...thumbs, what);
    button.addEventListener("click", () => go(index));
    item.append(button);
    return item;
}

function state(group) {
    const fates = Object.values(group.fates);
    if (!fates.length) return "undecided";
    const [gone, kept] = ["prune", "keep"].map((fate) => fates.filter((one) => one === fate).length);
    const words = [gone && `${gone} to go`, kept && `${kept} to stay too`, !group.decided && "not all decided"];
    return words.filter(Boolean).join(", ");
}

// --- the group that is looked at

let ahead = 0;
async function go(index) {
    if (index < 0 || index >= found) {
        if (!found) draw();
        return;
    }
    position = index;
    await page(startOf(index));
    if (position !== index) return;      // somebody pressed on
    looked = 0;
    look = look === "difference" ? "side" : look;
    view = { zoom: 1, x: 0, y: 0 };
    const at = index * ROW;
    if (at < list.scrollTop || at + ROW > list.scrollTop + list.clientHeight) list.scrollTop = at - list.clientHeight / 3;
    draw();
    clearTimeout(ahead);
    ahead = setTimeout(() => {           // not while somebody leafs through: requests would wait behind pictures
        for (const file of card(index + 1)?.files.slice(0, 2) ?? []) new Image().src = `/picture/${file.id}`;
    }, 300);
}

function pair() {
    const group = card();
    if (!group) return [];
    const kept = group.files.find((file) => file.id === group.keeper);
    const others = group.files.filter((file) => file.id !== group.keeper);
    return [kept, others.find((file) => file.id === looked) ?? others.find((file) => !group.fates[file.id]) ?? others[0]];
}

function draw() {
    const group = card();
    const shown = pair();
    for (const button of document.querySelectorAll("#actions button")) button.disabled = !group;
    document.querySelector('[data-do="undo"]').disabled = !done.length;
    by("title").textContent = group
        ? `Group ${(position + 1).toLocaleString("en")} of ${found.toLocaleString("en")}: ${group.kind}, ${state(group)}`
        : all ? "No group passes the filters" : "There are no duplicates to review";
    panes.forEach((pane, at) => drawPane(pane, pictures[at], shown[at], group));
    drawLook();
    drawFiles(group, shown[1]);
    drawFacts(group, shown);
    drawList();
}

function drawPane(pane, picture, file, group) {
    const frame = picture.parentElement;
    frame.querySelector(".missing")?.remove();
    pane.hidden = !file;
    if (!file) return;
    const fate = group.fates[file.id];
    const role = file.id === group.keeper ? "keep" : fate === "prune" ? "gone" : "";
    const word = role === "keep" ? "Keep" : fate === "prune" ? "Goes" : fate === "keep" ? "Stays too" : "Undecided";
    pane.querySelector("figcaption").replaceChildren(make("span", { class: `role ${role}` }, word), " ", named(file.name));
    frame.classList.toggle("keep", role === "keep");
    picture.alt = `${word}: ${file.name}, ${file.width} × ${file.height}`;
    if (picture.dataset.id !== String(file.id)) {
        picture.classList.remove("broken");
        picture.dataset.id = file.id;
        picture.src = `/picture/${file.id}`;
    }
}

for (const picture of pictures) {
    picture.addEventListener("error", () => {
        picture.classList.add("broken");
        delete picture.dataset.id;
        const why = "This file cannot be shown: it changed since it was indexed, or cannot be decoded. Run imgindex index.";
        picture.after(make("p", { class: "missing" }, why));
    });
}

function drawLook() {
    stage.className = look;
    panes.forEach((pane, at) => pane.classList.toggle("under", look === "flip" && at !== top_));
    for (const name of ["side", "flip", "difference"]) {
        document.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(name === look));
    }
    for (const picture of pictures) picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
}

function drawFiles(group, other) {
    const items = (group?.files ?? []).map((file) => {
        const kept = file.id === group.keeper;
        const fate = kept ? "Keep" : { prune: "Goes", keep: "Stays too" }[group.fates[file.id]] ?? "Undecided";
        const role = make("span", { class: `role ${kept ? "keep" : fate === "Goes" ? "gone" : ""}` }, fate);
        const picture = make("img", { src: `/thumbnail/${file.id}`, alt: "" });
        const button = make("button", { type: "button", "aria-pressed": String(file === other) }, picture, role, named(file.name));
        button.disabled = kept;
        button.addEventListener("click", () => { looked = file.id; draw(); });
        return make("li", {}, button);
    });
    by("files").replaceChildren(...items);
}

const FACTS = [
    ["Folder", (file) => file.folder], ["Pixels", (file) => `${file.width} × ${file.height}`],
    ["Bytes", (file) => `${file.size} (${file.bytes.toLocaleString("en")})`, (file) => file.bytes],
    ["Format", (file) => file.format], ["Date", (file) => file.date],
];

function drawFacts(group, [kept, other]) {
    const [head, body] = [by("facts").tHead, by("facts").tBodies[0]];
    head.replaceChildren();
    body.replaceChildren();
    if (!other) return;
    const column = (file) => make("th", { scope: "col" }, named(file.name));
    head.append(make("tr", {}, make("td", {}), column(kept), column(other)));
    for (const [name, words, key = words] of FACTS) {
        const cell = (file) => make("td", { class: key(kept) === key(other) ? "" : "differs" }, words(file));
        body.append(make("tr", {}, make("th", { scope: "row" }, name), cell(kept), cell(other)));
    }
    const match = other.kind || kept.kind;
    const how = match === "bytes" ? "the same bytes" : `${match}, ${other.bits || kept.bits} of 256 bits, seen on ${other.evidence || kept.evidence}`;
    const labels = [...kept.labels, ...other.labels].join("; ") || "agree";
    const fact = (name, left, right, differs) => make("tr", {}, make("th", { scope: "row" }, name),
        make("td", {}, left), make("td", { class: differs ? "differs" : "" }, right));
    body.append(fact("Match", `kept: ${group.reason}`, how), fact("Labels", "", labels, labels !== "agree"));
    if (group.links.length) body.append(fact("Links", `further names: ${group.links.join(", ")}`, ""));
}

function drawProgress() {
    by("count").textContent = `${decided.toLocaleString("en")} of ${many(all, "group")} decided; ${found.toLocaleString("en")} shown`;
    by("progress").max = Math.max(1, all);
    by("progress").value = decided;
}

let planned = 0;
function drawPlan() {
    clearTimeout(planned);
    planned = setTimeout(async () => {
        const plan = await ask("/api/plan").catch((error) => ({ totals: `Cannot be planned: ${error.message}.`, refused: [] }));
        by("totals").textContent = plan.totals;
        const waiting = [];
        if (plan.conflicts) {
            waiting.push(`In ${many(plan.conflicts, "chosen group")} labels disagree: they stay until you add --on-conflict merge or prune.`);
        }
        if (plan.refused.length) waiting.push(`${many(plan.refused.length, "chosen file")} will stay. ${plan.refused[0]}`);
        by("waiting").textContent = waiting.join(" ");
        by("waiting").hidden = !waiting.length;
    }, 1000);             // while decisions follow each other, they come first
}

// --- decisions

const before = (group) => ({ number: group.number, keeper: group.keeper, fates: { ...group.fates } });

async function rule(rulings, undone) {
    if (busy) return null;
    busy = true;
    try {
        const answer = await ask("/api/decide", { rulings });
        const made = answer.groups ?? answer.versions;
        if (undone) done.push({ undone, made, position });
        return made;
    } catch (error) {
        say(error.status === 409 ? "This group was changed elsewhere. Here it is as it stands now; choose again." : `Not stored: ${error.message}.`);
        if (error.status === 409) await reload(position);
        return null;
    } finally {
        busy = false;
        drawPlan();
    }
}

async function decide(group, keeper, fates, words) {
    const [here, asking] = [position, generation];
    const made = await rule([{ number: group.number, version: group.version, keeper, fates }], [before(group)]);
    if (!made) return;
    if (asking !== generation) {         // a filter changed meanwhile: what it loaded may be older than this decision
        say(words);
        await reload(position);
        return;
    }
    decided += Number(made[0].decided) - Number(group.decided);
    replace(made[0]);
    drawProgress();
    say(words);
    if (!made[0].decided) draw();
    else if (by("undecided").checked) await reload(here);
    else if (here + 1 < found) await go(here + 1);
    else draw();
}

function others(group, keeper, fate) {
    return Object.fromEntries(group.ids.filter((id) => id !== keeper).map((id) => [id, fate]));
}

async function undo() {
    const last = done.pop();
    if (!last) return;
    const versions = new Map(last.made.map((one) => [one.number, one.version]));
    const made = await rule(last.undone.map((one) => ({ ...one, version: versions.get(one.number) })));
    if (!made) return;
    for (const one of done) for (const group of one.made) {
        const now = made.find((other) => other.number === group.number);
        if (now) group.version = now.version;
    }
    await reload(last.position);
    say(`Taken back: ${many(made.length, "decision")}.`);
}

async function bulk() {
    const chosen = (await ask(`/api/versions?${filters({ undecided: "1" })}`)).filter((one) => !Object.keys(one.fates).length);
    const files = chosen.reduce((sum, one) => sum + one.ids.length - 1, 0);
    const kinds = [...new Set(chosen.map((one) => one.kind))].map((kind) => `${chosen.filter((one) => one.kind === kind).length} ${kind}`);
    by("sure-text").textContent = chosen.length
        ? `In ${many(chosen.length, "undecided group")} (${kinds.join(", ")}), the proposed file stays and ${many(files, "file")} will go with imgindex prune --reviewed. Undo takes it back.`
        : "None of the groups that are shown is undecided.";
    const sure = by("sure");
    sure.querySelector('[value="yes"]').disabled = !chosen.length;
    sure.returnValue = "";
    sure.showModal();
    sure.onclose = async () => {
        if (sure.returnValue !== "yes") return;
        const rulings = chosen.map((one) => ({ number: one.number, version: one.version, keeper: one.keeper, fates: others(one, one.keeper, "prune") }));
        if (!(await rule(rulings, chosen.map(before)))) return;
        await reload(position);
        say(`Decided: ${many(chosen.length, "group")}, ${many(files, "file")} to go.`);
    };
}

const DO = {
    accept: (group) => decide(group, group.keeper, others(group, group.keeper, "prune"), "All others go."),
    prune: (group, other) => decide(group, group.keeper, { ...group.fates, [other.id]: "prune" }, `${other.name} goes.`),
    instead: (group, other) => decide(group, other.id, others(group, other.id, "prune"), `${other.name} stays, the others go.`),
    both: (group, other) => decide(group, group.keeper, { ...group.fates, [other.id]: "keep" }, "Both stay."),
    skip: () => { say("Skipped."); return go(position + 1); },
    next: () => go(position + 1),
    previous: () => go(position - 1),
    undo,
    side: () => { look = "side"; drawLook(); },
    flip: () => { top_ = look === "flip" ? 1 - top_ : 1; look = "flip"; drawLook(); say(`Shown: ${pair()[top_]?.name ?? ""}`); },
    difference: () => { look = look === "difference" ? "side" : "difference"; drawLook(); },
    larger: () => zoom(1.5),
    smaller: () => zoom(1 / 1.5),
    fit: () => { view = { zoom: 1, x: 0, y: 0 }; drawLook(); },
    other: (group, other) => {
        const rest = group.files.filter((file) => file.id !== group.keeper);
        looked = rest[(rest.indexOf(other) + 1) % rest.length].id;
        draw();
    },
};
const KEYS = {
    a: "accept", x: "prune", i: "instead", b: "both", s: "skip", u: "undo", n: "next", p: "previous", o: "other",
    ArrowRight: "next", ArrowLeft: "previous", v: "side", f: "flip", d: "difference", "+": "larger", "=": "larger",
    "-": "smaller", 0: "fit",
};

async function act(name) {
    const group = card();
    if (!group && !["next", "previous", "undo"].includes(name)) return;
    await DO[name](group, pair()[1]);
}

// --- zoom, in step

function zoom(factor, x = pictures[1].parentElement.clientWidth / 2, y = pictures[1].parentElement.clientHeight / 2) {
    const to = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
    const by_ = to / view.zoom;
    view = to === 1 ? { zoom: 1, x: 0, y: 0 } : { zoom: to, x: x - (x - view.x) * by_, y: y - (y - view.y) * by_ };
    drawLook();
}

for (const frame of stage.querySelectorAll(".view")) {
    frame.addEventListener("wheel", (event) => {
        event.preventDefault();
        const box = frame.getBoundingClientRect();
        zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    frame.addEventListener("pointerdown", (event) => frame.setPointerCapture(event.pointerId));
    frame.addEventListener("pointermove", (event) => {
        if (!event.buttons || view.zoom === 1) return;
        view = { ...view, x: view.x + event.movementX, y: view.y + event.movementY };
        drawLook();
    });
}

// --- what people press

document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !by("shortcuts").checked) return;
    if (event.key === "?") by("keys").showModal();
    else if (event.key === "/") by("text").focus();
    else if (KEYS[event.key]) act(KEYS[event.key]);
    else return;
    event.preventDefault();
});
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => act(button.dataset.do));
by("help").addEventListener("click", () => by("keys").showModal());
by("bulk").addEventListener("click", () => bulk().catch((error) => say(error.message)));
by("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(by("command").textContent.trim()).then(() => say("Copied."), () => say("Cannot be copied here: mark it."));
});
by("filters").addEventListener("submit", (event) => event.preventDefault());
let typed = 0;
by("filters").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => { list.scrollTop = 0; reload(); }, 150);
});
list.addEventListener("scroll", () => requestAnimationFrame(drawList));
addEventListener("resize", () => requestAnimationFrame(drawList));

ask("/api/folders").then((folders) => folders.forEach((folder, at) => by("folder").append(make("option", { value: at }, folder))));
reload();
drawPlan();

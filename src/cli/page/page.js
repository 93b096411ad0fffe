
// The list of images: filters, order and rows. Texts of images are inserted as text, never as markup.
"use strict";
(async () => {
  const PAGE_ROWS = 100;
  // How many consumers the row of an image names; its details name all.
  const SHOWN_USERS = 3;
  const byId = (id) => document.getElementById(id);
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== "" && child !== undefined));
    return element;
  };
  // Returns the content of an element, and removes it from memory.
  const take = (id) => {
    const text = byId(id).textContent;
    byId(id).remove();
    return text;
  };
  const number = new Intl.NumberFormat("en");
  const collator = new Intl.Collator("en", { numeric: true });
  const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;

  // Light or dark: the system's setting, or the choice that was stored here.
  const theme = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = (use) => { try { return use(localStorage); } catch { return null; } };
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colors`); };
  const chosen = stored((storage) => storage.getItem("ecr-preflight-theme"));
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    stored((storage) => storage.setItem("ecr-preflight-theme", document.documentElement.dataset.theme));
    showTheme();
  });
  dark.addEventListener("change", showTheme);
  showTheme();
  theme.hidden = false;
  document.documentElement.classList.add("live");

  // Two lines of JSON for each row, compressed with gzip and encoded as base64. The second line is parsed when the row
  // is shown.
  const readRows = async () => {
    const binary = atob(take("data"));
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
    const lines = (await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text()).split("\n");
    const rows = [];
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const row = JSON.parse(lines[at]);
      row.line = lines[at + 1];
      rows.push(row);
    }
    return rows;
  };
  const detailsOf = (row) => row.details ??= JSON.parse(row.line);
  const texts = JSON.parse(take("texts"));
  const verdicts = new Map(texts.verdicts.map((verdict, rank) => [verdict.name, { ...verdict, rank }]));
  let rows;
  try {
    rows = await readRows();
  } catch (error) {
    byId("failed").hidden = false;
    throw error;
  }

  // The ranks of a text of all rows. Few texts differ, so only these are compared. Empty texts come last.
  const ranks = (text) => {
    const values = rows.map((row) => text(row) || "\uffff");
    const rank = new Map([...new Set(values)].sort(collator.compare).map((value, at) => [value, at]));
    return values.map((value) => rank.get(value));
  };
  const once = (compute) => {
    let value;
    return () => value ??= compute();
  };
  const byRepository = once(() => ranks((row) => row.repository));
  const byTime = once(() => rows.map((row) => Date.parse(row.pushed) || 0));
  const COLUMNS = [
    { name: "verdict", title: "Verdict", keys: once(() => rows.map((row) => verdicts.get(row.verdict).rank)) },
    { name: "image", title: "Image", keys: byRepository },
    { name: "platforms", title: "Platforms", keys: once(() => ranks((row) => row.platforms.join())) },
    { name: "intended", title: "Meant for", keys: once(() => ranks((row) => row.titles.replaceAll("`", ""))) },
    { name: "wrong", title: "What is wrong", keys: once(() => ranks((row) => row.codes.join() || row.reason)) },
    { name: "pushed", title: "Pushed", keys: byTime, newestFirst: true },
  ];
  // There is a filter for images in use if consumers were read.
  const inUse = byId("in-use");
  const usersText = (row) => (row.users ?? []).join(", ");
  if (inUse) COLUMNS.splice(4, 0, { name: "users", title: "In use by", keys: once(() => ranks(usersText)) });
  byId("table").classList.toggle("with-users", Boolean(inUse));

  // The query is kept in the address, so that it can be shared and bookmarked.
  const EMPTY_QUERY = () => ({ verdict: new Set(), fault: new Set(), runtime: "", used: false, q: "", sort: "verdict", reverse: false, group: "repository" });
  let query = EMPTY_QUERY();
  const choose = (params, name, allowed) =>
    new Set((params.get(name) ?? "").split(",").filter((value) => allowed.includes(value)));
  const values = (list, key) => [...list].map((element) => element.dataset[key]);
  const verdictButtons = document.querySelectorAll("[data-verdict]");
  const faultButtons = document.querySelectorAll("[data-fault]");
  const readAddress = () => {
    const params = new URLSearchParams(location.hash.slice(1));
    const runtimes = [...byId("runtime").options].map((option) => option.value);
    const sort = (params.get("sort") ?? "").replace(/^-/, "");
    const known = COLUMNS.some((column) => column.name === sort);
    query = {
      verdict: choose(params, "verdict", values(verdictButtons, "verdict")),
      fault: choose(params, "fault", values(faultButtons, "fault")),
      runtime: runtimes.includes(params.get("runtime")) ? params.get("runtime") : "",
      used: Boolean(inUse) && params.get("in-use") === "yes",
      q: (params.get("q") ?? "").slice(0, 500),
      sort: known ? sort : "verdict",
      reverse: known && params.get("sort").startsWith("-"),
      group: params.get("group") === "none" ? "none" : "repository",
    };
    byId("search").value = query.q;
    byId("runtime").value = query.runtime;
    if (inUse) inUse.checked = query.used;
    byId("group").value = query.group;
  };
  const writeAddress = () => {
    const params = new URLSearchParams();
    if (query.verdict.size) params.set("verdict", [...query.verdict].join(","));
    if (query.fault.size) params.set("fault", [...query.fault].join(","));
    if (query.runtime) params.set("runtime", query.runtime);
    if (query.used) params.set("in-use", "yes");
    if (query.q.trim()) params.set("q", query.q.trim());
    const sort = (query.reverse ? "-" : "") + query.sort;
    if (sort !== "verdict") params.set("sort", sort);
    if (query.group === "none") params.set("group", "none");
    const hash = params.toString().replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };

  // Order and filter.
  let ordered = [];
  let orderedBy = "";
  let shown = [];
  const order = () => {
    const by = `${query.sort}${query.reverse}`;
    if (by === orderedBy) return;
    orderedBy = by;
    const column = COLUMNS.find(({ name }) => name === query.sort);
    const direction = query.reverse === Boolean(column.newestFirst) ? 1 : -1;
    // Sorting numbers is several times as fast as sorting rows.
    const [keys, repositories, times] = [column.keys(), byRepository(), byTime()];
    ordered = [...rows.keys()].sort((one, other) =>
      direction * (keys[one] - keys[other])
      || repositories[one] - repositories[other]
      || times[other] - times[one]
      || collator.compare(rows[one].tag, rows[other].tag)
      || one - other).map((index) => rows[index]);
  };
  const searchText = (row) => row.text ??= `${row.repository}:${row.tag} ${row.also.join(" ")} ${row.digest}`.toLowerCase();
  const filter = () => {
    const parts = query.q.toLowerCase().split(/\s+/).filter(Boolean);
    const { verdict, fault, runtime, used } = query;
    shown = ordered.filter((row) => (!verdict.size || verdict.has(row.verdict))
      && (!fault.size || row.codes.some((code) => fault.has(code)))
      && (!runtime || row.intended.includes(runtime))
      && (!used || row.users?.length > 0)
      && parts.every((part) => searchText(row).includes(part)));
  };

  // What the list shows: rows, and before those of each repository its group. Repositories are in the order of their first
  // row. Those without a problem are closed, unless a filter is set.
  const isFiltered = () => Boolean(query.verdict.size || query.fault.size || query.runtime || query.used || query.q.trim());
  const hasRegistries = once(() => new Set(rows.map((row) => row.registry)).size > 1);
  const toggled = new Map();
  const opened = new Set();
  let items = [];
  let groupCount = 0;
  const arrange = () => {
    if (query.group === "none") {
      items = shown;
      return;
    }
    const groups = new Map();
    for (const row of shown) {
      const key = `${row.registry}\n${row.repository}`;
      const group = groups.get(key) ?? { key, rows: [] };
      groups.set(key, group);
      group.rows.push(row);
    }
    groupCount = groups.size;
    items = [];
    for (const group of groups.values()) {
      const hasProblem = group.rows.some(({ verdict }) => verdict === "fails" || verdict === "unknown");
      group.isOpen = toggled.get(group.key) ?? (hasProblem || isFiltered());
      items.push({ group });
      if (group.isOpen) for (const row of group.rows) items.push(row);
    }
  };

  // Rows.
  const theirs = (text, name = "span") => make(name, { class: "theirs" }, text);
  // A sentence with code between backticks.
  const sentence = (text, name = "span") => {
    const parts = text.split("`");
    if (parts.length % 2 === 0) return theirs(text, name);
    return make(name, { class: "theirs" }, ...parts.map((part, at) => (at % 2 ? make("code", {}, part) : part)));
  };
  const symbol = (verdict) => make("span", { class: "sign", "aria-hidden": "true" }, verdicts.get(verdict).symbol);
  const cell = (name, label, ...children) => make("td", { role: "cell", class: `c-${name}`, "data-label": label }, ...children);
  const list = (attributes, items) => make("ul", { role: "list", ...attributes }, ...items);

  const wrongOf = ({ runtimes, ignored }) => {
    const faults = new Map(runtimes.flatMap((runtime) => runtime.faults).map((fault) => [fault.code + fault.evidence, fault]));
    if (faults.size) {
      return [list({ class: "wrong" }, [...faults.values()].map((fault) =>
        make("li", {}, make("code", { class: "code" }, fault.code), " ", sentence(fault.evidence))))];
    }
    const reasons = [...new Set(runtimes.flatMap((runtime) => runtime.unknown))];
    if (reasons.length) return [list({ class: "wrong" }, reasons.map((reason) => make("li", {}, sentence(reason))))];
    return ignored ? [make("span", { class: "dim" }, ignored)] : [];
  };

  // What is unknown is not shown as nothing.
  const usersOf = ({ users }) => {
    if (!users) return [make("span", { class: "dim" }, "unknown")];
    const more = users.length - SHOWN_USERS;
    return users.length ? [list({}, [...users.slice(0, SHOWN_USERS).map((user) => theirs(user, "li")),
      ...(more > 0 ? [make("li", { class: "dim" }, `+${number.format(more)}`)] : [])])] : [];
  };

  const groupOf = ({ isOpen, rows: members }) => {
    const counts = new Map();
    for (const { verdict } of members) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    const count = ({ name, phrase }) => make("li", { class: name }, symbol(name), ` ${number.format(counts.get(name))}`,
      make("span", { class: "unseen" }, ` ${phrase}`));
    const { repository, registry } = members[0];
    return make("tr", { role: "row", class: "group" }, make("td", { role: "cell", colspan: String(COLUMNS.length) },
      make("button", { type: "button", class: "toggle", "aria-expanded": String(isOpen) }, theirs(repository),
        make("span", { class: "dim" }, ` ${hasRegistries() ? `${registry}, ` : ""}${plural(members.length, "image", "images")}`)),
      list({ class: "counts" }, texts.verdicts.filter(({ name }) => counts.has(name)).map(count))));
  };

  const rowOf = (row, at) => {
    const isGrouped = query.group !== "none" && row.tag;
    const name = make("button", { type: "button", class: "name", "aria-expanded": "false", "aria-controls": `detail-${at}` },
      isGrouped ? theirs(row.tag) : theirs(row.repository),
      row.tag && !isGrouped ? make("span", { class: "tag theirs" }, `:${row.tag}`) : "");
    const details = detailsOf(row);
    const runtimes = details.runtimes.map((runtime) =>
      make("li", { class: runtime.verdict }, symbol(runtime.verdict),
        make("span", { class: "unseen" }, `${verdicts.get(runtime.verdict).phrase}: `), sentence(runtime.title)));
    const date = row.pushed.slice(0, 10);
    return make("tr", { role: "row", class: "row" },
      cell("verdict", undefined, make("span", { class: `badge ${row.verdict}` }, symbol(row.verdict), verdicts.get(row.verdict).phrase)),
      cell("image", undefined, name,
        row.also.length ? make("div", { class: "also theirs" }, `also ${row.also.slice(0, 5).join(", ")}${row.also.length > 5 ? ", …" : ""}`) : ""),
      cell("platforms", "Platforms", ...(row.platforms.length ? [list({}, row.platforms.map((platform) => theirs(platform, "li")))] : [])),
      cell("intended", "Meant for", ...(runtimes.length ? [list({ class: "places" }, runtimes)] : [])),
      ...(inUse ? [cell("users", "In use by", ...usersOf(row))] : []),
      cell("wrong", "Wrong", ...wrongOf(details)),
      cell("pushed", "Pushed", ...(date ? [make("time", { datetime: row.pushed, title: row.pushed }, date)] : [])));
  };

  const wordsOf = (line) => line.split(/( +)/).map((part) => (part.trim() ? make("span", { class: "word" }, part) : part));
  const copyButton = (text, what) =>
    make("button", { type: "button", class: "copy", "aria-label": `Copy ${what}`, "data-copy": text }, "Copy");

  // The code of a fault, linked to its documentation if that has an address.
  const documented = (code) => {
    const link = texts.faultDocs[code];
    const text = make("code", { class: "code" }, code);
    return link ? make("a", { href: link, rel: "noreferrer" }, text) : text;
  };

  const runtimeOf = (runtime) => {
    const parts = [make("h3", { class: runtime.verdict }, symbol(runtime.verdict),
      sentence(runtime.title, "b"), ` ${verdicts.get(runtime.verdict).phrase}${runtime.by ? `, ${runtime.by}` : ""}`)];
    for (const fault of runtime.faults) {
      parts.push(make("p", { class: "found" }, documented(fault.code), " ", sentence(fault.evidence)));
      if (fault.symptom) {
        parts.push(make("div", { class: "met" }, make("p", {}, "Expected error"), theirs(fault.symptom, "pre")));
      }
    }
    for (const reason of runtime.unknown) parts.push(make("p", { class: "found" }, sentence(reason)));
    return parts;
  };

  const stepsOf = (details) => {
    const steps = new Map(details.runtimes.flatMap((runtime) => runtime.faults).flatMap((fault) => fault.steps)
      .map((step) => [step.join("\n"), step]));
    if (!steps.size) return [];
    const items = [...steps.values()].map(([advice, command]) => {
      if (command === undefined) return make("li", {}, sentence(advice));
      return make("li", {}, advice ? sentence(`${advice}:`) : "",
        make("div", { class: "command" }, make("pre", {}, ...wordsOf(command)), copyButton(command, `the command: ${advice || command}`)));
    });
    return [make("h3", { class: "part" }, "What to do"), make("ol", { class: "steps", role: "list" }, ...items)];
  };

  const aboutOf = (row, details) => {
    const about = make("dl", { class: "about" });
    const fact = (name, value, mono = true, copied = "") =>
      about.append(make("div", {}, make("dt", {}, name, copied), make("dd", { class: mono ? "mono" : false }, value)));
    if (details.address) fact("Pull it as", theirs(details.address), true, copyButton(details.address, "the image's name"));
    if (details.console) fact("AWS", make("a", { href: details.console, rel: "noreferrer" }, "Amazon ECR console"), false);
    if (row.digest) fact("Digest", theirs(row.digest), true, copyButton(row.digest, "the digest"));
    if (details.owner) fact("Owner", theirs(details.owner));
    if (details.users?.length) fact("In use by", list({}, details.users.map((user) => theirs(user, "li"))), false);
    if (row.also.length) fact("Also tagged", theirs(row.also.join(", ")));
    if (row.pushed) fact("Pushed", make("time", { datetime: row.pushed }, row.pushed.replace("T", " ").replace("Z", " UTC")), false);
    for (const start of details.exec) {
      const on = details.exec.length > 1 ? ` on ${start.on}` : "";
      if (start.argv) fact(`Command${on}`, theirs(start.argv));
      if (start.chain.length) {
        const items = start.chain.map((path) => theirs(path, "li"));
        fact(start.starts ? `Starts${on}` : `Opened before the error${on}`, list({ class: "chain" }, items));
      }
      if (start.error) fact(`Error${on}`, theirs(start.error));
      if (start.reason) {
        fact(start.starts ? "The program that it starts next is unknown" : "Platform checked, program not inspected", theirs(start.reason), false);
      }
    }
    return about;
  };

  const detailOf = (row, at) => {
    const details = detailsOf(row);
    const main = make("div", {}, ...details.runtimes.flatMap(runtimeOf), ...stepsOf(details));
    if (details.remark) main.append(make("p", { class: "remark" }, details.remark));
    if (row.verdict === "undeclared") main.append(sentence(texts.undeclared, "p"));
    if (details.ignored) main.append(make("p", { class: "remark" }, `Not checked: ${details.ignored}.`));
    return make("tr", { role: "row", class: "detail", id: `detail-${at}` },
      make("td", { role: "cell", colspan: String(COLUMNS.length) }, make("div", { class: "columns" }, main, aboutOf(row, details))));
  };

  const body = byId("rows");
  const isOpen = (button) => button.getAttribute("aria-expanded") === "true";
  const toggle = (button, open = !isOpen(button)) => {
    if (open === isOpen(button)) return;
    const tr = button.closest("tr");
    button.setAttribute("aria-expanded", String(open));
    tr.classList.toggle("open", open);
    const row = items[Number(tr.dataset.at)];
    if (open) {
      opened.add(row);
      tr.after(detailOf(row, tr.dataset.at));
    } else {
      opened.delete(row);
      tr.nextElementSibling.remove();
    }
  };

  let drawn = 0;
  const draw = () => {
    const part = document.createDocumentFragment();
    const until = Math.min(drawn + PAGE_ROWS, items.length);
    for (; drawn < until; drawn += 1) {
      const item = items[drawn];
      const tr = item.group ? groupOf(item.group) : rowOf(item, drawn);
      tr.dataset.at = String(drawn);
      part.append(tr);
      if (opened.has(item)) toggle(tr.querySelector(".name"), true);
    }
    body.append(part);
    const left = items.length - drawn;
    byId("more").hidden = left === 0;
    byId("more").textContent = query.group === "none" ? `Show ${number.format(Math.min(PAGE_ROWS, left))} more of ${number.format(left)}` : "Show more";
    const all = shown.length === rows.length ? plural(rows.length, "image", "images")
      : `${number.format(shown.length)} of ${plural(rows.length, "image", "images")}`;
    byId("shown").textContent = query.group !== "none" ? `${all} in ${plural(groupCount, "repository", "repositories")}`
      : drawn < shown.length ? `${all}, the first ${number.format(drawn)} shown` : all;
  };
  const redraw = (until = 1) => {
    arrange();
    drawn = 0;
    body.replaceChildren();
    do draw(); while (drawn < Math.min(until, items.length));
  };
  const toggleGroup = (tr) => {
    const { group } = items[Number(tr.dataset.at)];
    toggled.set(group.key, !group.isOpen);
    redraw(drawn);
    const at = items.findIndex((item) => item.group?.key === group.key);
    body.querySelector(`tr[data-at="${at}"] .toggle`)?.focus();
  };

  const press = (buttons, key, set) => buttons.forEach((button) =>
    button.setAttribute("aria-pressed", String(set.has(button.dataset[key]))));
  const update = () => {
    const began = performance.now();
    order();
    filter();
    press(verdictButtons, "verdict", query.verdict);
    press(faultButtons, "fault", query.fault);
    for (const th of document.querySelectorAll("#columns th")) {
      const active = th.dataset.column === query.sort;
      const column = COLUMNS.find(({ name }) => name === th.dataset.column);
      const ascending = query.reverse === Boolean(column.newestFirst);
      th.setAttribute("aria-sort", !active ? "none" : ascending ? "ascending" : "descending");
      th.querySelector(".arrow").textContent = !active ? "" : ascending ? "↑" : "↓";
    }
    byId("sort").value = (query.reverse ? "-" : "") + query.sort;
    byId("clear").hidden = !isFiltered();
    byId("none").hidden = shown.length > 0 || rows.length === 0;
    byId("table").hidden = shown.length === 0;
    opened.clear();
    redraw();
    performance.measure("update", { start: began });
  };
  const apply = (change) => {
    // What another filter finds is not hidden in closed groups.
    if (!("sort" in change)) toggled.clear();
    Object.assign(query, change);
    writeAddress();
    update();
  };
  const clear = () => {
    byId("search").value = "";
    byId("runtime").value = "";
    if (inUse) inUse.checked = false;
    apply({ ...EMPTY_QUERY(), sort: query.sort, reverse: query.reverse, group: query.group });
  };

  // Controls.
  for (const [buttons, key] of [[verdictButtons, "verdict"], [faultButtons, "fault"]]) {
    buttons.forEach((button) => button.addEventListener("click", () => {
      const set = new Set(query[key]);
      if (!set.delete(button.dataset[key])) set.add(button.dataset[key]);
      apply({ [key]: set });
    }));
  }
  for (const column of COLUMNS) {
    const button = make("button", { type: "button" }, column.title, make("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => apply({ sort: column.name, reverse: query.sort === column.name && !query.reverse }));
    byId("columns").append(make("th", { role: "columnheader", scope: "col", class: `c-${column.name}`, "data-column": column.name }, button));
    byId("sort").append(make("option", { value: column.name }, column.title), make("option", { value: `-${column.name}` }, `${column.title}, reversed`));
  }
  for (const [selector, role] of [["#table", "table"], ["#table thead, #table tbody", "rowgroup"], ["#columns", "row"]]) {
    // So that screen readers take it for a table, even if it is laid out as cards.
    document.querySelectorAll(selector).forEach((element) => element.setAttribute("role", role));
  }
  byId("sort").addEventListener("change", ({ target }) =>
    apply({ sort: target.value.replace(/^-/, ""), reverse: target.value.startsWith("-") }));
  byId("search").setAttribute("placeholder", " ");
  byId("search").addEventListener("input", ({ target }) => apply({ q: target.value }));
  byId("runtime").addEventListener("change", ({ target }) => apply({ runtime: target.value }));
  inUse?.addEventListener("change", () => apply({ used: inUse.checked }));
  byId("group").addEventListener("change", ({ target }) => apply({ group: target.value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { clear(); byId("search").focus(); });
  byId("reset").addEventListener("click", () => { clear(); byId("search").focus(); });
  byId("more").addEventListener("click", () => {
    const next = drawn;
    draw();
    body.querySelector(`tr[data-at="${next}"] :is(.name, .toggle)`)?.focus();
  });
  byId("skip").addEventListener("click", (event) => {
    // The address is used for the query.
    event.preventDefault();
    byId("images").focus();
    byId("images").scrollIntoView();
  });
  addEventListener("hashchange", () => { readAddress(); update(); });

  // Files of the rows that match the filters.
  const save = (name, type, text) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  const problemsOf = (row) => {
    const faults = detailsOf(row).runtimes.flatMap((runtime) => runtime.faults);
    return faults.length ? [...new Set(faults.map(({ code, evidence }) => `${code}: ${evidence}`))] : row.reason ? [row.reason] : [];
  };
  // No cell is a formula to a spreadsheet. Some separate cells at a semicolon, even between quotation marks.
  const csvCell = (text) => {
    const parts = text.split(";").map((part) => part.replace(/^( *)([=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/, "$1'$2"));
    return `"${parts.join(";").replaceAll('"', '""')}"`;
  };
  byId("save-csv").addEventListener("click", () => {
    const header = ["verdict", "registry", "repository", "tag", "also_tagged", "digest", "pushed_at", "platforms", "intended", "faults", "reasons", "remedy", ...(inUse ? ["in_use_by"] : [])];
    const lines = shown.map((row) => {
      const steps = detailsOf(row).runtimes.flatMap((runtime) => runtime.faults).flatMap((fault) => fault.steps);
      const remedy = [...new Set(steps.map((step) => step.at(-1)))].join("; ");
      return [row.verdict, row.registry, row.repository, row.tag, row.also.join(" "), row.digest, row.pushed, row.platforms.join(" "),
        row.intended.join(" "), row.codes.join(" "), problemsOf(row).join("; "), remedy, ...(inUse ? [row.users ? row.users.join(" ") : "unknown"] : [])];
    });
    save("audit.csv", "text/csv", [header, ...lines].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join(""));
  });
  // As code, where nothing is a link, a mention of a person, or markup.
  const markdownCell = (text) => (text.trim() ? `\`${text.replaceAll("`", "\ufffd").replaceAll("|", "\\|")}\`` : "");
  byId("save-markdown").addEventListener("click", () => {
    const lines = shown.map((row) => {
      const { symbol: sign, phrase } = verdicts.get(row.verdict);
      const name = row.tag ? `${row.repository}:${row.tag}` : row.repository;
      const cells = [`${sign} ${phrase}`, [name, ...row.also].map(markdownCell).join(", "), row.intended.map(markdownCell).join(", "),
        ...(inUse ? [row.users ? row.users.map(markdownCell).join(", ") : "unknown"] : []),
        problemsOf(row).map(markdownCell).join(", ")];
      return `| ${cells.join(" | ")} |\n`;
    });
    save("audit.md", "text/markdown", `| Verdict | Image | Meant for |${inUse ? " In use by |" : ""} Reason |\n|---|---|---|${inUse ? "---|" : ""}---|\n${lines.join("")}`);
  });

  const announce = (text) => { byId("said").textContent = text; };
  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without access to the clipboard, the browser copies the selection.
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling ?? button.parentElement.nextElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) {
        announce("Not copied; the text is selected");
        return;
      }
    }
    button.textContent = "Copied";
    button.classList.add("done");
    announce("Copied");
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); announce(""); }, 2000);
  };
  body.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.matches(".copy")) copy(button);
    else if (button?.matches(".name")) toggle(button);
    else if (target.closest("tr.group")) toggleGroup(target.closest("tr.group"));
    else if (target.closest("tr.row") && !String(getSelection())) toggle(target.closest("tr.row").querySelector(".name"));
  });
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isInput = target.matches?.("input, select, textarea");
    if (key === "/" && !isInput) {
      event.preventDefault();
      byId("search").focus();
      byId("search").select();
    } else if (key === "Escape" && target === byId("search")) {
      if (target.value) {
        target.value = "";
        apply({ q: "" });
      }
    } else if (key === "Escape") {
      const within = target.closest?.("tr.detail")?.previousElementSibling ?? target.closest?.("tr.row");
      const tr = within ?? [...body.querySelectorAll("tr.open")].pop();
      const button = tr?.querySelector(".name");
      if (button && isOpen(button)) {
        toggle(button, false);
        button.focus();
      }
    }
  });


  byId("images").hidden = rows.length === 0;
  readAddress();
  update();
})();

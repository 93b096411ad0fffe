
// The list of images: filters, order, rows. All texts of images are put in as text, never as markup.
"use strict";
(() => {
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== "" && child !== undefined));
    return element;
  };
  const taken = (id) => {
    const element = byId(id);
    const value = JSON.parse(element.textContent);
    element.remove();
    return value;
  };
  const number = new Intl.NumberFormat("en");
  const collator = new Intl.Collator("en", { numeric: true });
  const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;

  // Rows: answers, repositories and steps are numbers where they stood before.
  const words = taken("words");
  const says = new Map(words.verdicts.map((verdict, rank) => [verdict.name, { ...verdict, rank }]));
  const [answers, repositories, registries, steps] = [[], [], [], []];
  const shared = (list, value, read) => {
    if (typeof value === "number") return list[value];
    list.push(read(value));
    return list[list.length - 1];
  };
  const readAnswer = (answer) => {
    const runtimes = (answer.runtimes ?? []).map((runtime) => ({
      ...runtime,
      faults: (runtime.faults ?? []).map((fault) => ({
        ...fault, steps: (fault.steps ?? []).map((step) => shared(steps, step, (read) => read)),
      })),
      unknown: runtime.unknown ?? [],
    }));
    const codes = new Set(runtimes.flatMap((runtime) => runtime.faults.map((fault) => fault.code)));
    return {
      ...answer, runtimes, codes, platforms: answer.platforms ?? [], intended: new Set(answer.intended ?? []),
      exec: answer.exec ?? [], fits: true,
    };
  };
  const readRepository = ([name, registry]) => {
    // What begins an address and an ARN there; none where it is no repository of Amazon ECR.
    const [uri, arn] = registry === undefined ? [] : shared(registries, registry, (read) => read);
    return { name, uri: uri && uri + name, arn: arn && arn + name, rank: 0 };
  };
  const rows = taken("data").map(([answer, repository, tag, digest, pushed, also = []], index) => {
    const row = {
      index, tag, digest, pushed, also,
      answer: shared(answers, answer, readAnswer),
      repository: shared(repositories, repository, readRepository),
      time: Date.parse(pushed) || 0,
    };
    row.text = `${row.repository.name}:${tag} ${also.join(" ")} ${digest}`.toLowerCase();
    return row;
  });
  const ranked = (list, key, field) => {
    const keyed = list.map((item) => [key(item), item]).sort(([one], [other]) => collator.compare(one, other));
    let rank = 0;
    keyed.forEach(([text, item], at) => {
      if (at > 0 && text !== keyed[at - 1][0]) rank += 1;
      item[field] = rank;
    });
  };
  // What is nothing comes after all that is something.
  const orLast = (text) => text || "\uffff";
  ranked(repositories, (repository) => repository.name, "rank");
  ranked(answers, (answer) => orLast(answer.platforms.join()), "byPlatforms");
  ranked(answers, (answer) => orLast(answer.runtimes.map((runtime) => runtime.title.replaceAll("`", "")).join()), "byIntended");
  ranked(answers, (answer) => orLast([...answer.codes].join() || answer.runtimes.flatMap((r) => r.unknown).join()), "byWrong");

  const COLUMNS = [
    { name: "verdict", title: "Verdict", key: (row) => says.get(row.answer.verdict).rank },
    { name: "image", title: "Image", key: (row) => row.repository.rank },
    { name: "platforms", title: "Platforms", key: (row) => row.answer.byPlatforms },
    { name: "intended", title: "Meant for", key: (row) => row.answer.byIntended },
    { name: "wrong", title: "What is wrong", key: (row) => row.answer.byWrong },
    { name: "pushed", title: "Pushed", key: (row) => row.time, newest: true },
  ];

  // What is asked for stands in the address, so that it can be passed on and found again.
  const NOTHING = () => ({ verdict: new Set(), fault: new Set(), runtime: "", q: "", sort: "verdict", down: false });
  let asked = NOTHING();
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
    asked = {
      verdict: choose(params, "verdict", values(verdictButtons, "verdict")),
      fault: choose(params, "fault", values(faultButtons, "fault")),
      runtime: runtimes.includes(params.get("runtime")) ? params.get("runtime") : "",
      q: (params.get("q") ?? "").slice(0, 500),
      sort: known ? sort : "verdict",
      down: known && params.get("sort").startsWith("-"),
    };
    byId("search").value = asked.q;
    byId("runtime").value = asked.runtime;
  };
  const writeAddress = () => {
    const params = new URLSearchParams();
    if (asked.verdict.size) params.set("verdict", [...asked.verdict].join(","));
    if (asked.fault.size) params.set("fault", [...asked.fault].join(","));
    if (asked.runtime) params.set("runtime", asked.runtime);
    if (asked.q.trim()) params.set("q", asked.q.trim());
    const sort = (asked.down ? "-" : "") + asked.sort;
    if (sort !== "verdict") params.set("sort", sort);
    const hash = params.toString().replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };

  // Order and filter.
  let ordered = [];
  let sortedBy = "";
  let shown = [];
  const order = () => {
    const by = `${asked.sort}${asked.down}`;
    if (by === sortedBy) return;
    sortedBy = by;
    const { key, newest } = COLUMNS.find((column) => column.name === asked.sort);
    const sign = asked.down === Boolean(newest) ? 1 : -1;
    const keys = rows.map(key);
    ordered = rows.slice().sort((one, other) =>
      sign * (keys[one.index] - keys[other.index])
      || one.repository.rank - other.repository.rank
      || other.time - one.time
      || collator.compare(one.tag, other.tag)
      || one.index - other.index);
  };
  const filter = () => {
    for (const answer of answers) {
      answer.fits = (!asked.verdict.size || asked.verdict.has(answer.verdict))
        && (!asked.fault.size || [...asked.fault].some((code) => answer.codes.has(code)))
        && (!asked.runtime || answer.intended.has(asked.runtime));
    }
    const parts = asked.q.toLowerCase().split(/\s+/).filter(Boolean);
    shown = ordered.filter((row) => row.answer.fits && parts.every((part) => row.text.includes(part)));
  };

  // Rows.
  const SIGNS = /[\u0001-\u0004]/g;
  const filledIn = (text, row) => {
    const { uri, arn } = row.repository;
    return text.replace(SIGNS, (sign) => ({ "\u0001": `${uri}:${row.tag}`, "\u0002": uri, "\u0003": row.digest, "\u0004": arn })[sign]);
  };
  const theirs = (text, name = "span") => make(name, { class: "theirs" }, text);
  // A sentence, in which code stands between backticks.
  const sentence = (text, name = "span") => {
    const parts = text.split("`");
    if (parts.length % 2 === 0) return theirs(text, name);
    return make(name, { class: "theirs" }, ...parts.map((part, at) => (at % 2 ? make("code", {}, part) : part)));
  };
  const sign = (verdict) => make("span", { class: "sign", "aria-hidden": "true" }, says.get(verdict).sign);
  const cell = (name, label, ...children) => make("td", { role: "cell", class: `c-${name}`, "data-label": label }, ...children);
  const list = (attributes, items) => make("ul", { role: "list", ...attributes }, ...items);
  const unique = (texts) => [...new Set(texts)];

  const wrong = (row) => {
    const { answer } = row;
    const faults = new Map(answer.runtimes.flatMap((runtime) => runtime.faults).map((fault) => [fault.code + fault.evidence, fault]));
    if (faults.size) {
      return list({ class: "wrong" }, [...faults.values()].map((fault) =>
        make("li", {}, make("code", { class: "code" }, fault.code), " ", sentence(filledIn(fault.evidence, row)))));
    }
    const unknown = unique(answer.runtimes.flatMap((runtime) => runtime.unknown));
    if (unknown.length) return list({ class: "wrong" }, unknown.map((reason) => make("li", {}, sentence(filledIn(reason, row)))));
    return answer.because ? make("span", { class: "dim" }, answer.because) : "";
  };

  const rowOf = (row, at) => {
    const { answer } = row;
    const { says: word } = says.get(answer.verdict);
    const name = make("button", { type: "button", class: "name", "aria-expanded": "false", "aria-controls": `detail-${at}` },
      theirs(row.repository.name), row.tag ? make("span", { class: "tag theirs" }, `:${row.tag}`) : "");
    const places = answer.runtimes.map((runtime) =>
      make("li", { class: runtime.verdict }, sign(runtime.verdict),
        make("span", { class: "unseen" }, `${says.get(runtime.verdict).says}: `), sentence(runtime.title)));
    const date = row.pushed.slice(0, 10);
    const content = wrong(row);
    return make("tr", { role: "row", class: "row" },
      cell("verdict", undefined, make("span", { class: `badge ${answer.verdict}` }, sign(answer.verdict), word)),
      cell("image", undefined, name,
        row.also.length ? make("div", { class: "also theirs" }, `also ${row.also.slice(0, 5).join(", ")}${row.also.length > 5 ? ", …" : ""}`) : ""),
      cell("platforms", "Platforms", ...(answer.platforms.length ? [list({}, answer.platforms.map((platform) => theirs(platform, "li")))] : [])),
      cell("intended", "Meant for", ...(places.length ? [list({ class: "places" }, places)] : [])),
      cell("wrong", "Wrong", ...(content ? [content] : [])),
      cell("pushed", "Pushed", ...(date ? [make("time", { datetime: row.pushed, title: row.pushed }, date)] : [])));
  };

  const wordsOf = (line) => line.split(/( +)/).map((part) => (part.trim() ? make("span", { class: "word" }, part) : part));
  const copyButton = (text, what) =>
    make("button", { type: "button", class: "copy", "aria-label": `Copy ${what}`, "data-copy": text }, "Copy");

  // The code of a fault, linked to its documentation if that has an address.
  const documented = (code) => {
    const link = words.faultDocs[code];
    const text = make("code", { class: "code" }, code);
    return link ? make("a", { href: link, rel: "noreferrer" }, text) : text;
  };

  const runtimeOf = (runtime, row) => {
    const parts = [make("h3", { class: runtime.verdict }, sign(runtime.verdict),
      sentence(runtime.title, "b"), ` ${says.get(runtime.verdict).says}${runtime.by ? `, ${runtime.by}` : ""}`)];
    for (const fault of runtime.faults) {
      parts.push(make("p", { class: "found" }, documented(fault.code), " ", sentence(filledIn(fault.evidence, row))));
      if (fault.symptom) {
        parts.push(make("div", { class: "met" }, make("p", {}, "You would meet"), theirs(filledIn(fault.symptom, row), "pre")));
      }
    }
    for (const reason of runtime.unknown) parts.push(make("p", { class: "found" }, sentence(filledIn(reason, row))));
    return parts;
  };

  const stepsOf = (row) => {
    const all = new Map(row.answer.runtimes.flatMap((runtime) => runtime.faults).flatMap((fault) => fault.steps)
      .map((step) => [step.join("\n"), step]));
    if (!all.size) return [];
    const items = [...all.values()].map(([advice, command]) => {
      const text = filledIn(advice, row);
      if (command === undefined) return make("li", {}, sentence(text));
      const line = filledIn(command, row);
      return make("li", {}, text ? sentence(`${text}:`) : "", 
        make("div", { class: "command" }, make("pre", {}, ...wordsOf(line)), copyButton(line, `the command: ${text || line}`)));
    });
    return [make("h3", { class: "part" }, "What to do"), make("ol", { class: "steps", role: "list" }, ...items)];
  };

  const aboutOf = (row) => {
    const about = make("dl", { class: "about" });
    const fact = (name, value, mono = true, copied = "") =>
      about.append(make("div", {}, make("dt", {}, name, copied), make("dd", { class: mono ? "mono" : false }, value)));
    const { uri } = row.repository;
    const address = `${uri}:${row.tag}`;
    if (uri && row.tag) fact("Pull it as", theirs(address), true, copyButton(address, "the image's name"));
    if (row.digest) fact("Digest", theirs(row.digest), true, copyButton(row.digest, "the digest"));
    if (row.also.length) fact("Also tagged", theirs(row.also.join(", ")));
    if (row.pushed) fact("Pushed", make("time", { datetime: row.pushed }, row.pushed.replace("T", " ").replace("Z", " UTC")), false);
    for (const started of row.answer.exec) {
      const chain = started.chain ?? [];
      const on = row.answer.exec.length > 1 ? ` on ${started.on}` : "";
      if (started.argv) fact(`Command${on}`, theirs(filledIn(started.argv, row)));
      if (chain.length) {
        const items = chain.map((path) => theirs(filledIn(path, row), "li"));
        fact(started.starts ? `Starts${on}` : `Opened on the way${on}`, list({ class: "chain" }, items));
      }
      if (started.refused) fact(`Refused${on} with`, theirs(filledIn(started.refused, row)));
      if (started.reason) {
        fact(started.starts ? "What it starts next could not be told" : "Label checked, binary not inspected", theirs(filledIn(started.reason, row)), false);
      }
    }
    return about;
  };

  const detailOf = (row, at) => {
    const { answer } = row;
    const main = make("div", {}, ...answer.runtimes.flatMap((runtime) => runtimeOf(runtime, row)), ...stepsOf(row));
    if (answer.remark) main.append(make("p", { class: "remark" }, answer.remark));
    if (answer.verdict === "undeclared") main.append(sentence(words.undeclared, "p"));
    if (answer.because) main.append(make("p", { class: "remark" }, `Not checked: ${answer.because}.`));
    const detail = make("tr", { role: "row", class: "detail", id: `detail-${at}` },
      make("td", { role: "cell", colspan: String(COLUMNS.length) }, make("div", { class: "columns" }, main, aboutOf(row))));
    return detail;
  };

  const body = byId("rows");
  const opened = (button) => button.getAttribute("aria-expanded") === "true";
  const toggle = (button, open = !opened(button)) => {
    if (open === opened(button)) return;
    const tr = button.closest("tr");
    button.setAttribute("aria-expanded", String(open));
    tr.classList.toggle("open", open);
    if (open) tr.after(detailOf(shown[Number(tr.dataset.at)], tr.dataset.at));
    else tr.nextElementSibling.remove();
  };

  let drawn = 0;
  const draw = () => {
    const part = document.createDocumentFragment();
    const until = Math.min(drawn + PAGE, shown.length);
    for (; drawn < until; drawn += 1) {
      const tr = rowOf(shown[drawn], drawn);
      tr.dataset.at = String(drawn);
      part.append(tr);
    }
    body.append(part);
    const left = shown.length - drawn;
    byId("more").hidden = left === 0;
    byId("more").textContent = `Show ${number.format(Math.min(PAGE, left))} more of ${number.format(left)}`;
    const all = shown.length === rows.length ? plural(rows.length, "image", "images")
      : `${number.format(shown.length)} of ${plural(rows.length, "image", "images")}`;
    byId("shown").textContent = drawn < shown.length ? `${all}, the first ${number.format(drawn)} shown` : all;
  };

  const press = (buttons, key, set) => buttons.forEach((button) =>
    button.setAttribute("aria-pressed", String(set.has(button.dataset[key]))));
  const isFiltered = () => Boolean(asked.verdict.size || asked.fault.size || asked.runtime || asked.q.trim());
  const update = () => {
    const began = performance.now();
    order();
    filter();
    press(verdictButtons, "verdict", asked.verdict);
    press(faultButtons, "fault", asked.fault);
    for (const th of document.querySelectorAll("#columns th")) {
      const active = th.dataset.column === asked.sort;
      const column = COLUMNS.find(({ name }) => name === th.dataset.column);
      const ascending = asked.down === Boolean(column.newest);
      th.setAttribute("aria-sort", !active ? "none" : ascending ? "ascending" : "descending");
      th.querySelector(".arrow").textContent = !active ? "" : ascending ? "↑" : "↓";
    }
    byId("sort").value = (asked.down ? "-" : "") + asked.sort;
    byId("clear").hidden = !isFiltered();
    byId("none").hidden = shown.length > 0 || rows.length === 0;
    byId("table").hidden = shown.length === 0;
    drawn = 0;
    body.replaceChildren();
    draw();
    performance.measure("update", { start: began });
  };
  const ask = (change) => {
    Object.assign(asked, change);
    writeAddress();
    update();
  };
  const clear = () => {
    byId("search").value = "";
    byId("runtime").value = "";
    ask({ ...NOTHING(), sort: asked.sort, down: asked.down });
  };

  // Controls.
  for (const [buttons, key] of [[verdictButtons, "verdict"], [faultButtons, "fault"]]) {
    buttons.forEach((button) => button.addEventListener("click", () => {
      const set = new Set(asked[key]);
      if (!set.delete(button.dataset[key])) set.add(button.dataset[key]);
      ask({ [key]: set });
    }));
  }
  for (const column of COLUMNS) {
    const button = make("button", { type: "button" }, column.title, make("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => ask({ sort: column.name, down: asked.sort === column.name && !asked.down }));
    byId("columns").append(make("th", { role: "columnheader", scope: "col", class: `c-${column.name}`, "data-column": column.name }, button));
    byId("sort").append(make("option", { value: column.name }, column.title), make("option", { value: `-${column.name}` }, `${column.title}, the other way`));
  }
  for (const [selector, role] of [["#table", "table"], ["#table thead, #table tbody", "rowgroup"], ["#columns", "row"]]) {
    // A table that is laid out as cards is one to screen readers still.
    document.querySelectorAll(selector).forEach((element) => element.setAttribute("role", role));
  }
  byId("sort").addEventListener("change", ({ target }) =>
    ask({ sort: target.value.replace(/^-/, ""), down: target.value.startsWith("-") }));
  byId("search").setAttribute("placeholder", " ");
  byId("search").addEventListener("input", ({ target }) => ask({ q: target.value }));
  byId("runtime").addEventListener("change", ({ target }) => ask({ runtime: target.value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { clear(); byId("search").focus(); });
  byId("reset").addEventListener("click", () => { clear(); byId("search").focus(); });
  byId("more").addEventListener("click", () => {
    const next = drawn;
    draw();
    body.querySelector(`tr[data-at="${next}"] .name`)?.focus();
  });
  byId("skip").addEventListener("click", (event) => {
    // The address is the filter's.
    event.preventDefault();
    byId("images").focus();
    byId("images").scrollIntoView();
  });
  addEventListener("hashchange", () => { readAddress(); update(); });

  const say = (text) => { byId("said").textContent = text; };
  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Where a file may not use the clipboard: mark the text, and have the browser copy what is marked.
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling ?? button.parentElement.nextElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) {
        say("Not copied; the text is selected");
        return;
      }
    }
    button.textContent = "Copied";
    button.classList.add("done");
    say("Copied");
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); say(""); }, 2000);
  };
  body.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.matches(".copy")) copy(button);
    else if (button?.matches(".name")) toggle(button);
    else if (target.closest("tr.row") && !String(getSelection())) toggle(target.closest("tr.row").querySelector(".name"));
  });
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = target.matches?.("input, select, textarea");
    if (key === "/" && !writes) {
      event.preventDefault();
      byId("search").focus();
      byId("search").select();
    } else if (key === "Escape" && target === byId("search")) {
      if (target.value) {
        target.value = "";
        ask({ q: "" });
      }
    } else if (key === "Escape") {
      const within = target.closest?.("tr.detail")?.previousElementSibling ?? target.closest?.("tr.row");
      const tr = within ?? [...body.querySelectorAll("tr.open")].pop();
      const button = tr?.querySelector(".name");
      if (button && opened(button)) {
        toggle(button, false);
        button.focus();
      }
    }
  });

  // Light or dark: what the system says, or what was chosen here before.
  const theme = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = (use) => { try { return use(localStorage); } catch { return null; } };
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Show it ${isDark() ? "light" : "dark"}`); };
  const chosen = kept((storage) => storage.getItem("ecr-preflight-theme"));
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    kept((storage) => storage.setItem("ecr-preflight-theme", document.documentElement.dataset.theme));
    showTheme();
  });
  dark.addEventListener("change", showTheme);
  showTheme();
  theme.hidden = false;
  document.documentElement.classList.add("live");

  byId("images").hidden = rows.length === 0;
  readAddress();
  update();
})();

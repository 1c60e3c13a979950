// What the pages do beyond links and forms: figures are patched in place, rows can be picked by keys. All of it is extra.
"use strict";
(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const boxes = () => all("#pick tbody input[type=checkbox]");
  const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  // --- live figures: one stream, text in place, and how old it is
  const connection = document.getElementById("connection");
  let last = Date.now(), source = null, wanted = 0;

  const show = (figures) => {
    for (const node of all("[data-live]")) {
      const text = figures[node.dataset.live];
      if (text === undefined) continue;
      const [sign, ...word] = text.split(" ");
      const badge = node.querySelector(".state");
      if (badge) { // sign, word and colour
        if (!badge.textContent.trim().endsWith(word.join(" "))) {
          badge.firstElementChild.textContent = sign;
          badge.lastChild.textContent = " " + word.join(" ");
          badge.className = "state " + figures[node.dataset.live.replace("state", "colour")];
        }
      } else setText(node, text);
    }
    if (boxes().some((box) => box.checked)) return; // whoever picks rows is not disturbed
    for (const node of all("[data-new]")) { // lists don't move: they say that there is more
      const more = figures[node.dataset.new];
      const number = (text) => Number(text.replaceAll(",", ""));
      const difference = number(more) - number(node.dataset.base);
      node.hidden = difference === 0;
      setText(node.firstElementChild, difference > 0 ? `${difference} new.` : `${-difference} fewer than here.`);
    }
  };
  const state = () => {
    const age = Math.round((Date.now() - last) / 1000);
    const live = source && age < 4;
    connection.dataset.state = live ? "live" : "stale";
    setText(connection.firstChild, live ? "● live" : `stale, ${age} s old, reconnecting`);
  };
  const connect = () => {
    wanted = 0;
    source = new EventSource("/live");
    source.onmessage = (event) => { last = Date.now(); show(JSON.parse(event.data)); state(); };
    source.onerror = () => { // closed for good (too many, or logged out): ask again by ourselves
      if (source.readyState === EventSource.CLOSED && !wanted) wanted = setTimeout(connect, 3000);
    };
  };
  if (connection && window.EventSource) {
    connection.replaceChildren(document.createTextNode("connecting"));
    connect();
    setInterval(state, 1000);
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  }

  // --- after an action the message has the focus
  const said = document.getElementById("said");
  if (said) said.focus();

  // --- all rows of this page at once
  const every = document.getElementById("every");
  if (every) {
    every.hidden = false;
    every.firstElementChild.addEventListener("change", (event) => { for (const box of boxes()) box.checked = event.target.checked; });
  }

  // --- keys: none of them does anything but lead somewhere or pick; `?` lists them, and can switch them off
  const goes = { o: "/", s: "/syncs", c: "/contacts", a: "/review", d: "/doubts", p: "/providers", r: "/runs", b: "/budgets" };
  let begun = false, row = -1;
  const rows = all("tr[data-row]");
  const off = () => localStorage.getItem("keys") === "off";
  const move = (by) => {
    if (!rows.length) return;
    rows[row]?.classList.remove("here");
    row = Math.min(rows.length - 1, Math.max(0, row + by));
    rows[row].classList.add("here");
    rows[row].querySelector("input").focus();
    rows[row].scrollIntoView({ block: "nearest" });
  };
  const help = () => {
    let dialog = document.querySelector("dialog");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.setAttribute("aria-labelledby", "keys");
      const title = Object.assign(document.createElement("h2"), { id: "keys", textContent: "Keys" });
      const list = document.createElement("ul");
      for (const line of ["/ find a contact", "g then o s c a d p r b: overview, syncs, contacts, review, doubt, providers, runs, budgets",
        "j k next and previous row", "x pick the row", "a r accept, refuse what is picked: a page asks first", "Enter open, ? this, Esc close"])
        list.append(Object.assign(document.createElement("li"), { textContent: line }));
      const label = document.createElement("label"), box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !off() });
      box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
      label.className = "tick";
      label.append(box, "Keys are on (but for ?)");
      const close = Object.assign(document.createElement("button"), { textContent: "Close" });
      close.addEventListener("click", () => dialog.close());
      dialog.append(title, list, label, close);
      document.body.append(dialog);
    }
    dialog.showModal();
  };
  const press = (name) => document.querySelector(`#pick button[formaction="/review/${name}"]`)?.click();
  const keys = {
    "/": () => document.getElementById("search")?.focus(),
    "g": () => { begun = true; setTimeout(() => { begun = false; }, 1500); },
    "j": () => move(1), "k": () => move(-1),
    "x": () => rows[row]?.querySelector("input").click(),
    "o": () => rows[row]?.querySelector("a").click(),
    "a": () => press("accept"), "r": () => press("refuse"),
  };
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (event.key === "?") { help(); event.preventDefault(); return; }
    if (off()) return;
    const act = begun && goes[event.key] ? () => { location.href = goes[event.key]; } : keys[event.key];
    begun = false;
    if (act) { event.preventDefault(); act(); }
  });
})();

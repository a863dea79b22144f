// The tree of units by keyboard and mouse, forms that say that they are busy, suggestions for names of units.
"use strict";
(() => {
  const items = (tree) => [...tree.querySelectorAll('[role="treeitem"]')].filter((item) => !item.closest("ul[hidden]"));

  const groupOf = (item) => item.parentElement.querySelector(':scope > [role="group"]');

  const part = async (tree, address) => {
    const answer = await fetch(address, { headers: { Accept: "text/html", "HX-Request": "true" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const holder = document.createElement("ul");
    holder.innerHTML = await answer.text();
    return [...holder.children];
  };

  const focusOn = (item) => {
    const tree = item.closest('[role="tree"]');
    tree.querySelectorAll('[tabindex="0"]').forEach((other) => other.setAttribute("tabindex", "-1"));
    item.setAttribute("tabindex", "0");
    item.focus();
  };

  const failed = (tree) => window.alert(tree.dataset.failed);

  const open = async (item) => {
    const tree = item.closest('[role="tree"]');
    const group = groupOf(item);
    if (!group || item.getAttribute("aria-expanded") === "true") return;
    if (!group.children.length) {
      item.setAttribute("aria-busy", "true");
      try {
        group.append(...(await part(tree, item.dataset.branch)));
      } catch {
        failed(tree);
        return;
      } finally {
        item.removeAttribute("aria-busy");
      }
    }
    group.hidden = false;
    item.setAttribute("aria-expanded", "true");
    item.querySelector(".fold").textContent = "▾";
  };

  const close = (item) => {
    groupOf(item).hidden = true;
    item.setAttribute("aria-expanded", "false");
    item.querySelector(".fold").textContent = "▸";
  };

  const more = async (item) => {
    const tree = item.closest('[role="tree"]');
    try {
      const found = await part(tree, item.dataset.more);
      item.parentElement.replaceWith(...found);
      if (found.length) focusOn(found[0].querySelector('[role="treeitem"]'));
    } catch {
      failed(tree);
    }
  };

  const parentOf = (item) => item.closest('[role="group"]')?.parentElement.querySelector('[role="treeitem"]');

  const press = (item, key) => {
    const tree = item.closest('[role="tree"]');
    const shown = items(tree);
    const place = shown.indexOf(item);
    const expanded = item.getAttribute("aria-expanded");
    if (key === "ArrowDown" && shown[place + 1]) focusOn(shown[place + 1]);
    else if (key === "ArrowUp" && shown[place - 1]) focusOn(shown[place - 1]);
    else if (key === "Home") focusOn(shown[0]);
    else if (key === "End") focusOn(shown[shown.length - 1]);
    else if (key === "ArrowRight" && expanded === "false") open(item);
    else if (key === "ArrowRight" && expanded === "true" && shown[place + 1]) focusOn(shown[place + 1]);
    else if (key === "ArrowLeft" && expanded === "true") close(item);
    else if (key === "ArrowLeft" && parentOf(item)) focusOn(parentOf(item));
    else if (key === "Enter" && item.dataset.more) more(item);
    else if (key === "Enter") window.location.assign(item.dataset.page);
    else return false;
    return true;
  };

  const prepare = () => {
    document.querySelectorAll('[role="tree"]').forEach((tree) => {
      if (tree.querySelector('[tabindex="0"]')) return;
      const [first, second] = items(tree);
      first?.setAttribute("tabindex", "0");
      // A county alone at the top is of no use closed.
      if (first && !second) open(first);
    });
  };

  document.addEventListener("keydown", (event) => {
    const item = event.target.closest?.('[role="treeitem"]');
    if (!item || event.altKey || event.ctrlKey || event.metaKey) return;
    if (press(item, event.key)) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const item = event.target.closest('[role="treeitem"]');
    if (!item || event.target.closest("a")) return;
    focusOn(item);
    if (item.dataset.more) more(item);
    else if (event.target.closest(".fold") && item.hasAttribute("aria-expanded"))
      if (item.getAttribute("aria-expanded") === "true") close(item);
      else open(item);
  });

  document.addEventListener("htmx:afterSwap", prepare);
  prepare();

  // A form that takes long says so, and is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.dataset.busy) return;
    const told = form.querySelector(".busy");
    if (told) told.textContent = form.dataset.busy;
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });

  // Names of units while they are typed.
  document.querySelectorAll("[data-suggest]").forEach((field) => {
    let waiting = 0;
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const answer = await fetch(`${field.dataset.suggest}?unit=${encodeURIComponent(field.value)}`);
        if (answer.ok) document.getElementById("units-known").innerHTML = await answer.text();
      }, 200);
    });
  });

  // Who is chosen for a turn brings title and telephone along.
  document.querySelectorAll('.turns input[name="name"]').forEach((field) => {
    field.addEventListener("change", () => {
      const known = [...document.querySelectorAll("#people option")].filter((option) => option.value === field.value);
      if (known.length !== 1) return;
      const row = field.closest("tr");
      for (const name of ["title", "phone"]) {
        const other = row.querySelector(`[name="${name}"]`);
        if (!other.value && !known[0].dataset[name].includes("*")) other.value = known[0].dataset[name];
      }
    });
  });
})();

"use strict";
// The page is complete without this: it adds sorting, keys, pointed-at texts and copying.

for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const numeric = head.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[column];
      if (cell.title === "no value") return null;
      const rank = ["low", "medium", "high"].indexOf(cell.textContent);
      if (numeric) return Number(cell.dataset.value);
      return rank < 0 ? cell.textContent : rank;
    };
    const order = (a, b) => typeof a === "number" && typeof b === "number"
      ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    rows.map((row) => [key(row), row]).sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? order(b, a) : order(a, b);
    }).forEach(([, row]) => table.tBodies[0].append(row));
  };
  heads.forEach((head, column) => {
    const button = head.firstElementChild;
    button.addEventListener("click", () => sort(head, column));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort(head, column);
    });
  });
}

document.addEventListener("keydown", (event) => {
  const open = document.querySelector(".full:target");
  const which = { Escape: ".close", ArrowLeft: ".before", ArrowRight: ".after" }[event.key];
  if (open && which) location.replace(open.querySelector(which).href);
});

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
const show = (mark) => {
  const box = mark.getBoundingClientRect();
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const left = box.left + box.width / 2 - tip.offsetWidth / 2;
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = Math.min(Math.max(6, left), innerWidth - tip.offsetWidth - 6) + "px";
  tip.style.top = (above < 6 ? box.bottom + 8 : above) + "px";
};
const hide = () => { tip.hidden = true; };
for (const mark of document.querySelectorAll("[data-tip]")) {
  mark.querySelector("title").remove();
  mark.setAttribute("aria-label", mark.dataset.tip);
  mark.addEventListener("pointerenter", () => show(mark));
  mark.addEventListener("pointerleave", hide);
  mark.addEventListener("focus", () => show(mark));
  mark.addEventListener("blur", hide);
}
addEventListener("scroll", hide, { passive: true });

for (const button of document.querySelectorAll(".copy")) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
}

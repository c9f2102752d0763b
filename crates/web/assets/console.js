// Comfort for the console: copy buttons, menus, times. Every page works without this file.
"use strict";

// Copy buttons say what to copy in data-copy, and the word for success in data-done.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return;
  }
  const label = button.querySelector(".sr");
  const words = label ?? button;
  const before = words.textContent;
  const symbol = button.querySelector("use");
  words.textContent = button.dataset.done;
  symbol?.setAttribute("href", "#i-check");
  button.classList.add("copied");
  button.disabled = true;
  setTimeout(() => {
    words.textContent = before;
    symbol?.setAttribute("href", "#i-copy");
    button.classList.remove("copied");
    button.disabled = false;
  }, 1600);
});

// One menu is open at a time. A click beside it and Escape close it.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-menu]")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details[data-menu][open]");
  closeMenus();
  menu?.querySelector("summary").focus();
});

// Times: the exact one in the reader's time zone, and the relative one as time passes.
const language = document.documentElement.lang;
const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const refresh = () => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const minutes = Math.round((at - Date.now()) / 60000);
    time.title = exact.format(at);
    // The server wrote the words. Only recent times change while somebody looks at the page.
    if (minutes > -60 && minutes <= -1 && time.dataset.minutes) time.textContent = relative.format(minutes, "minute");
    time.dataset.minutes = minutes;
  }
};
refresh();
setInterval(refresh, 60000);
document.addEventListener("htmx:after:swap", refresh);

// A secret in the fragment of the address, which browsers send to nobody, fills its field. The field is then hidden.
// The fragment is the secret, or names it as a parameter.
for (const holder of document.querySelectorAll("[data-from-fragment]")) {
  const input = holder.querySelector("input");
  if (location.hash.length > 1 && !input.value) {
    const fragment = location.hash.slice(1);
    input.value = new URLSearchParams(fragment).get(input.name) ?? fragment;
    history.replaceState(null, "", location.pathname + location.search);
  }
  holder.hidden = input.value !== "" && !input.hasAttribute("aria-invalid");
}

// The link of a session: its secret leaves the address, and the form is sent unless somebody else is signed in.
for (const form of document.querySelectorAll("form[data-opens]")) {
  history.replaceState(null, "", location.pathname);
  if ("atOnce" in form.dataset) form.requestSubmit();
}

/* What pages of the portal do beyond HTML. Every page works without it. */
"use strict";

const token = () => {
  const frame = document.querySelector("main[hx-headers]");
  return frame ? JSON.parse(frame.getAttribute("hx-headers"))["X-XSRFToken"] : "";
};

/* A form is sent once, however often its button is pressed. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

/* Filters take effect when they are changed. */
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

/* Menus close when one clicks elsewhere or presses Escape. */
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open], details.confirm[open]");
  closeMenus();
  if (open) open.querySelector("summary").focus();
});

/* Live parts wait while somebody is using a button or question inside them. */
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (part.id !== "live") return;
  if (document.hidden || part.querySelector("details[open], [aria-busy]")) event.preventDefault();
});

/* Names are suggested while one types. */
const suggest = (input, list) => {
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    const text = input.value.trim();
    if (text.length < 2) return;
    waiting = setTimeout(async () => {
      const address = `${list.dataset.people}?limit=10&q=${encodeURIComponent(text)}`;
      const answer = await fetch(address, { headers: { "X-XSRFToken": token() } });
      if (!answer.ok) return;
      const people = (await answer.json()).items;
      list.replaceChildren(
        ...people.map((person) => {
          const option = document.createElement("option");
          option.value = person.username;
          option.label = person.display_name;
          return option;
        }),
      );
    }, 200);
  });
};
for (const list of document.querySelectorAll("datalist[data-people]")) {
  suggest(document.querySelector(`input[list="${list.id}"]`), list);
}

/* Exact times are shown in the reader's own time zone; those of today without the day. */
const localTimes = (root) => {
  for (const time of root.querySelectorAll("time[data-clock]")) {
    const moment = new Date(time.dateTime);
    const isToday = moment.toDateString() === new Date().toDateString();
    const day = isToday ? {} : { day: "numeric", month: "short" };
    time.textContent = moment.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
  }
  for (const time of root.querySelectorAll("time[title]")) {
    time.title = new Date(time.dateTime).toLocaleString();
  }
};
localTimes(document);
document.addEventListener("htmx:afterSettle", (event) => localTimes(event.target));

/* The page of a lab that starts: show how far it is, then go in. */
const follow = (page) => {
  const source = new EventSource(page.dataset.progress);
  const bar = page.querySelector("progress");
  const message = page.querySelector("[data-message]");
  const enter = page.querySelector("[data-enter]");
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (bar) bar.value = news.progress;
    if (message && news.message) message.textContent = news.message;
    if (news.state === "starting" || news.state === "stopping") return;
    source.close();
    if (news.state === "running" && enter) enter.submit();
    else window.location.reload();
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => window.location.reload(), 3000);
  };
};
for (const page of document.querySelectorAll("[data-progress]")) follow(page);

/* How long a visit still lasts, and when it ends on the visitor's own clock. */
const countDown = (place) => {
  const end = new Date(place.dataset.countdown);
  const tick = () => {
    const minutes = Math.max(0, Math.ceil((end - Date.now()) / 60000));
    const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
    place.textContent = ` (in ${hours ? `${hours} h ` : ""}${rest} min)`;
    if (minutes === 0) window.location.reload();
  };
  tick();
  setInterval(tick, 15000);
};
for (const place of document.querySelectorAll("[data-countdown]")) countDown(place);

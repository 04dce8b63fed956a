// Files on their way in, and refusals in sight. Everything else is htmx and HTML.
"use strict";

const alertBox = () => document.getElementById("alert");

function refuse(text) {
  alertBox().textContent = text;
  alertBox().hidden = false;
  alertBox().scrollIntoView({block: "nearest"});
}

function send(file, form) {
  const bar = document.getElementById("sent");
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch does not say how much was sent
    request.open("PUT", (form.dataset.put || "/files/") + encodeURIComponent(file.name));
    request.setRequestHeader("HX-Request", "true");
    request.upload.onprogress = (event) => { bar.hidden = false; bar.max = event.total; bar.value = event.loaded; };
    request.onload = () => (request.status === 200 ? done(JSON.parse(request.responseText).file) : fail(request.responseText));
    request.onerror = () => fail("the studio does not answer; is it still running?");
    request.send(file);
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.next) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  alertBox().hidden = true;
  try {
    const values = Object.fromEntries(new FormData(form));
    values.file = await send(form.elements.file.files[0], form);
    await htmx.ajax("POST", form.dataset.next, {values, swap: "none", source: form});
  } catch (text) {
    refuse(String(text));
  }
  button.disabled = false;
});

document.addEventListener("change", (event) => {
  const name = document.getElementById("name");
  if (event.target.id !== "file" || !name || name.value || !event.target.files.length) return;
  name.value = event.target.files[0].name.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "");
});

// What renews itself each second keeps its place: where somebody reads, or the end, where somebody follows.
let places = {};
document.addEventListener("htmx:beforeSwap", () => {
  places = {};
  for (const box of document.querySelectorAll("#live pre")) {
    places[box.id] = box.scrollTop + box.clientHeight >= box.scrollHeight - 4 ? Infinity : box.scrollTop;
  }
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, top] of Object.entries(places)) {
    const box = document.getElementById(id);
    if (box) box.scrollTop = top === Infinity ? box.scrollHeight : top;
  }
});

document.addEventListener("htmx:responseError", (event) => refuse(event.detail.xhr.responseText || "this was refused"));
document.addEventListener("htmx:sendError", () => refuse("the studio does not answer; is it still running?"));
document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.requestConfig.verb !== "get") alertBox().hidden = true; });

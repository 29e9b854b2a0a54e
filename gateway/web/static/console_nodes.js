// The nodes as they are now, asked every five seconds: only what is under `live` changes, so that nobody who reads by keyboard
// or ear is thrown back to the beginning. A request parses the page, since nothing here may make markup of a text.

const SECONDS = 5;
const place = document.getElementById("live");

function look() {
  const request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.responseType = "document";
  request.onload = () => show(request);
  request.onloadend = () => setTimeout(look, SECONDS * 1000);
  request.send();
}

function show({ status, responseURL, response }) {
  if (status === 403 || responseURL !== location.href) return location.reload();
  const news = status === 200 && response?.getElementById("live");
  if (!news) return;
  const stood = document.activeElement?.closest("#live .scroll");
  const left = place.querySelector(".scroll")?.scrollLeft ?? 0;
  place.replaceChildren(...document.importNode(news, true).childNodes);
  const scroll = place.querySelector(".scroll");
  if (scroll) scroll.scrollLeft = left;
  if (stood) scroll?.focus({ preventScroll: true });
}

setTimeout(look, SECONDS * 1000);

// The progress of a running announcement, asked every two seconds. Another state is another page.

const SECONDS = 2;
const place = document.getElementById("progress");

function show({ percent, texts }) {
  place.querySelector("progress").value = percent;
  for (const [name, text] of Object.entries(texts)) {
    const node = place.querySelector(`[data-text="${name}"]`);
    if (node) node.textContent = text;
  }
}

async function look() {
  try {
    const response = await fetch(place.dataset.progress, { headers: { accept: "application/json" } });
    const news = response.ok ? await response.json() : null;
    if (news && news.state !== place.dataset.state) {
      location.reload();
      return;
    }
    if (news) show(news);
  } catch {
    // The line is away: the next look may find it again.
  }
  setTimeout(look, SECONDS * 1000);
}

setTimeout(look, SECONDS * 1000);

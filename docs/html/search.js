// Sections that have all words of the query, those with words in the heading first.
const hits = document.getElementById("hits");
document.getElementById("query").addEventListener("input", event => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(word => word.length > 1);
  hits.replaceChildren();
  if (!words.length) return;
  const found = [];
  for (const [page, anchor, head, text] of sections) {
    const title = head.toLowerCase(), all = title + " " + text.toLowerCase();
    if (words.every(word => all.includes(word)))
      found.push([words.filter(word => title.includes(word)).length, page, anchor, head, text]);
  }
  found.sort((a, b) => b[0] - a[0]);
  for (const [, page, anchor, head, text] of found.slice(0, 20)) {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = `${hits.dataset.root}/${page}#${anchor}`;
    link.textContent = head;
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 30);
    item.append(link, document.createElement("br"), text.slice(at, at + 110));
    hits.append(item);
  }
  if (!found.length) hits.textContent = "Nothing has all of these words.";
});

// One key for each button that names one, unless somebody is writing.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const named = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!named) return;
  event.preventDefault();
  named.click();
});
// A decision reads the page anew, which takes a moment: say so, and take it once.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  form.classList.add("sent");
  if (form.method === "post") document.querySelector("#busy")?.removeAttribute("hidden");
});
addEventListener("pageshow", () => {
  for (const form of document.forms) { delete form.dataset.sent; form.classList.remove("sent"); }
});

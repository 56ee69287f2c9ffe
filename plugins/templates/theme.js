// Airflow keeps the theme that a person chose under this name; without a choice the system's holds.
(() => {
  const follow = () => {
    let theme = null;
    try { theme = localStorage.getItem("theme"); } catch { /* storage may be closed to us */ }
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  follow();
  addEventListener("storage", follow);
})();

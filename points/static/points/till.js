// A page whose address names a place in it has no autofocus of the browser's: what was wrong comes first, else the
// search field, for the next scan.
window.addEventListener("load", () => {
    const wrong = document.querySelector(".till .errors input:not([type=hidden])");
    (wrong ?? document.querySelector(".till-search input"))?.focus();
});

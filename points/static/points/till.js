// A page whose address names a place in it has no autofocus of the browser's: what was wrong comes first, then the form
// that the address names, else the search field, for the next scan.
window.addEventListener("load", () => {
    const wrong = document.querySelector(".till .errors input:not([type=hidden])");
    const asked = document.querySelector(".till-deed:target input:not([type=hidden])");
    (wrong ?? asked ?? document.querySelector(".till-search input"))?.focus();
});

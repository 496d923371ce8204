// The theme hides the page until its scripts have run, so the browser may find that the field with autofocus cannot take
// the cursor, and asks no second time. What has taken it by then, keeps it.
window.addEventListener("load", () => {
    if (document.activeElement === document.body) {
        document.querySelector("[autofocus]")?.focus();
    }
});

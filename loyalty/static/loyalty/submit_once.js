// A second click while the first is on its way would send the form twice.
document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") {
        return;
    }
    if (form.dataset.isSent) {
        event.preventDefault();
        return;
    }
    form.dataset.isSent = "yes";
});

// A page that the browser kept, shown again by its Back button.
window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-is-sent]")) {
        delete form.dataset.isSent;
    }
});

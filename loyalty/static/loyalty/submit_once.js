// A second click while the first is on its way would send the form twice.
document.addEventListener("submit", (event) => {
    const form = event.target;
    // What opens beside the page, as a look at what is typed, leaves the form to be sent.
    if (event.defaultPrevented || form.method !== "post" || event.submitter?.formTarget === "_blank") {
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

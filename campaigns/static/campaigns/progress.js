// How far a campaign is, every two seconds. Once it is in another state, other buttons are there: the page is read again.
const shown = document.getElementById("campaign-progress");

const look = async () => {
    if (document.hidden) {
        return;
    }
    const answer = await fetch(shown.dataset.address, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) {
        location.reload();
        return;
    }
    shown.innerHTML = await answer.text();
    if (shown.firstElementChild.dataset.state !== shown.dataset.state) {
        location.reload();
    }
};

// A network that is away for a moment comes back.
setInterval(() => look().catch(() => {}), 2000);

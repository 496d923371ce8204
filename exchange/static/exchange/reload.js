// While a worker is at it, the page shows how far it is.
setTimeout(() => window.location.reload(), 3000);
